#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/task_group.h"
#include "base/time.h"
#include "collect/stream_writer.h"
#include "collect/vm_turns.h"
#include "model/machine.h"
#include "platform/environment.h"

namespace virtseer::collect {

struct GuestSurveyOptions {
  Millis interval{30'000};       ///< of one VM; 0: nobody is asked
  Millis longest_wait{600'000};  ///< between questions to one that does not answer
};

/// Asks the qemu-guest-agents of an environment's running VMs, two at a time and each VM by itself,
/// and keeps what they said last. One that does not answer is asked more and more seldom. Loop
/// thread; the environment outlives it.
class GuestSurvey {
 public:
  struct View {
    std::optional<GuestFacts> facts;  ///< the last answer since the VM began to run
    std::string silent;  ///< why the guest gave none when it was asked last; empty: it did
  };
  /// Gets what is a number in an answer; the names live for as long as the VM is listed.
  using Values = std::function<void(Uuid vm, std::span<const NamedValue>)>;

  GuestSurvey(const Clock& clock, platform::Environment& environment, GuestSurveyOptions options,
              Values values, Pause pause = timerPause);

  /// Spawns its coroutines in `tasks`; once.
  void start(TaskGroup& tasks);
  /// The environment's VMs, as listed last.
  void setVms(const std::vector<Vm>& vms);
  View view(Uuid vm) const;

 private:
  struct Guest {
    View view;
    unsigned failures = 0;
  };
  /// By mount point: size, used. Guests name them: bounded.
  using FilesystemNames = std::map<std::string, std::pair<SeriesName, SeriesName>>;

  boost::asio::awaitable<void> run();
  boost::asio::awaitable<void> ask(Uuid vm);
  void tell(Uuid vm, const GuestFacts& facts);

  const Clock& clock_;
  platform::Environment& environment_;
  const GuestSurveyOptions options_;
  const Values values_;
  const Pause pause_;
  VmTurns turns_;
  std::map<Uuid, Guest> guests_;           ///< that are asked
  std::map<Uuid, FilesystemNames> names_;  ///< of all VMs that are listed: they are kept by address
};

}  // namespace virtseer::collect
