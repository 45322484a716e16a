#include "daemon/agent_tokens.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "collect/agent_tokens.h"
#include "daemon/service_options.h"

using namespace virtseer;
using namespace virtseer::daemon;
namespace fs = std::filesystem;

namespace {

const Uuid kVm = *Uuid::parse("aaaaaaaa-0000-4000-8000-000000000001");

struct Folder {
  Folder() { REQUIRE(mkdtemp(path.data())); }
  ~Folder() { fs::remove_all(path); }
  std::string path = "/tmp/virtseer-tokens-XXXXXX";
};

std::string contents(const fs::path& file) {
  std::string text;
  std::getline(std::ifstream(file), text);
  return text;
}

/// Whether there was a token before.
bool had(const Result<bool>& answer) {
  REQUIRE(answer);
  return *answer;
}

unsigned modeOf(const fs::path& path) {
  struct stat found{};
  REQUIRE(::stat(path.c_str(), &found) == 0);
  return found.st_mode & 0777;
}

}  // namespace

TEST_CASE("a token is 256 random bits that only its owner can read, made once") {
  const Folder folder;
  const AgentTokens tokens(folder.path + "/agents");
  CHECK_FALSE(had(tokens.usable(kVm)));
  CHECK_FALSE(had(tokens.make(kVm)));
  CHECK(had(tokens.usable(kVm)));
  const auto token = contents(tokens.file(kVm));
  CHECK(token.size() == 64);
  CHECK(token.find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(modeOf(tokens.file(kVm)) == 0600);
  CHECK(modeOf(folder.path + "/agents") == 0700);
  CHECK(tokens.file(kVm).filename() == kVm.text() + ".token");

  CHECK(had(tokens.make(kVm)));
  CHECK(contents(tokens.file(kVm)) == token);
  CHECK(had(tokens.drop(kVm)));
  CHECK_FALSE(had(tokens.drop(kVm)));
  CHECK_FALSE(had(tokens.make(kVm)));
  CHECK(contents(tokens.file(kVm)) != token);
}

TEST_CASE("a token that was made is one that the listener takes") {
  const Folder folder;
  const AgentTokens tokens(folder.path);
  REQUIRE(tokens.make(kVm));
  const auto token = collect::readAgentToken(folder.path, kVm);
  REQUIRE(token);
  CHECK(*token == contents(tokens.file(kVm)));
}

TEST_CASE("what the listener would not take as a token is replaced, and no link followed") {
  const Folder folder;
  const AgentTokens tokens(folder.path);
  const auto file = tokens.file(kVm);
  const auto elsewhere = folder.path + "/elsewhere";
  const std::string whole(64, 'a');
  std::ofstream(elsewhere) << whole << "\n";
  fs::permissions(elsewhere, fs::perms(0600));
  SECTION("it is empty") {
    std::ofstream(file).close();
  }
  SECTION("it is too short") {
    std::ofstream(file) << "short\n";
  }
  SECTION("it is a link") {
    fs::create_symlink(elsewhere, file);
  }
  SECTION("it leads nowhere") {
    fs::create_symlink(folder.path + "/nowhere", file);
  }
  SECTION("it is open to others") {
    std::ofstream(file) << whole << "\n";
  }
  if (!fs::is_symlink(file))
    fs::permissions(file, fs::perms(fs::file_size(file) > 20 ? 0644 : 0600));
  CHECK(tokens.there(kVm));
  CHECK_FALSE(had(tokens.usable(kVm)));
  CHECK_FALSE(had(tokens.make(kVm)));
  CHECK_FALSE(fs::is_symlink(file));
  CHECK(modeOf(file) == 0600);
  CHECK(contents(elsewhere) == whole);
  CHECK_FALSE(fs::exists(folder.path + "/nowhere"));
  const auto token = collect::readAgentToken(folder.path, kVm);
  REQUIRE(token);
  CHECK(*token != whole);
  CHECK(had(tokens.make(kVm)));
}

TEST_CASE("what was left of a token that was not made to its end is no way out of the folder") {
  const Folder folder;
  const AgentTokens tokens(folder.path);
  const auto elsewhere = folder.path + "/elsewhere";
  auto fresh = tokens.file(kVm);
  fresh += ".new";
  SECTION("a link") {
    fs::create_symlink(elsewhere, fresh);
  }
  SECTION("a file that others can read") {
    std::ofstream(fresh) << "x";
    fs::create_hard_link(fresh, elsewhere);
  }
  CHECK_FALSE(had(tokens.make(kVm)));
  CHECK(had(tokens.usable(kVm)));
  CHECK((!fs::exists(elsewhere) || contents(elsewhere) == "x"));
}

TEST_CASE("what cannot be a token is taken away all the same") {
  const Folder folder;
  const AgentTokens tokens(folder.path);
  std::ofstream(tokens.file(kVm)) << "short";
  CHECK(had(tokens.act(kVm, act::TokenAct::there)));
  CHECK_FALSE(had(tokens.act(kVm, act::TokenAct::usable)));
  CHECK(had(tokens.drop(kVm)));
  CHECK_FALSE(tokens.there(kVm));
}

TEST_CASE("nothing but the token is left in its folder") {
  const Folder folder;
  const AgentTokens tokens(folder.path);
  REQUIRE(tokens.make(kVm));
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& file : fs::directory_iterator(folder.path)) ++files;
  CHECK(files == 1);
}

