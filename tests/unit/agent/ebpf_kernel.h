#pragma once

#include <poll.h>
#include <sys/wait.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "agent/source.h"
#include "support/stimulus.h"
#include "tree.h"

/// What the tests need to try the programs on the running kernel.
namespace virtseer::agent {

using virtseer::ebpf::bpfDescriptors;
using virtseer::ebpf::monoSeconds;
using virtseer::ebpf::SharedNumber;
using virtseer::ebpf::Stimulus;

/// The source with its programs loaded and attached.
class RunningEbpf {
 public:
  /// `avoided`: programs to do without, as on kernels that lack what they need.
  explicit RunningEbpf(const Config& config = {}, std::vector<std::string> avoided = {})
      : reader_(makeEbpfSource(config, std::move(avoided)), std::string()) {
    load();
  }
  RunningEbpf(const RunningEbpf&) = delete;
  RunningEbpf& operator=(const RunningEbpf&) = delete;
  /// Reaps the loader, which has ended: another test may wait for any child.
  ~RunningEbpf() {
    while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
    }
  }

  void load() {
    while (source().trouble() == "programs are being loaded") {
      attend(1000);
      source().attend();  // a loader that says nothing is given up in time
    }
    REQUIRE_THAT(source().trouble(), !Catch::Contains("loader"));
  }
  /// Lets the source do what it does between rounds, for as long as nothing happens or `wait_ms`.
  void attend(int wait_ms) {
    pollfd watched{source().eventFd(), POLLIN, 0};
    if (::poll(&watched, 1, wait_ms) > 0) source().attend();
  }
  void attendFor(double seconds) {
    for (const double until = monoSeconds() + seconds; monoSeconds() < until;)
      attend(std::max(1, static_cast<int>((until - monoSeconds()) * 1000)));
  }
  /// Lets the programs save up what the next events take, so that they need not pause for them. The
  /// last two reads are a tenth of a second apart.
  Reading rest() {
    attendFor(1);
    read();
    attendFor(0.1);
    return read();
  }
  Reading read() {
    const double begin = monoSeconds();
    Reading reading = reader_.read(static_cast<std::int64_t>(begin * 1000));
    const double end = monoSeconds();
    shortest_ = begin - end_;
    longest_ = end - begin_;
    begin_ = begin;
    end_ = end;
    before_ = std::exchange(last_, reading);
    return reading;
  }
  /// Whether what the last read told of this part is exact. Programs that pause, for what else the
  /// machine does, tell of the pause after they have opened again: the read before must be whole
  /// too.
  bool isExact(const std::string& part) const {
    const auto is_whole = [&](const Reading& reading) {
      const auto ratio = reading.find("guest_ebpf_duty_ratio{part=" + part + "}");
      return ratio != reading.end() && ratio->second == 1;
    };
    return is_whole(before_) && is_whole(last_);
  }
  /// Fails unless something exact was `told` of this part, or its programs had to pause all the
  /// time: on a machine that has much else for them, or is slow, they spend what they may.
  void checkTold(bool told, const std::string& part) const {
    constexpr double kMuch = 0.0002;  // of a core; no part may spend twice this without pausing
    const auto cost = last_.find("guest_ebpf_cost_seconds_total{part=" + part + "}");
    const double spent = cost == last_.end() ? 0 : cost->second / (end_ - start_);
    if (!told && spent > kMuch)
      WARN("the programs of " << part << " took " << spent << " of a core: nothing was exact");
    else
      CHECK(told);
  }
  /// Whether a rate that the last read told is that of so many events since the one before. When
  /// within a read the source looked at its clock is not known: a busy machine may have had it
  /// wait.
  bool tells(double rate, double events) const {
    constexpr double kTolerance = 0.03;
    UNSCOPED_INFO(rate << " a second, in " << shortest_ << " to " << longest_ << " seconds");
    return rate * shortest_ <= events * (1 + kTolerance) &&
           rate * longest_ >= events * (1 - kTolerance);
  }
  Source& source() { return reader_.source(); }
  bool has(const std::string& part) {
    return source().trouble().find(part + ":") == std::string::npos;
  }

  const echo::Table* table(const std::string& name) const {
    for (const echo::Table& table : reader_.report().tables)
      if (table.name == name) return &table;
    return nullptr;
  }
  /// The cells of the row of table `name` that has `value` in each of these columns.
  std::map<std::string, echo::Cell> row(const std::string& name,
                                        const std::map<std::string, echo::Cell>& where) const {
    const echo::Table* found = table(name);
    for (std::size_t i = 0; found != nullptr && i < found->rows(); ++i) {
      std::map<std::string, echo::Cell> row;
      for (std::size_t j = 0; j < found->columns.size(); ++j)
        row[found->columns[j]] = found->cells[i * found->columns.size() + j];
      bool fits = true;
      for (const auto& [column, cell] : where) fits &= row[column] == cell;
      if (fits) return row;
    }
    return {};
  }

 private:
  Reader reader_;
  Reading before_;
  Reading last_;
  double start_ = monoSeconds();
  double begin_ = 0;  ///< of the last read
  double end_ = 0;
  double shortest_ = 0;  ///< between the last two
  double longest_ = 0;
};

inline double numberIn(const std::map<std::string, echo::Cell>& row, const std::string& column) {
  const auto cell = row.find(column);
  if (cell == row.end()) return -1;
  const auto* number = std::get_if<double>(&cell->second);
  return number == nullptr ? -1 : *number;
}

}  // namespace virtseer::agent
