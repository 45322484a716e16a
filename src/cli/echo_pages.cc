#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/text.h"
#include "cli/body.h"
#include "cli/echo_tables.h"
#include "cli/page.h"
#include "cli/units.h"

namespace virtseer::cli {
namespace {

/// What metrics are about, by the word behind guest_, in the order in which it is shown.
struct Subject {
  std::string_view title;
  std::array<std::string_view, 8> words;
};
constexpr std::array<Subject, 9> kSubjects{{
    {"processors", {"cpu", "load1", "load5", "load15", "interrupts", "context", "uptime", "boot"}},
    {"stalls", {"pressure"}},
    {"memory", {"memory", "swap", "page", "oom", "numa", "hugepages", "slab", "vm"}},
    {"disks and file systems", {"disk", "filesystem", "block", "file"}},
    {"network", {"network", "tcp", "udp", "socket", "sockets", "conntrack", "ip", "icmp"}},
    {"processes", {"processes", "process", "procs", "group", "fork", "forks", "threads"}},
    {"log entries, crashes, units", {"log", "unit", "units", "crash", "kernel", "kmsg"}},
    {"eBPF", {"ebpf", "syscall", "syscalls", "runqueue", "service", "library"}},
    {"the agent itself", {"agent", "echo"}},
}};
constexpr std::string_view kOther = "applications and others";

std::string_view subjectOf(std::string_view metric) {
  constexpr std::string_view kGuest = "guest_";
  if (metric.starts_with(kGuest)) metric.remove_prefix(kGuest.size());
  const auto word = metric.substr(0, metric.find('_'));
  for (const Subject& subject : kSubjects)
    if (!word.empty() && std::ranges::find(subject.words, word) != subject.words.end())
      return subject.title;
  return kOther;
}

std::string labelsOf(const Json& value) {
  return fmt::format("{}", fmt::join(pairs(value, {"labels"}), " "));
}

Columns valuesTable() {
  return Columns(
      {{"METRIC", Align::left, 48}, {"VALUE", Align::right}, {"NOW", Align::right}, {"LABELS"}});
}

void addValue(Columns& table, const Json& value) {
  const std::string metric = rawText(value, {"metric"});
  const bool counter = rawText(value, {"kind"}) == "counter";
  table.add({metric, measureText(metric, number(value, {"value"})),
             counter ? rateText(metric, number(value, {"rate_per_second"})) : "", labelsOf(value)});
}

void values(Page& page, const Json& echo, std::size_t room) {
  std::map<std::string_view, Columns> tables;
  for (const Json& value : objects(echo, {"values"})) {
    const auto subject = subjectOf(rawText(value, {"metric"}));
    addValue(tables.try_emplace(subject, valuesTable()).first->second, value);
  }
  for (const Subject& subject : kSubjects)
    if (const auto found = tables.find(subject.title); found != tables.end())
      page.table(subject.title, found->second, room);
  if (const auto found = tables.find(kOther); found != tables.end())
    page.table(kOther, found->second, room);
}

/// The name of a column as a heading.
std::string heading(std::string name) {
  for (char& c : name) c = c == '_' ? ' ' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return name;
}

std::string cellText(const std::string& column, const Json& cell) {
  if (cell.is_number()) return measureText(column, cell.get<double>());
  return cell.is_string() ? cell.get<std::string>() : "-";
}

/// Columns of numbers stand to the right.
Columns rowsTable(const Json& table) {
  const auto names = texts(table, {"columns"});
  const Json* rows = at(table, {"rows"});
  const bool any = rows != nullptr && rows->is_array();
  std::vector<Columns::Header> headers;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto wordless = [&](const Json& row) {
      return row.is_array() && row.size() == names.size() && !row[i].is_string();
    };
    const bool numbers = any && std::all_of(rows->begin(), rows->end(), wordless);
    headers.push_back({heading(printable(names[i])), numbers ? Align::right : Align::left});
  }
  Columns out(std::move(headers));
  if (!any) return out;
  for (const Json& row : *rows) {
    if (!row.is_array() || row.size() != names.size()) continue;
    std::vector<std::string> cells;
    for (std::size_t i = 0; i < names.size(); ++i) cells.push_back(cellText(names[i], row[i]));
    out.add(std::move(cells));
  }
  return out;
}

void guestTables(Page& page, const Json& echo, Timestamp now, std::size_t room) {
  const Json* tables = at(echo, {"tables"});
  if (tables == nullptr || !tables->is_object()) return;
  for (const auto& [name, table] : tables->items()) {
    const std::string title =
        fmt::format("table {}, {}", printable(name), agoText(rawText(table, {"time"}), now));
    const Columns rows = rowsTable(table);
    if (rows.empty()) {
      page.heading(title);
      page.item("nothing");
    }
    page.table(title, rows, room);
  }
}

void happenings(Page& page, const Json& echo, std::size_t room) {
  Columns table({{"TIME (UTC)"}, {"LEVEL"}, {"KIND", Align::left, 28}, {"MESSAGE"}});
  auto events = objects(echo, {"happenings"});
  std::ranges::reverse(events);
  for (const Json& event : events)
    table.add({timeText(rawText(event, {"time"})), shownText(event, {"severity"}),
               rawText(event, {"kind"}), rawText(event, {"message"})});
  page.table("what happened last", table, room);
}

void sources(Page& page, const Json& echo) {
  const Json* sources = at(echo, {"sources"});
  if (sources == nullptr || !sources->is_object() || sources->empty()) return;
  page.heading("sources");
  for (const auto& [name, state] : sources->items())
    page.line(printable(name), printable(state.is_string() ? state.get<std::string>() : "-"));
}

void cost(Page& page, const Json& echo) {
  const Json* cost = at(echo, {"cost"});
  if (cost == nullptr || !cost->is_object()) return;
  std::vector<std::string> parts;
  for (const auto& [name, value] : cost->items()) {
    if (!value.is_number()) continue;
    if (name == "cpu_seconds_per_second")
      parts.push_back(fmt::format("{:.3f} % of a core", value.get<double>() * 100));
    else
      parts.push_back(
          fmt::format("{} {}", printable(name), measureText(name, value.get<double>())));
  }
  if (!parts.empty()) page.line("costs", fmt::format("{}", fmt::join(parts, ", ")));
}

std::string said(const Json& whole, const char* member) {
  const Json* own = at(whole, {"own", member});
  return own != nullptr && !own->is_null() ? " (said of this VM)" : " (configuration)";
}

}  // namespace

