#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/task_group.h"
#include "collect/row_sink.h"
#include "platform/fake_environment.h"

namespace virtseer::collect {

namespace asio = boost::asio;

inline const Uuid kVm = *Uuid::parse("aaaaaaaa-0000-4000-8000-000000000001");
inline const Uuid kOther = *Uuid::parse("aaaaaaaa-0000-4000-8000-000000000002");
inline const Timestamp kStart{Millis(1'700'000'000'000)};

/// A store that keeps everything where a test can see it.
struct RecordedRows {
  struct Stream {
    std::vector<SeriesName> names;
    std::vector<Row> rows;
  };
  std::map<StreamId, Stream> streams;
  std::size_t declarations = 0;
  std::size_t columns_at_most = 4096;
  store::Appended fate = store::Appended::taken;
  int throws = 0;  ///< so many appends fail by an exception

  RowSink sink() {
    return {[this](StreamId id, std::span<const SeriesName> names) -> Result<std::vector<Column>> {
              ++declarations;
              auto& known = streams[id].names;
              std::vector<Column> out;
              auto grown = known;
              for (const auto& name : names) {
                const auto at = std::find(grown.begin(), grown.end(), name);
                out.push_back(static_cast<Column>(at - grown.begin()));
                if (at == grown.end()) grown.push_back(name);
              }
              if (grown.size() > columns_at_most) return fail(Code::full, "too many columns");
              known = std::move(grown);
              return out;
            },
            [this](StreamId id, const Row& row) {
              if (throws > 0) {
                --throws;
                throw std::runtime_error("a fault in the store");
              }
              if (fate == store::Appended::taken) streams[id].rows.push_back(row);
              return fate;
            },
            [this](StreamId id) {
              const auto& known = streams[id].rows;
              return known.empty() ? std::nullopt : std::optional(known.back().time);
            }};
  }

  const std::vector<Row>& rows(StreamId id) { return streams[id].rows; }

  /// The value of the metric in the stream's last row; NaN if it has none.
  double last(StreamId id, const std::string& metric) {
    const auto& stream = streams[id];
    if (stream.rows.empty()) return kMissing;
    const auto& row = stream.rows.back();
    for (std::size_t i = 0; i < row.columns.size(); ++i)
      if (stream.names.at(row.columns[i]).metric == metric) return row.values[i];
    return kMissing;
  }
};

/// A loop that a test turns by hand.
struct LoopBench {
  asio::io_context loop;
  std::vector<std::string> failures;
  TaskGroup tasks{loop.get_executor(), [this](const std::string& name, const std::string& what) {
                    failures.push_back(name + ": " + what);
                  }};

  /// Turns the loop until `done()`; false if that takes longer than a generous while.
  bool until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      loop.restart();
      loop.run_one_for(std::chrono::milliseconds(20));
    }
    return true;
  }
  /// Runs what is ready.
  void turn() {
    loop.restart();
    loop.poll();
  }
  /// Cancels everything and turns until it has ended.
  void end() {
    tasks.cancel();
    REQUIRE(until([&] { return tasks.size() == 0; }));
  }
};

inline Vm runningVm(Uuid uuid, std::string name) {
  Vm vm;
  vm.uuid = uuid;
  vm.name = std::move(name);
  vm.state = VmState::running;
  vm.has_channel = true;
  return vm;
}

}  // namespace virtseer::collect
