#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <sstream>
#include <string>

#include "agent/source.h"
#include "tree.h"

namespace virtseer::agent {
namespace {

constexpr const char* kKmsg =
    "6,0,100,-;Linux version 6.1\n"
    "3,1,2000000,-;Out of memory: Killed process 5 (java) total-vm:9kB, anon-rss:4kB, "
    "file-rss:0kB\n"
    "3,2,3000000,-;ordinary error\n";

void append(const Tree& tree, const std::string& path, std::string_view text) {
  std::ofstream(tree.root() + "/" + path, std::ios::app) << text;
}

std::string contentOf(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(path).rdbuf();
  return content.str();
}

std::vector<std::string> messages(const Reader& reader) {
  std::vector<std::string> all;
  for (const auto& happening : reader.report().happenings) all.push_back(happening.message);
  return all;
}

using Messages = std::vector<std::string>;

std::string entry(int number, std::string_view message, std::string_view more = {}) {
  char cursor[64];
  std::snprintf(cursor, sizeof cursor, "s=1b59;i=%x;b=584a", static_cast<unsigned>(number));
  std::string line = "{\"__CURSOR\":\"";
  line += cursor;
  line += "\",\"__MONOTONIC_TIMESTAMP\":\"" + std::to_string(number * 1000) +
          "\",\"PRIORITY\":\"3\",\"_SYSTEMD_UNIT\":\"a.service\",\"MESSAGE\":\"";
  return line.append(message).append("\"").append(more).append("}\n");
}

/// A guest with a journal whose journalctl writes what the test wants: each time it is started it
/// notes how it was called in "calls", writes the file "output", tells the pipe "done", and stays
/// or ends. Where there is a file "flood" it writes that instead.
class JournalTree : public Tree {
 public:
  explicit JournalTree(bool stays = true) {
    write("run/systemd/journal/socket", "");
    write("etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    write("output", "");
    REQUIRE(::mkfifo((root() + "/done").c_str(), 0600) == 0);
    write("usr/bin/journalctl", "#!/bin/sh\ncd " + root() +
                                    "\necho \"$$ $*\" >> calls\n"
                                    "if [ -e flood ]; then exec cat flood; fi\n"
                                    "cat output\necho > done\n" +
                                    (stays ? "exec sleep 1000\n" : ""));
    ::chmod((root() + "/usr/bin/journalctl").c_str(), 0755);
  }
  /// Blocks until all was written that a child which was started has to write.
  void awaitOutput() const { contentOf(root() + "/done"); }
  std::string calls() const { return contentOf(root() + "/calls"); }
  /// Blocks until the first child waits for room in its pipe.
  void awaitFullPipe() const {
    while (calls().empty()) ::sched_yield();
    const std::string stat = "/proc/" + std::to_string(std::stoi(calls())) + "/stat";
    while (contentOf(stat).find("(cat) S") == std::string::npos) ::sched_yield();
  }
};

TEST_CASE("without a journal the kernel and the system's log are read from now on") {
  Tree tree;
  tree.write("dev/kmsg", kKmsg);
  tree.write("var/log/syslog", "Nov 26 15:57:46 web app[3]: old error\n");
  Reader reader(makeLogSource(), tree);
  reader.read(10'000);
  REQUIRE(reader.report().happenings.size() == 1);  // of before, only what matters
  CHECK(reader.report().happenings[0].kind == "guest.oom_kill");
  CHECK(reader.report().happenings[0].mono_ms == 2000);
  CHECK(reader.report().happenings[0].fields.at("age_seconds") == "8");
  CHECK(reader.source().trouble() == "there is no journal");

  append(tree, "dev/kmsg", "3,3,11000000,-;new kernel error\n30,4,11000001,-;from a program\n");
  append(tree, "var/log/syslog",
         "Nov 26 15:57:46 web app[3]: new error\nNov 26 15:57:46 web kernel: [11.0] new kernel "
         "error\nNov 26 15:57:46 web app[3]: fine\n");
  const Reading reading = reader.read(15'000);
  CHECK(messages(reader) == Messages{"new kernel error", "new error"});
  CHECK(reader.report().happenings[0].mono_ms == 11'000);
  CHECK(reading.at("guest_log_entries_total{priority=error}") == 2);
  CHECK(reading.at("guest_log_entries_skipped_total") == 0);
  CHECK_FALSE(reading.contains("guest_oom_kills_total"));  // that the kernel counts itself
}

TEST_CASE("where the kernel's messages may not be read, the system's log tells them") {
  Tree tree;
  tree.write("var/log/messages", "");
  Reader reader(makeLogSource(), tree);
  CHECK(reader.source().trouble() ==
        "there is no journal; " + tree.root() + "/dev/kmsg: No such file or directory");
  append(tree, "var/log/messages",
         "Nov 26 15:57:46 web kernel: [11.0] Out of memory: Killed process 5 (java) total-vm:9kB, "
         "anon-rss:4kB, file-rss:0kB\n");
  reader.read(1000);
  REQUIRE(reader.report().happenings.size() == 1);
  CHECK(reader.report().happenings[0].kind == "guest.oom_kill");
}

TEST_CASE("the guest's administrator can keep the log to himself") {
  const auto has = [](const Config& config) {
    for (const SourcePointer& source : systemSources(config))
      if (source->name() == "logs") return true;
    return false;
  };
  CHECK(has({}));
  Config config;
  config.logs = false;
  CHECK_FALSE(has(config));
}

TEST_CASE("where nothing can be read the source is off and tells what it lacks") {
  Tree tree;
  const auto opened = makeLogSource()->open(tree.root());
  REQUIRE_FALSE(opened);
  CHECK(opened.error() == "there is no journal; " + tree.root() +
                              "/dev/kmsg: No such file or directory; " + tree.root() +
                              "/var/log/syslog: No such file or directory");
}

TEST_CASE("a flood in a file costs a bounded round, and what is too much is counted") {
  Tree tree;
  tree.write("var/log/syslog", "");
  Reader reader(makeLogSource(), tree);
  reader.read(0);
  std::string flood;
  for (int i = 0; i < 100'000; ++i)
    flood += "Nov 26 15:57:46 web app[3]: error " + std::to_string(i) + "\n";
  append(tree, "var/log/syslog", flood);
  const Reading reading = reader.read(5000);
  const double seen = reading.at("guest_log_entries_total{priority=error}");
  CHECK(seen < 3000);
  CHECK(seen + reading.at("guest_log_entries_skipped_total") == Approx(100'000).epsilon(0.1));
  REQUIRE(reader.report().happenings.size() == 1);
  CHECK(reader.report().happenings[0].count == seen);
  append(tree, "var/log/syslog", "Nov 26 15:57:46 web app[3]: last error\n");
  reader.read(10'000);
  CHECK(messages(reader) == Messages{"last error"});
}

TEST_CASE("the journal is asked for warnings, errors and what is of use beside them") {
  JournalTree tree;
  tree.write("output", entry(1, "disk full") + entry(2, "pass token=abc") + "{broken\n" +
                           entry(3, "a.service: Failed with result 'exit-code'.",
                                 R"(,"_PID":"1","UNIT":"b.service","UNIT_RESULT":"exit-code")"));
  Reader reader(makeLogSource(), tree);
  CHECK(reader.source().trouble() ==
        "faults before the start: " + tree.root() + "/dev/kmsg: No such file or directory");
  reader.read(1000);
  tree.awaitOutput();
  const Reading reading = reader.read(6000);
  REQUIRE(messages(reader) ==
          Messages{"disk full", "pass token=***", "a.service: Failed with result 'exit-code'."});
  CHECK(reader.report().happenings[1].mono_ms == 2);
  CHECK(reader.report().happenings[2].kind == "guest.unit_failed");
  CHECK(reader.report().happenings[2].fields.at("unit") == "b.service");
  CHECK(reading.at("guest_unit_failures_total") == 1);
  CHECK(reading.at("guest_log_entries_skipped_total") == 1);
  CHECK(tree.calls().find("--follow --no-tail --no-pager --quiet --all --output=json "
                          "--output-fields=PRIORITY,MESSAGE,") != std::string::npos);
  CHECK(tree.calls().find("--since=@") != std::string::npos);
  CHECK(tree.calls().find("PRIORITY=4 + _TRANSPORT=kernel PRIORITY=5 PRIORITY=6 + MESSAGE_ID=") !=
        std::string::npos);
}

TEST_CASE("a journalctl that ends is started again behind the last whole entry") {
  JournalTree tree(false);
  tree.write("output", entry(1, "first") + entry(2, "second").substr(0, 40));
  Reader reader(makeLogSource(), tree);
  reader.read(1000);
  tree.awaitOutput();
  Messages all;
  // Its end is seen once the shell has closed its output, which is shortly after it is done.
  for (std::int64_t now = 2000; tree.calls().find("--after-cursor") == std::string::npos;
       now += 2000) {
    reader.read(now);
    for (const std::string& message : messages(reader)) all.push_back(message);
    if (tree.calls().find("--after-cursor") != std::string::npos) break;
    tree.write("output", entry(2, "second") + entry(3, "third"));
  }
  CHECK(tree.calls().find("--after-cursor=s=1b59;i=1;b=584a") != std::string::npos);
  tree.awaitOutput();
  reader.read(1'000'000);
  for (const std::string& message : messages(reader)) all.push_back(message);
  CHECK(all == Messages{"first", "second", "third"});
}

TEST_CASE("what the journal gets from the kernel late is not told a second time") {
  JournalTree tree;
  tree.write("dev/kmsg", kKmsg);
  const std::string oom =
      "Out of memory: Killed process 5 (java) total-vm:9kB, anon-rss:4kB, file-rss:0kB";
  tree.write(
      "output",
      entry(1, oom, R"(,"_TRANSPORT":"kernel","_SOURCE_MONOTONIC_TIMESTAMP":"2000000")") +
          entry(2, oom, R"(,"_TRANSPORT":"kernel","_SOURCE_MONOTONIC_TIMESTAMP":"9000000")"));
  Reader reader(makeLogSource(), tree);
  CHECK(reader.source().trouble().empty());
  reader.read(10'000);
  CHECK(reader.report().happenings.size() == 1);
  tree.awaitOutput();
  reader.read(11'000);
  REQUIRE(reader.report().happenings.size() == 1);
  CHECK(reader.report().happenings[0].count == 1);
}

TEST_CASE("a flood in the journal is read as far as a round goes, and skipped once it is late") {
  JournalTree tree;
  std::string flood;
  for (int i = 1; i <= 5000; ++i) flood += entry(i, "flood");
  tree.write("flood", flood);
  tree.write("output", entry(9000, "present"));
  Reader reader(makeLogSource(), tree);
  reader.read(1000);
  tree.awaitFullPipe();
  const double first = reader.read(6000).at("guest_log_entries_total{priority=error}");
  CHECK(first > 0);
  CHECK(first * 100 < 128 * 1024);
  tree.awaitFullPipe();
  const double seen = reader.read(100'000).at("guest_log_entries_total{priority=error}");
  CHECK(seen > first);
  CHECK(seen < 5000);
  std::filesystem::remove(tree.root() + "/flood");
  reader.read(105'000);
  tree.awaitOutput();
  const Reading reading = reader.read(110'000);
  CHECK(messages(reader) == Messages{"present"});
  CHECK(reading.at("guest_log_entries_skipped_total") == 9000 - seen - 1);
}

TEST_CASE("while it is switched off no child runs, and afterwards only news are told") {
  JournalTree tree;
  Reader reader(makeLogSource(), tree);
  reader.read(1000);
  tree.awaitOutput();
  const pid_t child = std::stoi(tree.calls());
  CHECK(::kill(child, 0) == 0);
  reader.source().select(false);
  CHECK(::kill(child, 0) != 0);
  tree.write("output", entry(1, "news"));
  reader.source().select(true);
  reader.read(2000);
  tree.awaitOutput();
  reader.read(3000);
  CHECK(messages(reader) == Messages{"news"});
  CHECK(tree.calls().find("--after-cursor") == std::string::npos);
}

TEST_CASE("the child ends with the source, and a number that was reaped is left alone") {
  JournalTree tree;
  pid_t child = 0;
  {
    Reader reader(makeLogSource(), tree);
    reader.read(1000);
    tree.awaitOutput();
    child = std::stoi(tree.calls());
  }
  CHECK(::kill(child, 0) != 0);
  Reader reader(makeLogSource(), tree);
  reader.read(1000);
  tree.awaitOutput();
  child = std::stoi(tree.calls().substr(tree.calls().find('\n') + 1));
  ::kill(child, SIGKILL);
  CHECK(::waitpid(child, nullptr, 0) == child);  // as the agent does
  reader.read(2000);
  CHECK(reader.source().trouble().find("ended") == std::string::npos);
}

TEST_CASE("a journalctl that gives nothing is tried with longer waits, and that is told") {
  Tree tree;
  tree.write("run/systemd/journal/socket", "");
  tree.write("usr/bin/journalctl", "no program");
  ::chmod((tree.root() + "/usr/bin/journalctl").c_str(), 0755);
  Reader reader(makeLogSource(), tree);
  std::int64_t now = 0;
  while (reader.source().trouble().find("times without an entry") == std::string::npos)
    reader.read(now += 60'000);
  CHECK(reader.source().trouble().starts_with(tree.root() + "/usr/bin/journalctl ended 3 times"));
}

}  // namespace
}  // namespace virtseer::agent