Result<std::string> echoText(std::string_view body, Timestamp now, std::size_t room) {
  const auto echo = parseObject(body);
  if (!echo) return fail(echo.error());
  Page page(shownText(*echo, {"vm_name"}));
  const auto interval = number(*echo, {"interval_ms"});
  page.line("last echo",
            fmt::format("{}, number {}, one every {}", agoText(rawText(*echo, {"time"}), now),
                        countText(number(*echo, {"sequence"})), millisText(interval)));
  page.line("agent", shownText(*echo, {"agent_version"}));
  cost(page, *echo);
  sources(page, *echo);
  values(page, *echo, room);
  guestTables(page, *echo, now, room);
  happenings(page, *echo, room);
  return page.take();
}

Result<std::string> guestTableText(std::string_view body, Timestamp now, std::size_t room) {
  const auto table = parseObject(body);
  if (!table) return fail(table.error());
  const Columns rows = rowsTable(*table);
  return fmt::format("{} of {}, {}\n{}", shownText(*table, {"name"}),
                     shownText(*table, {"vm_name"}), agoText(rawText(*table, {"time"}), now),
                     rows.empty() ? "nothing\n" : rows.text(room));
}

Result<std::string> collectionText(std::string_view body) {
  const auto whole = parseObject(body);
  if (!whole) return fail(whole.error());
  const auto collectors = texts(*whole, {"collectors"});
  Page page(shownText(*whole, {"vm_name"}));
  page.line("an echo every",
            millisText(number(*whole, {"interval_ms"})) + said(*whole, "interval_ms"));
  page.line("processes",
            countText(number(*whole, {"top_processes"})) + said(*whole, "top_processes"));
  page.line("collectors",
            printable(fmt::format("{}", fmt::join(collectors, ", "))) + said(*whole, "collectors"));
  page.line("agent", truth(*whole, {"connected"}) ? "connected: it was told"
                                                  : "not connected: it is told when it connects");
  return page.take();
}

}  // namespace virtseer::cli
