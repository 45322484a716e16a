#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/source.h"
#include "ebpf/boards.h"
#include "ebpf/duty.h"
#include "ebpf/histogram.h"

namespace virtseer::agent::ebpf {

using namespace virtseer::ebpf;

/// What one part counted, made into what a round tells. Lives as long as the source: its counters
/// go on when the programs are loaded anew.
class Account {
 public:
  virtual ~Account() = default;
  /// The programs were loaded anew and have counted nothing.
  virtual void restart(const Loaded& loaded) = 0;
  /// Takes what was counted since the last call, and what it stands for; a factor of 0 forgets it.
  void count(const Boards& boards, const Duty::Taken& taken) {
    add(boards, taken.factor);
    seconds_ += taken.seconds;
  }
  /// Tells the counters, and the tables where anything was counted since the last call.
  void tell(Round& round) {
    tellCounters(round);
    if (const double seconds = std::exchange(seconds_, 0); seconds > 0) tellTable(round, seconds);
  }

 private:
  virtual void add(const Boards& boards, double factor) = 0;
  virtual void tellCounters(Round& round) = 0;
  /// What was added since the last call is that of so many seconds.
  virtual void tellTable(Round& round, double seconds) { (void)round, (void)seconds; }

  double seconds_ = 0;
};

std::unique_ptr<Account> makeSyscallAccount();
std::unique_ptr<Account> makeSchedAccount();
std::unique_ptr<Account> makeBlockAccount();
std::unique_ptr<Account> makeConnectionAccount();
std::unique_ptr<Account> makeServiceAccount();
std::unique_ptr<Account> makeLibraryAccount(const std::vector<Config::Uprobe>& uprobes);

/// How many rows a table of this source has at most.
inline constexpr std::size_t kRows = 32;

/// Three significant digits: what a rate or a time that was sampled is worth.
double rounded(double value);

/// The text of a name of the kernel's, which may fill its place.
inline std::string_view nameIn(const char (&bytes)[bpf::NAME_BYTES]) {
  std::size_t length = 0;
  while (length < sizeof bytes && bytes[length] != 0) ++length;
  return {bytes, length};
}

/// The kernel may leave remains of an older name after the end of one: they tell no keys apart.
inline void endName(char (&bytes)[bpf::NAME_BYTES]) {
  const std::size_t length = nameIn(bytes).size();
  std::fill(bytes + length, bytes + sizeof bytes, '\0');
}

/// Takes the entries out of a map that counts, batch by batch.
class Batches {
 public:
  explicit Batches(int map) : map_(map) {}
  /// The next entries, at most `most`; 0: that was all.
  std::size_t next(void* keys, std::uint64_t* counts, std::size_t most);

 private:
  int map_;
  std::uint32_t place_ = 0;
  bool begun_ = false;
  bool more_ = true;
};

/// Empties a map that counts into `take(key, count)`, which may change the key.
template <typename Key, typename Take>
void drain(int map, Take take) {
  constexpr std::size_t kBatch = 256;
  Key keys[kBatch];
  std::uint64_t counts[kBatch];
  Batches batches(map);
  while (const std::size_t size = batches.next(keys, counts, kBatch))
    for (std::size_t i = 0; i < size; ++i) {
      endName(keys[i].process);
      take(keys[i], counts[i]);
    }
}

/// How many events took how long, as counters: `events`{up_to_seconds}, those that took that long
/// or less, +Inf being all of them, and `seconds`, the sum of their times. Bounds that no event has
/// come near have no column.
class Histogram {
 public:
  using Label = std::pair<std::string, std::string>;
  Histogram(std::string events, std::string seconds, std::vector<Label> labels)
      : events_(std::move(events)), seconds_name_(std::move(seconds)), labels_(std::move(labels)) {
    columns_.fill(kNoColumn);
  }
  void add(const std::array<std::uint64_t, bpf::BUCKETS>& counts, double seconds, double factor);
  void tell(Round& round);

 private:
  Column addColumn(Columns& columns, const std::string& metric, std::string_view bound) const;

  std::string events_;
  std::string seconds_name_;
  std::vector<Label> labels_;  ///< two, or none
  ScaledBuckets buckets_{};
  double seconds_ = 0;
  std::size_t first_ = bpf::BUCKETS;
  std::size_t last_ = 0;
  std::array<Column, bpf::BUCKETS> columns_;
  Column sum_column_ = kNoColumn;
};

}  // namespace virtseer::agent::ebpf