TEST_CASE("a folder that cannot be made is named") {
  const Folder folder;
  std::ofstream(folder.path + "/file") << "x";
  const AgentTokens tokens(folder.path + "/file/agents");
  const auto made = tokens.make(kVm);
  REQUIRE_FALSE(made);
  CHECK(made.error().message.find("/file/agents") != std::string::npos);
}

TEST_CASE("tokens are made where the listener looks for them") {
  Config config;
  config.state.directory = "/var/lib/virtseer";
  CHECK(tokenFolder(config) == "/var/lib/virtseer/agents");
  CHECK(listenerOptions(config).tokens == tokenFolder(config));
  config.echo.tokens = "/srv/tokens";
  CHECK(tokenFolder(config) == "/srv/tokens");
  CHECK(listenerOptions(config).tokens == tokenFolder(config));
}

TEST_CASE("who is to call by vsock is told the port of this host, and whether anybody listens") {
  Config config;
  api::EnrollRequest request;
  request.way = EchoWay::vsock;
  CHECK_FALSE(enrollWish(config, request).listens);
  CHECK(enrollWish(config, request).address.empty());
  config.echo.listen_vsock = 9001;
  CHECK(enrollWish(config, request).listens);
  CHECK(enrollWish(config, request).address == "9001");
  request.address = "9002";
  CHECK(enrollWish(config, request).address == "9002");

  request.way = EchoWay::tls;
  request.address = "192.0.2.1:8687";
  CHECK_FALSE(enrollWish(config, request).listens);
  config.echo.listen_tls = "192.0.2.1:8687";
  CHECK(enrollWish(config, request).listens);
}

TEST_CASE("a token that came with its VM takes the place of what is there") {
  const Folder folder;
  const AgentTokens tokens(folder.path + "/agents");
  const std::string token(64, 'a');
  REQUIRE(tokens.keep(kVm, token));
  CHECK(tokens.read(kVm).value() == token);
  CHECK(modeOf(tokens.file(kVm)) == 0600);
  REQUIRE(tokens.keep(kVm, std::string(16, 'b')));
  CHECK(tokens.read(kVm).value() == std::string(16, 'b'));
  CHECK(had(tokens.make(kVm)));  // it is one to go on with
}

TEST_CASE("what is no token is not taken, and what is there stays") {
  const Folder folder;
  const AgentTokens tokens(folder.path + "/agents");
  const std::string token(64, 'a');
  REQUIRE(tokens.keep(kVm, token));
  for (const auto& text : {std::string(), std::string(15, 'a'), std::string(257, 'a'),
                           token + "\n" + token, token + " ", token + "\x80"})
    CHECK(tokens.keep(kVm, text).error().code == Code::invalid);
  CHECK(tokens.read(kVm).value() == token);
}
