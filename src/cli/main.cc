#include "cli/main.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <thread>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/follow.h"
#include "daemon/config.h"
#include "daemon/run.h"
#include "virtseer/api/exit_codes.h"

namespace virtseer::cli {
namespace {

Outcome runDaemon(const RunDaemon& command) {
  auto loaded = loadConfig(command.config);
  if (loaded.faults.empty()) return {daemon::runDaemon(std::move(loaded.config)), "", ""};
  std::string faults;
  for (const ConfigFault& fault : loaded.faults) faults += text(fault) + "\n";
  return {api::kUsage, "", faults + "virtseer: not started\n"};
}

std::size_t columnsOf(int terminal) {
  winsize size{};
  const bool known = isatty(terminal) != 0 && ioctl(terminal, TIOCGWINSZ, &size) == 0;
  return known && size.ws_col > 0 ? size.ws_col : kNoLimit;
}

bool print(std::string_view text, std::FILE* to) {
  return std::fwrite(text.data(), 1, text.size(), to) == text.size() && std::fflush(to) == 0;
}

Outcome execute(const Invocation& invocation) {
  const Command& command = invocation.command;
  if (const auto* run = std::get_if<RunDaemon>(&command)) return runDaemon(*run);
  if (const auto* check = std::get_if<CheckConfig>(&command))
    return checkConfig(*check, invocation.output);
  if (const auto* show = std::get_if<ShowConfig>(&command))
    return showConfig(*show, invocation.output);
  if (const auto* build = std::get_if<BuildAppliance>(&command))
    return buildAppliance(*build, invocation.output);
  const auto transport = [&](const Request& request) {
    return exchange(invocation.connection, request);
  };
  const SystemClock clock;
  const std::size_t room = columnsOf(STDOUT_FILENO);
  if (const auto* move = std::get_if<MigrateVm>(&command); move && move->wait)
    return migrateAndFollow(*move, invocation.output, transport,
                            {.clock = clock,
                             .pause = [](Millis span) { std::this_thread::sleep_for(span); },
                             .say = [](std::string_view text) { print(text, stderr); },
                             .terminal = isatty(STDERR_FILENO) != 0,
                             .columns = columnsOf(STDERR_FILENO)},
                            room);
  if (const auto* enroll = std::get_if<EnrollVm>(&command); enroll && enroll->show_token)
    return enrollAndShowToken(*enroll, transport, clock.wall(), isatty(STDOUT_FILENO) != 0, room);
  return ask(command, invocation.output, transport, clock.wall(), room);
}

}  // namespace

int run(int argc, char** argv) {
  try {
    Parsed parsed = parse({argv + (argc > 0 ? 1 : 0), argv + argc});
    const Outcome outcome = parsed.invocation ? execute(*parsed.invocation)
                                              : Outcome{parsed.exit_code, parsed.out, parsed.err};
    print(outcome.err, stderr);
    if (print(outcome.out, stdout)) return outcome.exit_code;
    std::fputs("virtseer: standard output cannot be written\n", stderr);
  } catch (const std::exception& error) {
    fmt::print(stderr, "virtseer: {}\n", printable(error.what()));
  }
  return api::kFailed;
}

}  // namespace virtseer::cli
