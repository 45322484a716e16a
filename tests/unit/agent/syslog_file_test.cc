#include "agent/sources/syslog_file.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <string>
#include <vector>

#include "tree.h"

namespace virtseer::agent {
namespace {

void append(const Tree& tree, std::string_view text) {
  std::ofstream(tree.root() + "/log", std::ios::app) << text;
}

std::vector<std::string> lines(SyslogFile& file) {
  std::vector<std::string> all;
  file.look();
  while (const auto line = file.next()) all.emplace_back(*line);
  return all;
}

using Lines = std::vector<std::string>;

TEST_CASE("the usual forms of a line are read") {
  struct Case {
    const char* line;
    int priority;
    const char* identifier;
    const char* pid;
    const char* message;
  };
  for (const Case& c : {
           Case{"Nov 26 15:57:46 web nginx[812]: connect() failed (111: Connection refused)", 3,
                "nginx", "812", "connect() failed (111: Connection refused)"},
           {"Nov  6 05:07:06 web sshd[1]: Accepted publickey for root", 6, "sshd", "1",
            "Accepted publickey for root"},
           {"2026-11-26T15:57:46.123456+00:00 web cron[9]: WARNING: too late", 4, "cron", "9",
            "WARNING: too late"},
           {"Nov 26 15:57:46 web daemon.err dnsmasq[7]: no upstream", 3, "dnsmasq", "7",
            "no upstream"},
           {"Nov 26 15:57:46 web user.warn app: low", 4, "app", "", "low"},
           {"Nov 26 15:57:46 web kernel: [12345.678901] EXT4-fs error (device vda1): bad", 3,
            "kernel", "", "EXT4-fs error (device vda1): bad"},
           {"Nov 26 15:57:46 web kernel: [   12.5] ok", 6, "kernel", "", "ok"},
           {"<27>Nov 26 15:57:46 web app[3]: text", 3, "app", "3", "text"},
           {"<28>1 2026-11-26T15:57:46Z web app 33 ID1 [a b=\"c\"][d] \xef\xbb\xbf"
            "text",
            4, "app", "33", "text"},
           {"<28>1 2026-11-26T15:57:46Z web - - - - text", 4, "", "", "text"},
           {"Nov 26 15:57:46 web last message repeated 3 times", 6, "", "",
            "last message repeated 3 times"},
           {"Nov 26 15:57:46 web app: terrorist errorless ok", 6, "app", "",
            "terrorist errorless ok"},
       }) {
    INFO(c.line);
    const auto entry = parseSyslogLine(c.line);
    REQUIRE(entry);
    CHECK(entry->priority == c.priority);
    CHECK(entry->identifier == c.identifier);
    CHECK(entry->pid == c.pid);
    CHECK(entry->message == c.message);
  }
}

TEST_CASE("who wrote a line is told by its name") {
  CHECK(parseSyslogLine("Nov 26 15:57:46 web kernel: a")->kernel);
  CHECK_FALSE(parseSyslogLine("Nov 26 15:57:46 web kernel[7]: a")->kernel);
  CHECK(parseSyslogLine("Nov 26 15:57:46 web systemd[1]: a")->init);
  CHECK_FALSE(parseSyslogLine("Nov 26 15:57:46 web systemd[900]: a")->init);
}

TEST_CASE("what is no line of a log is none") {
  for (const char* line :
       {"", " ", "text", "Nov", "Nov 26", "Nov 26 15:57:46", "Nov 26 15:57:46 web",
        "Nov 26 15:57:46 web app:", "<>1 a b c d e f", "<12345>Nov", "<28",
        "<28>1 t h a p m [never closed text", "\tat com.example.Main(Main.java:3)"}) {
    INFO(line);
    CHECK_FALSE(parseSyslogLine(line));
  }
}

TEST_CASE("only what is written from now on is read, line by line") {
  Tree tree;
  tree.write("log", "old\n");
  SyslogFile file;
  REQUIRE(file.open(tree.root() + "/log"));
  CHECK(lines(file).empty());
  append(tree, "first\nsec");
  CHECK(lines(file) == Lines{"first"});
  append(tree, "ond\n");
  CHECK(lines(file) == Lines{"second"});
}

TEST_CASE("the rest of a file that is renamed is read, then the new one from its start") {
  Tree tree;
  tree.write("log", "old\n");
  SyslogFile file;
  REQUIRE(file.open(tree.root() + "/log"));
  append(tree, "last\n");
  std::filesystem::rename(tree.root() + "/log", tree.root() + "/log.1");
  CHECK(lines(file) == Lines{"last"});  // the new file is not there yet
  tree.write("log", "new\n");
  CHECK(lines(file) == Lines{"new"});
  std::filesystem::rename(tree.root() + "/log", tree.root() + "/log.1");
  std::ofstream(tree.root() + "/log.1", std::ios::app) << "late\n";
  tree.write("log", "newest\n");
  CHECK(lines(file) == Lines{"late", "newest"});
}

TEST_CASE("a file that is truncated is read from its start") {
  Tree tree;
  tree.write("log", "old and long\n");
  SyslogFile file;
  REQUIRE(file.open(tree.root() + "/log"));
  append(tree, "a\n");
  CHECK(lines(file) == Lines{"a"});
  tree.write("log", "b\n");
  CHECK(lines(file) == Lines{"b"});
}

TEST_CASE("a long line is cut and read once") {
  Tree tree;
  tree.write("log", "");
  SyslogFile file;
  REQUIRE(file.open(tree.root() + "/log"));
  append(tree, std::string(100'000, 'x') + "\nshort\n");
  const auto read = lines(file);
  REQUIRE(read.size() == 2);
  CHECK(read[0] == std::string(4096, 'x'));
  CHECK(read[1] == "short");
}

TEST_CASE("lines that are left out are counted as far as can be told") {
  Tree tree;
  tree.write("log", "");
  SyslogFile file;
  REQUIRE(file.open(tree.root() + "/log"));
  append(tree, "ten bytes\n");
  lines(file);
  for (int i = 0; i < 1000; ++i) append(tree, "ten bytes\n");
  CHECK(file.behind() == 10'000);
  file.skip();
  CHECK(file.skipped() == 1000);
  append(tree, "next\n");
  CHECK(lines(file) == Lines{"next"});
}

TEST_CASE("a log that cannot be opened tells why") {
  Tree tree;
  SyslogFile file;
  const auto opened = file.open(tree.root() + "/log");
  REQUIRE_FALSE(opened);
  CHECK(opened.error() == tree.root() + "/log: No such file or directory");
  CHECK(lines(file).empty());
}

}  // namespace
}  // namespace virtseer::agent
