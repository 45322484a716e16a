#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "virtseer/echo/report.h"

/// The echo protocol between the guest agent and the daemon: plain values and limits. How they
/// become bytes: codec.h. What both sides may rely on:
///
/// - The daemon opens a session with `Greeting` (a fresh nonce). The agent answers with `Hello`
///   carrying that nonce, its whole catalogue, every echo of its ring that is not stored yet, then
///   a fresh echo at once. The daemon drops whatever arrives before the matching Hello: such frames
///   are leftovers of an earlier reader, still in the agent's ring, and come again.
/// - Echoes are numbered from 1 within a run of the agent (`epoch`). The daemon acknowledges a
/// number
///   once its row is written to the journal; until then the agent keeps the echo in its bounded
///   ring.
/// - Identity comes from the channel; nothing in a frame names a VM. A connection that the agent
///   makes itself (TLS, vsock) has none: there the agent's first frame, before any greeting, is a
///   `Login`, and the daemon closes what does not begin with a right one.
namespace virtseer::echo {

inline constexpr std::string_view kChannelName = "org.virtseer.echo.0";
inline constexpr std::string_view kRoleKey = "opt/org.virtseer/role";
inline constexpr std::uint32_t kProtocolVersion = 1;

/// Header: magic (4), type (1), body length (4, big-endian), CRC-32C of type, length and body (4).
inline constexpr std::uint32_t kMagic = 0xEC7E5EE1;
inline constexpr std::size_t kHeaderBytes = 13;
inline constexpr std::size_t kMaxBodyBytes = 256 * 1024;
inline constexpr std::size_t kMaxColumns = 4096;
inline constexpr std::size_t kMaxLabels = 8;
inline constexpr std::size_t kMaxNameBytes = 128;
/// Of a label's value, a version, a role, a reason: UTF-8 without control characters.
inline constexpr std::size_t kMaxTextBytes = 256;
inline constexpr std::size_t kMaxSources = 64;
/// Of a token: it is guessed over a network.
inline constexpr std::size_t kMinTokenBytes = 16;
inline constexpr std::uint32_t kMinIntervalMs = 200;
inline constexpr std::uint32_t kMaxIntervalMs = 3'600'000;
/// Epochs stay below this, so that they are exact as a double.
inline constexpr std::uint64_t kEpochEnd = std::uint64_t{1} << 48;

enum class FrameType : std::uint8_t {
  hello = 1,       ///< agent: first frame of a session
  catalogue = 2,   ///< agent: names of further columns
  echo = 3,        ///< agent: one row of values
  load_state = 4,  ///< agent: answer to `load`
  login = 5,       ///< agent: who calls, on a connection that it made itself
  sources = 6,     ///< agent: what has become of its sources since the hello
  greeting = 64,   ///< daemon: opens a session
  ack = 65,        ///< daemon: echoes up to this number are stored
  settings = 66,   ///< daemon: interval, top-N, collectors
  load = 67,       ///< daemon: synthetic work, for a lab guest or a shadow only
};

/// How a column's numbers are to be read.
enum class Kind : std::uint8_t { gauge = 0, counter = 1 };

/// One column of the rows that follow: a metric with its labels.
struct ColumnName {
  std::string metric;                         ///< snake_case with unit, as in /metrics
  std::map<std::string, std::string> labels;  ///< e.g. {"cpu","0"}
  Kind kind = Kind::gauge;

  auto operator<=>(const ColumnName&) const = default;
};

/// How often and what to collect; what is absent stays as it is.
struct Settings {
  std::optional<std::uint32_t> interval_ms;  ///< 200 to 3 600 000
  std::optional<std::uint32_t> top_processes;
  std::optional<std::vector<std::string>> collectors;  ///< names of the sources to run

  bool operator==(const Settings&) const = default;
};

/// Daemon to agent.
struct Greeting {
  std::uint32_t protocol = kProtocolVersion;
  std::uint64_t nonce = 0;
  std::uint64_t stored_epoch = 0;     ///< the run whose echoes the daemon has, 0: none
  std::uint64_t stored_sequence = 0;  ///< the last of them that it has stored
  Settings settings;

  bool operator==(const Greeting&) const = default;
};

/// Agent to daemon.
struct Hello {
  std::uint32_t protocol = kProtocolVersion;
  std::uint64_t nonce = 0;  ///< that of the greeting
  std::string agent_version;
  std::uint64_t epoch = 0;           ///< random, 1 to 2^48-1, new at each start of the agent
  std::uint64_t first_sequence = 0;  ///< oldest echo in the ring, or the next one if it is empty
  std::uint64_t next_sequence = 1;
  std::uint64_t dropped = 0;  ///< echoes lost to a full ring since the start
  std::int64_t mono_ms = 0;   ///< the guest's monotonic clock when this was written
  std::uint32_t interval_ms = 0;
  std::string role;                            ///< what the guest believes; informative only
  std::map<std::string, std::string> sources;  ///< collector -> "on", or why it is off

  bool operator==(const Hello&) const = default;
};

/// Agent to daemon: all of them, whenever one is not as it was told last in this session.
struct Sources {
  std::map<std::string, std::string> states;  ///< as Hello::sources

  bool operator==(const Sources&) const = default;
};

/// Agent to daemon: columns `first`, `first + 1`, ... of this epoch. Columns are only ever added.
struct Catalogue {
  std::uint32_t first = 0;
  std::vector<ColumnName> columns;

  bool operator==(const Catalogue&) const = default;
};

/// Agent to daemon: one row. `values[i]` belongs to column i; NaN and a missing tail are 'missing'.
struct Echo {
  std::uint64_t sequence = 0;
  std::int64_t mono_ms = 0;
  std::vector<double> values;
  Report report = {};
};

/// Daemon to agent: everything up to `sequence` of this epoch is stored.
struct Ack {
  std::uint64_t epoch = 0;
  std::uint64_t sequence = 0;

  bool operator==(const Ack&) const = default;
};

/// Daemon to agent: make synthetic work. All zero ends what runs.
struct Load {
  std::uint64_t id = 0;
  double cpu_cores = 0;            ///< CPU seconds per second, over all of the guest's cores
  std::uint64_t memory_bytes = 0;  ///< touched and kept
  std::uint64_t disk_bytes_per_second = 0;  ///< written past the guest's page cache
  std::uint32_t ramp_ms = 0;                ///< from nothing to full, linearly
  std::uint32_t duration_ms = 0;            ///< ramp included

  bool operator==(const Load&) const = default;
};

/// Agent to daemon, first on a connection that the agent made: which VM this is, and its proof.
/// Never sent to a server whose certificate was not checked.
struct Login {
  std::string vm;     ///< its UUID
  std::string token;  ///< kMinTokenBytes to kMaxTextBytes, known to that VM and its host alone

  bool operator==(const Login&) const = default;
};

/// Agent to daemon: whether a load was taken on.
struct LoadState {
  std::uint64_t id = 0;
  bool accepted = false;
  std::string reason;  ///< empty, or why not

  bool operator==(const LoadState&) const = default;
};

}  // namespace virtseer::echo
