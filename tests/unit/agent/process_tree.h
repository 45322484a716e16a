#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>

#include "agent/sources/processes.h"
#include "tree.h"

namespace virtseer::agent {

/// A guest of made-up processes, with a clock that the test sets. A tick is 10 ms.
class Guest {
 public:
  struct One {
    std::string name = "worker";
    int parent = 2;
    std::uint64_t cpu_ticks = 0, children_ticks = 0;
    std::uint64_t start_ticks = 100;
    std::uint64_t pages = 10;
    char state = 'S';
    bool of_kernel = false;
    std::string cgroup = {};
    std::uint64_t read = 0, written = 0;
    bool has_io = true;
    int user = 0;
  };

  Guest() { at(1000); }

  /// Sets the guest's uptime, and the CPU time that its processors spent on processes.
  void at(std::int64_t seconds, std::uint64_t busy_ticks = 0) {
    seconds_ = seconds;
    tree.write("proc/uptime", std::to_string(seconds) + ".00 5.00\n");
    tree.write("proc/stat", "cpu  " + std::to_string(busy_ticks) + " 0 0 77 0 0 0 0 0 0\n");
  }
  std::int64_t nowMs() const { return seconds_ * 1000; }

  void put(int pid, const One& one) const {
    const std::string path = "proc/" + std::to_string(pid) + "/";
    tree.write(path + "stat", statText(pid, one));
    tree.write(path + "cgroup", one.cgroup.empty() ? "0::/\n" : one.cgroup);
    tree.write(path + "status", "Name:\tx\nUid:\t0\t" + std::to_string(one.user) + "\t0\t0\n");
    if (one.has_io)
      tree.write(path + "io", "rchar: 1\nread_bytes: " + std::to_string(one.read) +
                                  "\nwrite_bytes: " + std::to_string(one.written) +
                                  "\ncancelled_write_bytes: 0\n");
  }
  void remove(int pid) const {
    std::filesystem::remove_all(tree.root() + "/proc/" + std::to_string(pid));
  }

  static std::string statText(int pid, const One& one) {
    const auto text = [](std::uint64_t number) { return std::to_string(number); };
    return std::to_string(pid) + " (" + one.name + ") " + one.state + " " +
           std::to_string(one.parent) + " 1 1 0 -1 " + (one.of_kernel ? "2129984" : "4194304") +
           " 1 2 3 4 " + text(one.cpu_ticks) + " 0 " + text(one.children_ticks) + " 0 20 0 3 0 " +
           text(one.start_ticks) + " 12345 " + text(one.pages) + " 18446744073709551615 0 0 0 0\n";
  }

  /// That of a unit.
  static std::string unit(const std::string& name) { return "0::/system.slice/" + name + "\n"; }

  Tree tree;

 private:
  std::int64_t seconds_ = 0;
};

/// column -> cell of a row, in words.
using TableRow = std::map<std::string, std::string>;

inline std::string cellText(const echo::Cell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell)) return *text;
  if (const auto* number = std::get_if<double>(&cell)) {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%.15g", *number);
    return digits;
  }
  return "absent";
}

/// The rows of the table of processes, by pid.
inline std::map<int, TableRow> processRows(const echo::Report& report) {
  std::map<int, TableRow> rows;
  for (const echo::Table& table : report.tables) {
    if (table.name != "processes") continue;
    for (std::size_t row = 0; row < table.rows(); ++row) {
      TableRow cells;
      for (std::size_t i = 0; i < table.columns.size(); ++i)
        cells[table.columns[i]] = cellText(table.cells[row * table.columns.size() + i]);
      rows[std::stoi(cells.at("pid"))] = cells;
    }
  }
  return rows;
}

}  // namespace virtseer::agent
