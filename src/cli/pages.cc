#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

#include "base/text.h"
#include "cli/body.h"
#include "cli/columns.h"
#include "cli/page.h"
#include "cli/tables.h"
#include "cli/units.h"

namespace virtseer::cli {
namespace {

std::string atMost(const std::string& value, const std::string& most) {
  return most == "-" || most == value ? value : fmt::format("{} of at most {}", value, most);
}

std::string cores(std::optional<double> count) {
  return count ? coresText(count) + " cores" : "-";
}

std::string readAndWritten(std::string_view first, const std::string& in, std::string_view second,
                           const std::string& out) {
  return fmt::format("{} {}, {} {}", first, in, second, out);
}

void identity(Page& page, const Json& vm, Timestamp now) {
  page.line("uuid", shownText(vm, {"uuid"}));
  page.line("host", shownText(vm, {"host_name"}));
  page.line("environment", shownText(vm, {"environment"}));
  page.line("state", fmt::format("{}, {}, {}", shownText(vm, {"state"}),
                                 truth(vm, {"persistent"}) ? "persistent" : "transient",
                                 truth(vm, {"autostart"}) ? "autostart" : "no autostart"));
  page.line("role", shownText(vm, {"role"}));
  page.line("vCPUs",
            atMost(numberText(number(vm, {"vcpus"})), numberText(number(vm, {"vcpus_maximum"}))));
  page.line("memory", atMost(bytesText(number(vm, {"memory_bytes"})),
                             bytesText(number(vm, {"memory_maximum_bytes"}))));
  page.line("last seen", agoText(rawText(vm, {"last_seen"}), now));
  if (truth(vm, {"timed_out"}))
    page.line("note", "busy: the hypervisor's figures are the last known ones");
}

void agent(Page& page, const Json& vm, Timestamp now) {
  page.heading("agent");
  const std::string reason = rawText(vm, {"agent", "reason"}),
                    version = rawText(vm, {"agent", "version"});
  std::string state = shownText(vm, {"agent", "state"});
  if (!reason.empty()) state += ": " + printable(reason);
  if (!version.empty()) state += fmt::format(" (version {})", printable(version));
  page.line("state", state);
  if (const auto caller = rawText(vm, {"agent", "caller"}); !caller.empty())
    page.line("calls from", printable(caller));
  if (!number(vm, {"agent", "epoch"})) return;
  const auto interval = number(vm, {"agent", "interval_ms"});
  page.line(
      "last echo",
      fmt::format("{}, number {}, one every {}", agoText(rawText(vm, {"agent", "last_echo"}), now),
                  countText(number(vm, {"agent", "sequence"})),
                  secondsText(interval ? std::optional(*interval / 1000) : std::nullopt)));
  page.line("echoes", fmt::format("{} taken, {} double, {} lost, {} faulty",
                                  countText(number(vm, {"agent", "echoes"})),
                                  countText(number(vm, {"agent", "duplicates"})),
                                  countText(number(vm, {"agent", "lost"})),
                                  countText(number(vm, {"agent", "faults"}))));
  std::vector<std::string> on;
  const Json* sources = at(vm, {"agent", "sources"});
  if (sources && sources->is_object())
    for (const auto& [name, why] : sources->items()) {
      const std::string text = why.is_string() ? why.get<std::string>() : why.dump();
      if (text == "on")
        on.push_back(printable(name));
      else
        page.line("without", fmt::format("{}: {}", printable(name), printable(text)));
    }
  if (!on.empty()) page.line("sources", fmt::format("{}", fmt::join(on, ", ")));
}

void usage(Page& page, const Json& vm) {
  const auto use = [&](const char* field) { return number(vm, {"usage", field}); };
  const auto stall = [&](const char* field) { return percentText(use(field)); };
  page.heading(fmt::format("seen from outside, over {}", secondsText(use("window_seconds"))));
  page.line("CPU", cores(use("cpu_cores")));
  page.line("waits for CPU", cores(use("cpu_delay_cores")));
  page.line("memory held", bytesText(use("memory_rss_bytes")));
  page.heading("seen from inside");
  page.line("CPU", cores(use("guest_cpu_cores")));
  page.line("memory",
            fmt::format("{} used of {}, swap {}", bytesText(use("memory_used_bytes")),
                        bytesText(use("memory_total_bytes")), bytesText(use("swap_used_bytes"))));
  page.line("stalled", fmt::format("CPU {}, memory {}, I/O {}", stall("pressure_cpu_ratio"),
                                   stall("pressure_memory_ratio"), stall("pressure_io_ratio")));
  if (use("work_units_per_second"))
    page.line("work", fmt::format("{} units/s", numberText(use("work_units_per_second"))));
  page.heading("disk and network, from inside where the agent tells");
  page.line("disk",
            readAndWritten("read", bytesPerSecondText(use("disk_read_bytes_per_second")), "write",
                           bytesPerSecondText(use("disk_write_bytes_per_second"))));
  page.line("disk latency",
            readAndWritten("read", secondsText(use("disk_read_latency_seconds")), "write",
                           secondsText(use("disk_write_latency_seconds"))));
  page.line(
      "network",
      readAndWritten("receive", bytesPerSecondText(use("network_receive_bytes_per_second")),
                     "transmit", bytesPerSecondText(use("network_transmit_bytes_per_second"))));
}

void guest(Page& page, const Json& vm) {
  const Json* told = at(vm, {"guest"});
  if (!told || !told->is_object()) return;
  page.heading("told by qemu-guest-agent");
  page.line("system", shownText(*told, {"os"}));
  page.line("kernel", shownText(*told, {"kernel"}));
  page.line("hostname", shownText(*told, {"hostname"}));
  if (const auto offset = number(*told, {"clock_offset_seconds"}))
    page.line("clock", fmt::format("{} {} the host's", secondsText(std::abs(*offset)),
                                   *offset < 0 ? "behind" : "ahead of"));
  for (const Json& filesystem : objects(*told, {"filesystems"}))
    page.line(
        "file system",
        fmt::format("{} ({}): {} used of {}", shownText(filesystem, {"mountpoint"}),
                    shownText(filesystem, {"type"}), bytesText(number(filesystem, {"used_bytes"})),
                    bytesText(number(filesystem, {"total_bytes"}))));
}

void inputs(Page& page, const Json& vm) {
  page.heading("inputs");
  const auto present = texts(vm, {"inputs"});
  page.line("present",
            present.empty() ? "none" : printable(fmt::format("{}", fmt::join(present, ", "))));
  for (const std::string& missing : texts(vm, {"missing_inputs"}))
    page.line("missing", printable(missing));
}

void environment(Page& page, const Json& item, Timestamp now) {
  const std::string since = rawText(item, {"since"});
  std::string state = truth(item, {"connected"}) ? "connected" : "NOT CONNECTED";
  if (!since.empty()) state += ", since " + agoText(since, now);
  if (const std::string error = rawText(item, {"error"}); !error.empty())
    state += ": " + printable(error);
  page.line(shownText(item, {"uri"}), state);
  page.line("", fmt::format("{} reconnects, {} calls timed out, {} stuck",
                            countText(number(item, {"reconnects"})),
                            countText(number(item, {"calls_timed_out"})),
                            countText(number(item, {"calls_stuck"}))));
}

void store(Page& page, const Json& health) {
  const auto count = [&](const char* field) { return countText(number(health, {"store", field})); };
  const std::string error = rawText(health, {"store", "error"});
  page.heading("store");
  page.line("state", (truth(health, {"store", "open"}) ? "open" : "NOT OPEN") +
                         (error.empty() ? std::string() : ": " + printable(error)));
  page.line("holds",
            fmt::format("{} series in {} streams, {} on disk, {} in the journal", count("series"),
                        count("streams"), bytesText(number(health, {"store", "disk_bytes"})),
                        bytesText(number(health, {"store", "journal_bytes"}))));
  page.line("taken", fmt::format("{} rows, {} samples; dropped {} late, {} overflown; {} damaged",
                                 count("rows"), count("samples"), count("late_rows"),
                                 count("overflow_rows"), count("damaged")));
}

}  // namespace

Result<std::string> vmText(std::string_view body, Timestamp now) {
  const auto vm = parseObject(body);
  if (!vm) return fail(vm.error());
  Page page(shownText(*vm, {"name"}));
  identity(page, *vm, now);
  agent(page, *vm, now);
  usage(page, *vm);
  guest(page, *vm);
  inputs(page, *vm);
  return page.take();
}

Result<std::string> statusText(std::string_view body, Timestamp now) {
  const auto health = parseObject(body);
  if (!health) return fail(health.error());
  const auto problems = texts(*health, {"problems"});
  Page page(problems.empty() ? "virtseer is well"
                             : fmt::format("virtseer is degraded, problems: {}", problems.size()));
  for (const std::string& problem : problems) page.item(printable(problem));
  page.heading("daemon");
  page.line("version", shownText(*health, {"version"}));
  page.line("started", agoText(rawText(*health, {"started"}), now));
  if (at(*health, {"automation"}) && !truth(*health, {"automation"}))
    page.line("automation", "off: nothing is moved by itself, see virtseer automation");
  if (truth(*health, {"maintenance"}))
    page.line("maintenance", "on: this host takes no VM and gives up its own");
  page.line("uses", fmt::format("{} of CPU time, {} of memory",
                                secondsText(number(*health, {"cpu_seconds"})),
                                bytesText(number(*health, {"rss_bytes"}))));
  page.line("loop lag",
            secondsText(number(*health, {"loop_lag_seconds_max"})) + " at most in the last minute");
  page.line("dropped", fmt::format("{} events; refused {} requests",
                                   countText(number(*health, {"events_dropped"})),
                                   countText(number(*health, {"requests_refused"}))));
  page.line("missed", fmt::format("{} rounds of statistics, {} values, {} links begun again",
                                  countText(number(*health, {"collect", "missed_beats"})),
                                  countText(number(*health, {"collect", "refused_values"})),
                                  countText(number(*health, {"collect", "link_failures"}))));
  page.heading("environments");
  const Json* environments = at(*health, {"environments"});
  if (environments && environments->is_array())
    for (const Json& item : *environments) environment(page, item, now);
  page.heading("agents");
  const auto echo = [&](const char* field) { return countText(number(*health, {"echo", field})); };
  page.line("connected", echo("agents_connected"));
  page.line("echoes", fmt::format("{} double, {} lost, {} faulty", echo("duplicates"), echo("lost"),
                                  echo("faults")));
  store(page, *health);
  return page.take();
}

}  // namespace virtseer::cli
