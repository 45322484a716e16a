#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "virtseer/uuid.h"

namespace virtseer {

enum class OperationKind : std::uint8_t {
  migration,  ///< a VM leaves this host
  arrival,    ///< a VM comes to this host; the other half is a migration of the source's daemon
};
std::string_view name(OperationKind kind);
std::optional<OperationKind> parseOperationKind(std::string_view text);

/// Where an operation stands; written down before the step is taken.
enum class OperationState : std::uint8_t {
  planned,     ///< nothing was asked of anybody yet
  checking,    ///< pre-flight at the source
  reserving,   ///< pre-flight and reservation at the destination
  reserved,    ///< arrival: room is held, nothing has come yet
  preparing,   ///< autostart and managed save are recorded and cleared
  migrating,   ///< libvirt moves it; arrival: it comes or runs here, the source is not proven off
  settling,    ///< libvirt's call has ended: where the VM runs is being found out
  verifying,   ///< it runs at the destination and is watched
  committing,  ///< what belongs to the VM follows it, what is left behind is cleared away
  returning,   ///< verification failed: it is on its way back
  uncertain,   ///< a host that may hold a copy is silent: nothing is done until it answers
  // ended
  done,          ///< it moved; `message` says if it was shut down there since
  refused,       ///< before anything moved
  aborted,       ///< on a person's word; the VM runs at the source
  failed,        ///< it did not move: it runs at the source, or was stopped there by somebody, as
                 ///< `message` says; arrival: it is not here
  returned,      ///< verification failed, and the VM is at the source again
  needs_person,  ///< the VM does not run where it should, or not well, or something of it was left
                 ///< where it could be started; `advice` says what to do
};
inline constexpr std::size_t kOperationStates = 17;
std::string_view name(OperationState state);
std::optional<OperationState> parseOperationState(std::string_view text);
bool ended(OperationState state);

/// Whose idea an operation was.
enum class OperationOrigin : std::uint8_t { person, plan, returning };
std::string_view name(OperationOrigin origin);
std::optional<OperationOrigin> parseOperationOrigin(std::string_view text);

/// When a state was entered, and what was found out on the way.
struct OperationStep {
  OperationState state = OperationState::planned;
  Timestamp at;
  std::string note;  ///< for a person

  bool operator==(const OperationStep&) const = default;
};

/// How far a migration is, as libvirt's job says.
struct MigrationProgress {
  double fraction = 0;  ///< 0 to 1
  std::uint64_t processed_bytes = 0, remaining_bytes = 0, total_bytes = 0;
  std::uint64_t iteration = 0;  ///< rounds over memory
  Millis elapsed{0};
  std::optional<double> dirty_bytes_per_s, bytes_per_s;
  std::optional<Millis> downtime;  ///< expected, or measured once it is over

  bool operator==(const MigrationProgress&) const = default;
};

/// How a VM does, as its host's daemon sees it now; what is not known is absent.
struct Wellbeing {
  bool agent = false;              ///< an agent is connected that goes along with the VM
  std::optional<Millis> echo_age;  ///< since the last echo
  std::optional<double> cpu_cores, cpu_delay_cores;
  std::optional<double> work_units_per_s;  ///< of an ordered load: what the guest gets done
  std::optional<double> ticks;             ///< of the guest's counter; rises while it runs
  std::uint64_t io_errors = 0;             ///< told by libvirt in the last minute

  bool operator==(const Wellbeing&) const = default;
};

/// What undoing, repeating and telling need of the source; kept with the operation.
struct MigrationRecord {
  std::string definition;  ///< the inactive XML; empty: the VM is transient
  bool autostart = false;
  bool managed_save = false;   ///< there was one; it was removed
  bool cleared = false;        ///< autostart and managed save may have been cleared
  bool restarted = false;      ///< the source's copy died and was started once more
  bool asked_to_move = false;  ///< libvirt was told to migrate
  bool known_there = false;    ///< the destination had a definition of it before the move
  bool moved = false;          ///< it was found to have moved to the destination
  std::vector<std::string> copied_disks;  ///< paths that the move copied; arrival: makes here
  std::vector<std::string> set_aside;     ///< what they were renamed to
  std::string source_peer;                ///< arrival: the source's name among our peers
  bool may_return = true;                 ///< its policy allowed the way back when it left
  /// The copy at the destination was to be ended, since the source's ran: it never is the VM.
  bool to_be_ended = false;
  bool may_share = false;    ///< cores that are spoken for there do not refuse it
  bool token_taken = false;  ///< arrival: the token of its agent has come

  bool operator==(const MigrationRecord&) const = default;
};

/// A change that is being carried out, or was: a persisted state machine.
struct Operation {
  std::string id;  ///< the same for a migration and its arrival
  OperationKind kind = OperationKind::migration;
  OperationState state = OperationState::planned;
  OperationOrigin origin = OperationOrigin::person;
  std::string plan_step;  ///< PlanStep::id where a plan had the idea
  std::string return_of;  ///< the operation that this one undoes
  Uuid vm;
  std::string vm_name;
  Uuid from;
  std::string from_name;
  Uuid to;
  std::string to_name;
  bool copy_storage = false;
  double cpus = 0;  ///< reserved at the destination
  std::uint64_t memory_bytes = 0;
  Timestamp created, updated;
  std::optional<Timestamp> ended;
  std::string message;              ///< how it stands or ended, in one sentence
  std::vector<std::string> advice;  ///< what a person should do
  std::vector<std::string> reasons;
  std::vector<OperationStep> steps;  ///< oldest first, bounded
  MigrationProgress progress;
  std::optional<Millis> duration;  ///< of libvirt's migration
  std::optional<Millis> downtime;  ///< measured by QEMU
  bool abort_requested = false;
  bool suspended = false;  ///< arrival: the copy here was suspended since the source is silent
  bool confirmed = false;  ///< arrival: the source is proven off
  std::optional<Wellbeing> before, after;
  MigrationRecord record;

  bool operator==(const Operation&) const = default;
};

/// Where a VM stands on one host, asked of its libvirt just now.
struct Presence {
  enum class State : std::uint8_t {
    absent,  ///< not known there
    off,     ///< defined, not running
    running,
    paused,   ///< its memory is there, its vCPUs stand still
    incoming  ///< a migration into it has not ended
  };
  enum class Job : std::uint8_t { none, migration_out, migration_in, other };
  State state = State::absent;
  Job job = Job::none;
  bool defined = false;    ///< there is a persistent definition
  bool crashed = false;    ///< off, since its emulator died or failed
  bool suspended = false;  ///< paused by the daemon there, which waits for the source's word
  std::string reason;      ///< libvirt's, in words
  /// Off, and libvirt does not say why: its host or its libvirt went down with it. Nobody's wish.
  bool unexplained = false;

  bool operator==(const Presence&) const = default;
};
std::string_view name(Presence::State state);
std::optional<Presence::State> parsePresenceState(std::string_view text);
std::string_view name(Presence::Job job);
std::optional<Presence::Job> parsePresenceJob(std::string_view text);

/// A condition of a move that was looked at.
struct Check {
  std::string name;  ///< "cpu", "disk vda", "memory", ...
  bool held = false;
  std::string words;  ///< what was found, and what to do where it does not hold

  bool operator==(const Check&) const = default;
};

}  // namespace virtseer
