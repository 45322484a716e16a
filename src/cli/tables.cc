#include "cli/tables.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/text.h"
#include "cli/body.h"
#include "cli/columns.h"
#include "cli/units.h"

namespace virtseer::cli {
namespace {

/// "A of B", "A" where B is unknown.
std::string of(const std::string& part, const std::string& whole) {
  return whole == "-" ? part : fmt::format("{} / {}", part, whole);
}

/// Sum of what is known; nothing if neither is.
std::optional<double> sum(std::optional<double> a, std::optional<double> b) {
  if (!a && !b) return std::nullopt;
  return a.value_or(0) + b.value_or(0);
}

std::string labelsText(const Json& item) {
  const auto labels = pairs(item, {"labels"});
  return labels.empty() ? "-" : fmt::format("{}", fmt::join(labels, " "));
}

std::string stateText(const Json& vm) {
  const std::string state = shownText(vm, {"state"});
  return truth(vm, {"timed_out"}) ? state + "*" : state;
}

/// What its daemon says, or for how long it has said nothing.
std::string hostStateText(const Json& host, Timestamp now) {
  if (truth(host, {"answers"})) return truth(host, {"maintenance"}) ? "maintenance" : "answers";
  const auto heard = parseRfc3339(rawText(host, {"heard"}));
  if (!heard) return "never heard";
  return "silent for " + spanText(std::max(Millis(0), now - *heard));
}

/// Why those that are silent are so, a line each.
std::string silenceText(const std::vector<Json>& hosts) {
  std::string out;
  for (const Json& host : hosts)
    if (const auto error = rawText(host, {"error"}); !truth(host, {"answers"}) && !error.empty())
      out += fmt::format("{} does not answer: {}\n", shownText(host, {"name"}), printable(error));
  return out;
}

}  // namespace

Result<std::string> hostsTable(std::string_view hosts, Timestamp now, std::size_t room) {
  auto items = parseItems(hosts);
  if (!items) return fail(items.error());
  Columns table({{"HOST", Align::left, 18},
                 {"STATE"},
                 {"VMS", Align::right},
                 {"CPU", Align::right},
                 {"WAIT", Align::right},
                 {"MEMORY", Align::right},
                 {"CPU STALL", Align::right},
                 {"MEM STALL", Align::right},
                 {"IO STALL", Align::right}});
  for (const Json& host : *items)
    table.add({shownText(host, {"name"}), hostStateText(host, now),
               of(countText(number(host, {"usage", "vms_running"})),
                  countText(number(host, {"usage", "vms_total"}))),
               of(coresText(number(host, {"usage", "cpu_cores"})),
                  numberText(number(host, {"capacity", "cpus"}))),
               coresText(number(host, {"usage", "vms_cpu_delay_cores"})),
               of(bytesText(number(host, {"usage", "memory_used_bytes"})),
                  bytesText(number(host, {"capacity", "memory_bytes"}))),
               percentText(number(host, {"usage", "pressure_cpu_ratio"})),
               percentText(number(host, {"usage", "pressure_memory_ratio"})),
               percentText(number(host, {"usage", "pressure_io_ratio"}))});
  return table.empty() ? "No hosts.\n" : table.text(room) + silenceText(*items);
}

Result<std::string> vmsTable(std::string_view vms, std::size_t room) {
  auto items = parseItems(vms);
  if (!items) return fail(items.error());
  Columns table({{"VM", Align::left, 22},
                 {"STATE"},
                 {"CPU", Align::right},
                 {"WAIT", Align::right},
                 {"MEMORY", Align::right},
                 {"DISK", Align::right},
                 {"NETWORK", Align::right},
                 {"AGENT"}});
  for (const Json& vm : *items)
    table.add({shownText(vm, {"name"}), stateText(vm),
               of(coresText(number(vm, {"usage", "cpu_cores"})), numberText(number(vm, {"vcpus"}))),
               coresText(number(vm, {"usage", "cpu_delay_cores"})),
               of(bytesText(number(vm, {"usage", "memory_used_bytes"})),
                  bytesText(number(vm, {"memory_bytes"}))),
               bytesPerSecondText(sum(number(vm, {"usage", "disk_read_bytes_per_second"}),
                                      number(vm, {"usage", "disk_write_bytes_per_second"}))),
               bytesPerSecondText(sum(number(vm, {"usage", "network_receive_bytes_per_second"}),
                                      number(vm, {"usage", "network_transmit_bytes_per_second"}))),
               shownText(vm, {"agent", "state"})});
  if (table.empty()) return "No VMs.\n";
  const bool stale =
      std::ranges::any_of(*items, [](const Json& vm) { return truth(vm, {"timed_out"}); });
  return table.text(room) +
         (stale ? "* busy: the hypervisor's figures are the last known ones\n" : "");
}

Result<std::string> seriesNamesTable(std::string_view names, std::size_t room) {
  auto items = parseItems(names);
  if (!items) return fail(items.error());
  Columns table({{"METRIC", Align::left, 64}, {"SOURCE"}, {"KIND"}, {"LAST (UTC)"}, {"LABELS"}});
  for (const Json& name : *items)
    table.add({shownText(name, {"metric"}), shownText(name, {"source"}), shownText(name, {"kind"}),
               timeText(rawText(name, {"last"})), labelsText(name)});
  return table.empty() ? "No series.\n" : table.text(room);
}

Result<std::string> seriesTable(std::string_view series) {
  auto items = parseItems(series);
  if (!items) return fail(items.error());
  const auto whole = parseObject(series);
  std::string out;
  for (const Json& one : *items) {
    out += fmt::format("{}{} ({})  {}\n", out.empty() ? "" : "\n", shownText(one, {"metric"}),
                       shownText(one, {"source"}), printable(labelsText(one)));
    Columns table({{"TIME (UTC)"}, {"VALUE", Align::right}});
    const Json* points = at(one, {"points"});
    if (points && points->is_array())
      for (const Json& point : *points)
        table.add({shownText(point, {"time"}), numberText(number(point, {"value"}))});
    out += table.text();
  }
  if (items->empty()) out = "No points.\n";
  if (truth(*whole, {"truncated"}))
    out += "Not all points: ask for a shorter time or a longer --step.\n";
  if (const auto damaged = number(*whole, {"damaged_chunks"}); damaged && *damaged > 0)
    out += fmt::format("{} pieces of the store are damaged: their points are missing.\n",
                       countText(damaged));
  return out;
}

Result<std::string> eventsTable(std::string_view events, std::size_t room) {
  auto items = parseItems(events);
  if (!items) return fail(items.error());
  std::ranges::reverse(*items);
  Columns table(
      {{"TIME (UTC)"}, {"LEVEL"}, {"KIND", Align::left, 28}, {"OF", Align::left, 36}, {"MESSAGE"}});
  for (const Json& event : *items) {
    const std::string name = rawText(event, {"entity_name"});
    table.add({timeText(rawText(event, {"time"})), shownText(event, {"severity"}),
               shownText(event, {"kind"}), name.empty() ? shownText(event, {"entity"}) : name,
               rawText(event, {"message"})});
  }
  const auto whole = parseObject(events);
  const std::string next = whole ? rawText(*whole, {"next"}) : "";
  if (next.empty()) return table.empty() ? "No events.\n" : table.text(room);
  return fmt::format("{}Older events: --before {}\n",
                     table.empty() ? "None among the newest.\n" : table.text(room),
                     printable(next));
}

Result<std::string> loadText(std::string_view accepted, std::string_view vm, Millis duration) {
  auto body = parseObject(accepted);
  if (!body) return fail(body.error());
  const std::string order = countText(number(*body, {"id"}));
  if (duration == Millis(0))
    return fmt::format("{} stops its load (order {}).\n", printable(vm), order);
  return fmt::format("{} works for {} (order {}).\n", printable(vm), spanText(duration), order);
}

}  // namespace virtseer::cli
