#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "virtseer/api/exit_codes.h"

namespace virtseer::cli {
namespace {

const Timestamp kNow = *parseRfc3339("2026-01-31T08:05:00Z");

EnrollVm enrollOf(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "enroll");
  const auto parsed = parse(std::move(arguments));
  REQUIRE(parsed.invocation);
  return std::get<EnrollVm>(parsed.invocation->command);
}

nlohmann::json bodyOf(std::vector<std::string> arguments) {
  const auto request = requestOf(enrollOf(std::move(arguments)));
  CHECK(request.method == Request::Method::post);
  CHECK(request.target == "/api/v1/vms/web/enroll");
  return nlohmann::json::parse(request.body);
}

Transport answering(std::string body) {
  return [body](const Request&) -> Result<Reply> { return Reply{200, body}; };
}

std::string report(const std::string& token_file) {
  return nlohmann::json{{"vm_name", "web"}, {"dry_run", false}, {"fits", true},
                        {"changed", true},  {"remove", false},  {"token_file", token_file}}
      .dump();
}

}  // namespace

TEST_CASE("enroll asks for what its options say", "[commands]") {
  CHECK(bodyOf({"web"}) == nlohmann::json{{"dry_run", false}, {"remove", false}});
  CHECK(bodyOf({"web", "--dry-run", "--remove"}) ==
        nlohmann::json{{"dry_run", true}, {"remove", true}});
  CHECK(bodyOf({"web", "--tls", "192.0.2.1:8687"}) ==
        nlohmann::json{
            {"dry_run", false}, {"remove", false}, {"way", "tls"}, {"address", "192.0.2.1:8687"}});
  CHECK(bodyOf({"web", "--vsock"}) ==
        nlohmann::json{{"dry_run", false}, {"remove", false}, {"way", "vsock"}});
  CHECK(bodyOf({"web", "--vsock", "9000"})["address"] == "9000");
  CHECK(bodyOf({"web", "--next-start"})["next_start"] == true);
  CHECK(requestOf(ShowDoctor{}).target == "/api/v1/doctor");
}

TEST_CASE("options of enroll that do not go together are refused", "[commands]") {
  const std::vector<std::vector<std::string>> wrong{
      {"enroll"},
      {"enroll", "web", "--remove", "--vsock"},
      {"enroll", "web", "--remove", "--tls", "a:1"},
      {"enroll", "web", "--vsock", "1", "--tls", "a:1"},
      {"enroll", "web", "--show-token"},
      {"--output", "json", "enroll", "web", "--tls", "a:1", "--show-token"},
      {"--url", "http://h:1", "enroll", "web", "--tls", "a:1", "--show-token"}};
  for (const auto& arguments : wrong) {
    const auto parsed = parse(arguments);
    CHECK_FALSE(parsed.invocation);
    CHECK(parsed.exit_code == api::kUsage);
  }
}

TEST_CASE("a dry run that does not fit ends with 4, the doctor with 1 where it found an error",
          "[commands]") {
  const auto code = [](const Command& command, const char* body) {
    return ask(command, Output::table, answering(body), kNow).exit_code;
  };
  CHECK(code(EnrollVm{.vm = "web"}, R"({"fits":true})") == api::kDone);
  CHECK(code(EnrollVm{.vm = "web", .dry_run = true}, R"({"fits":false,"dry_run":true})") ==
        api::kRefused);
  constexpr auto kWarning = R"({"items":[{"severity":"warning"}]})";
  CHECK(code(ShowDoctor{}, R"({"items":[]})") == api::kDone);
  CHECK(code(ShowDoctor{}, kWarning) == api::kDone);
  CHECK(code(ShowDoctor{.strict = true}, kWarning) == api::kFailed);
  CHECK(code(ShowDoctor{}, R"({"items":[{"severity":"error"}]})") == api::kFailed);
}

TEST_CASE("a token is read from its file, and shown on a terminal only", "[commands]") {
  std::string folder = "/tmp/virtseer-cli-XXXXXX";
  REQUIRE(mkdtemp(folder.data()));
  const auto file = folder + "/x.token";
  std::ofstream(file) << "0123456789abcdef\n";
  const EnrollVm command{.vm = "web", .way = "tls", .address = "a:1", .show_token = true};

  const auto shown = enrollAndShowToken(command, answering(report(file)), kNow, true);
  CHECK(shown.exit_code == api::kDone);
  CHECK(shown.out.find("0123456789abcdef") != std::string::npos);

  const auto hidden = enrollAndShowToken(command, answering(report(file)), kNow, false);
  CHECK(hidden.exit_code == api::kUsage);
  CHECK((hidden.out + hidden.err).find("0123456789abcdef") == std::string::npos);

  const auto plain = ask(command, Output::table, answering(report(file)), kNow);
  CHECK(plain.out.find(file) != std::string::npos);
  CHECK(plain.out.find("0123456789abcdef") == std::string::npos);

  const auto missing = enrollAndShowToken(command, answering(report(folder + "/no")), kNow, true);
  CHECK_FALSE(missing.err.empty());
  std::filesystem::remove_all(folder);
}

}  // namespace virtseer::cli
