#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/pool.h"
#include "base/time.h"
#include "collect/guest_report.h"
#include "store/store.h"

namespace virtseer::daemon {

/// Keeps a store under the daemon's feet. Opens it; while it does not open, a store in memory
/// serves the latest values and opening is tried again. Writes what comes in within 20 ms to the
/// journal and syncs it at the configured interval; a failure is said once, kept as `problem()`,
/// and tried again until it works. Loop thread only.
///
/// Events are written before rows, and rows only if that went well: an echo whose row is written,
/// and so acknowledged, has its happenings on the disk. The other way round, after a crash or a
/// failure in between, told() says which happenings are there without their row.
class StoreKeeper {
 public:
  struct Callbacks {
    /// What was appended until now is part of the write that begins.
    std::function<void()> gathered;
    /// What had been gathered is written (not yet synced): agents may be told.
    std::function<void()> written;
    /// Another store serves from now on: columns must be declared again.
    std::function<void()> swapped;
    /// Something for the event list and the log.
    std::function<void(Event)> event;
  };

  struct Times {
    Millis sync{1000};   ///< the journal is synced to the disk this often
    Millis gather{20};   ///< rows of this long are written together
    Millis retry{5000};  ///< after a failed write or open
    Millis tables_keep{std::chrono::hours(24 * 7)};  ///< tables of guests that are older go
  };

  StoreKeeper(boost::asio::any_io_executor loop, const Clock& clock, store::StoreOptions options,
              Times times, Callbacks callbacks);

  /// Tries to open the store once. May take as long as replaying a journal takes.
  boost::asio::awaitable<void> open();

  /// Writes, syncs, retries, measures; ends after stop(), with everything written that can be. Not
  /// cancellable: a write that runs is never left alone.
  boost::asio::awaitable<void> run();
  void stop();

  /// To be called after rows, events or settings were appended: a write follows soon.
  void touched();

  /// Returns once all events and settings that were appended until now are on the disk, or with why
  /// they are not (they are tried again all the same). Code::unreachable while no store on disk
  /// serves, Code::cancelled once it was told to stop.
  boost::asio::awaitable<Result<void>> durable();

  store::SeriesStore& series() { return store().series(); }
  store::EventLog& events() { return store().events(); }
  store::Settings& settings() { return store().settings(); }
  store::TableLog& tables() { return store().tables(); }

  /// Up to which echo of the VM happenings were in the store when it was opened.
  collect::EchoMark told(Uuid vm) const;
  /// Whether so many more events can be kept until they are written.
  bool roomForEvents(std::size_t count) {
    return events().waiting() + count <= store::kMaxUnwrittenEvents - kSpareEvents;
  }

  /// For reading: runs `job` on a pool of its own, so that a long query never delays writing.
  template <class Job>
  auto read(std::string what, Job job) {
    return readers_.run(std::move(what), kReadDeadline, std::move(job));
  }

  /// True while the store on disk serves.
  bool open_on_disk() const { return on_disk_; }
  /// Why storing does not work at the moment, with what to do; empty if it does.
  std::string problem() const;
  std::uint64_t disk_bytes() const { return disk_bytes_; }

  void close();

 private:
  static constexpr Millis kReadDeadline{30000};
  /// A write is never overtaken by the next one, so it has no deadline; `problem()` says when it
  /// hangs.
  static constexpr Millis kForEver{std::chrono::hours(24 * 365)};
  static constexpr Millis kHangs{10000};
  static constexpr Millis kIdle{
      15 * 60'000};  ///< a stream without rows for so long is closed to a chunk
  static constexpr Millis kMeasure{60'000};
  static constexpr Millis kSweep{3'600'000};
  /// Of the events that can wait, guests leave so many to the daemon itself.
  static constexpr std::size_t kSpareEvents = 2000;

  store::Store& store() { return *stores_.back(); }
  boost::asio::awaitable<Result<void>> writeOnce(bool sync);
  boost::asio::awaitable<Result<void>> write(bool sync);
  boost::asio::awaitable<void> measure();
  boost::asio::awaitable<void> sweep();
  void failed(const Error& error);
  void recovered();

  const Clock& clock_;
  const store::StoreOptions options_;
  const Times times_;
  Callbacks callbacks_;
  BlockingPool writer_;
  BlockingPool readers_;
  boost::asio::steady_timer wake_;
  boost::asio::steady_timer written_;  ///< cancelled after each write
  /// The last one serves. An earlier one (in memory) stays for readers that still hold a piece of
  /// it.
  std::vector<std::unique_ptr<store::Store>> stores_;
  bool on_disk_ = false;
  bool dirty_ = false;
  bool stopping_ = false;
  std::uint64_t writes_begun_ = 0;
  std::uint64_t writes_ended_ = 0;
  Result<void> last_write_;
  std::string problem_;
  std::uint64_t disk_bytes_ = 0;
  std::optional<std::chrono::steady_clock::time_point> writing_since_;
  std::chrono::steady_clock::time_point synced_{};
  std::chrono::steady_clock::time_point measured_{};
  std::chrono::steady_clock::time_point swept_{};
  std::map<Uuid, collect::EchoMark> told_;
};

}  // namespace virtseer::daemon
