#pragma once

#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "base/task_group.h"
#include "daemon/store_keeper.h"

/// A store on a disk of its own, kept by a loop that tests turn.
namespace virtseer::daemon::test {

/// A folder of its own, removed at the end.
struct StoreFolder {
  std::filesystem::path path;
  StoreFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "virtseer_keeper_XXXXXX").string();
    path = mkdtemp(name.data());
  }
  ~StoreFolder() { std::filesystem::remove_all(path); }
};

struct StoreWorld {
  boost::asio::io_context io;
  SystemClock clock;
  int written = 0, swapped = 0;
  std::vector<Event> events;
  StoreKeeper keeper;
  TaskGroup tasks{io.get_executor(), [](const std::string& name, const std::string& what) {
                    FAIL(name << ": " << what);
                  }};

  explicit StoreWorld(const std::filesystem::path& folder)
      : keeper(io.get_executor(), clock, {.directory = folder / "store"},
               {.sync = Millis(20), .gather = Millis(1), .retry = Millis(20)},
               {.gathered = [] {},
                .written = [this] { ++written; },
                .swapped = [this] { ++swapped; },
                .event = [this](Event event) { events.push_back(std::move(event)); }}) {}

  /// Turns the loop until `done` holds; half a minute is far more than it takes.
  template <class Done>
  bool until(Done done) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!done() && std::chrono::steady_clock::now() < limit) {
      if (io.stopped()) io.restart();
      io.run_one_for(std::chrono::milliseconds(50));
    }
    return done();
  }
  void open() {
    tasks.spawn("open", keeper.open());
    REQUIRE(until([&] { return tasks.size() == 0; }));
  }
  void finish() {
    keeper.stop();
    REQUIRE(until([&] { return tasks.size() == 0; }));
    keeper.close();
  }
};

}  // namespace virtseer::daemon::test
