#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "virtseer/echo/cbor.h"
#include "virtseer/echo/frame.h"
#include "virtseer/echo/report_codec.h"
#include "virtseer/echo/text.h"
#include "virtseer/echo/wire.h"

/// Frames to bytes and back. A body is one CBOR array, its items in the order of wire.h's fields:
///
///     hello       [protocol, nonce, version, epoch, first, next, dropped, mono_ms, interval_ms,
///     role,
///                  {source: state}]
///     catalogue   [first, [[metric, kind, {label: value}], ...]]
///     echo        [sequence, mono_ms, [value, ...]], then tables and happenings where there are
///     any
///                  (report_codec.h)
///     load_state  [id, accepted, reason]
///     login       [vm, token]
///     greeting    [protocol, nonce, stored_epoch, stored_sequence, settings]
///     ack         [epoch, sequence]
///     settings    [interval_ms, top_processes, [collector, ...]], each null where absent
///     load        [id, cpu_cores, memory_bytes, disk_bytes_per_second, ramp_ms, duration_ms]
///
/// Further items at the end of the outer array are stepped over, so that fields can be added.
/// `encode` trusts its argument: what is beyond the limits of wire.h is refused by the other side.
/// `decode...` trusts nothing and never throws but for lack of memory.
namespace virtseer::echo {

template <typename T>
using Decoded = std::expected<T, std::string>;

namespace detail {

inline void put(CborWriter& cbor, const Settings& settings) {
  cbor.array(3);
  if (settings.interval_ms)
    cbor.unsignedInt(*settings.interval_ms);
  else
    cbor.null();
  if (settings.top_processes)
    cbor.unsignedInt(*settings.top_processes);
  else
    cbor.null();
  if (!settings.collectors) return cbor.null();
  cbor.array(settings.collectors->size());
  for (const std::string& collector : *settings.collectors) cbor.text(collector);
}

inline void put(CborWriter& cbor, const std::map<std::string, std::string>& texts) {
  cbor.map(texts.size());
  for (const auto& [name, text] : texts) {
    cbor.text(name);
    cbor.text(text);
  }
}

/// Opens the outer array of a body; gives the count of further items, to be stepped over at the
/// end.
inline std::size_t openBody(CborReader& cbor, std::size_t fields) {
  const std::size_t count = cbor.array(fields + 64);
  if (count < fields) cbor.fail("fields are missing");
  return count - std::min(count, fields);
}

template <typename T>
Decoded<T> closeBody(CborReader& cbor, std::size_t further, T&& value) {
  for (; further > 0 && cbor.ok(); --further) cbor.skip();
  if (cbor.ok() && !cbor.atEnd()) cbor.fail("bytes are left over");
  if (!cbor.ok()) return std::unexpected(std::string(cbor.error()));
  return std::forward<T>(value);
}

inline std::uint32_t unsigned32(CborReader& cbor, std::uint32_t max = 0xffffffff) {
  return static_cast<std::uint32_t>(cbor.unsignedInt(max));
}

inline std::map<std::string, std::string> namedTexts(CborReader& cbor, std::size_t max) {
  std::map<std::string, std::string> texts;
  const std::size_t count = cbor.map(max);
  for (std::size_t i = 0; i < count && cbor.ok(); ++i) {
    std::string key = checkedName(cbor);
    std::string value = checkedText(cbor);
    if (!cbor.ok()) break;
    if (!texts.emplace(std::move(key), std::move(value)).second) cbor.fail("a key occurs twice");
  }
  return texts;
}

inline Settings settings(CborReader& cbor) {
  Settings value;
  const std::size_t further = openBody(cbor, 3);
  if (!cbor.null()) {
    value.interval_ms = unsigned32(cbor, kMaxIntervalMs);
    if (*value.interval_ms < kMinIntervalMs) cbor.fail("the interval is too short");
  }
  if (!cbor.null()) value.top_processes = unsigned32(cbor);
  if (!cbor.null()) {
    const std::size_t count = cbor.array(kMaxSources);
    auto& collectors = value.collectors.emplace();
    for (std::size_t i = 0; i < count && cbor.ok(); ++i) collectors.push_back(checkedName(cbor));
  }
  for (std::size_t i = 0; i < further && cbor.ok(); ++i) cbor.skip();
  return value;
}

template <typename WriteItems>
std::string frameOf(FrameType type, WriteItems write_items) {
  std::string frame;
  appendFrame(frame, type, [&](std::string& out) {
    CborWriter cbor(out);
    write_items(cbor);
  });
  return frame;
}

}  // namespace detail

/// Appends an echo's frame to `out`: without an allocation once `out` has the capacity.
inline void appendEcho(std::string& out, std::uint64_t sequence, std::int64_t mono_ms,
                       std::span<const double> values, const Report& report = {}) {
  appendFrame(out, FrameType::echo, [&](std::string& body) {
    CborWriter cbor(body);
    cbor.array(report.empty() ? 3 : 5);
    cbor.unsignedInt(sequence);
    cbor.integer(mono_ms);
    cbor.array(values.size());
    for (const double value : values) cbor.number(value);
    if (!report.empty()) detail::put(cbor, report);
  });
}

inline std::string encode(const Echo& echo) {
  std::string frame;
  appendEcho(frame, echo.sequence, echo.mono_ms, echo.values, echo.report);
  return frame;
}

inline std::string encode(const Hello& hello) {
  return detail::frameOf(FrameType::hello, [&](CborWriter& cbor) {
    cbor.array(11);
    cbor.unsignedInt(hello.protocol);
    cbor.unsignedInt(hello.nonce);
    cbor.text(hello.agent_version);
    cbor.unsignedInt(hello.epoch);
    cbor.unsignedInt(hello.first_sequence);
    cbor.unsignedInt(hello.next_sequence);
    cbor.unsignedInt(hello.dropped);
    cbor.integer(hello.mono_ms);
    cbor.unsignedInt(hello.interval_ms);
    cbor.text(hello.role);
    detail::put(cbor, hello.sources);
  });
}

inline std::string encode(const Sources& sources) {
  return detail::frameOf(FrameType::sources, [&](CborWriter& cbor) {
    cbor.array(1);
    detail::put(cbor, sources.states);
  });
}

/// The frame of a catalogue whose columns are `columns`, without copying them.
inline std::string encodeCatalogue(std::uint32_t first, std::span<const ColumnName> columns) {
  return detail::frameOf(FrameType::catalogue, [&](CborWriter& cbor) {
    cbor.array(2);
    cbor.unsignedInt(first);
    cbor.array(columns.size());
    for (const ColumnName& column : columns) {
      cbor.array(3);
      cbor.text(column.metric);
      cbor.unsignedInt(static_cast<std::uint64_t>(column.kind));
      detail::put(cbor, column.labels);
    }
  });
}

inline std::string encode(const Catalogue& catalogue) {
  return encodeCatalogue(catalogue.first, catalogue.columns);
}

inline std::string encode(const LoadState& state) {
  return detail::frameOf(FrameType::load_state, [&](CborWriter& cbor) {
    cbor.array(3);
    cbor.unsignedInt(state.id);
    cbor.boolean(state.accepted);
    cbor.text(state.reason);
  });
}

inline std::string encode(const Login& login) {
  return detail::frameOf(FrameType::login, [&](CborWriter& cbor) {
    cbor.array(2);
    cbor.text(login.vm);
    cbor.text(login.token);
  });
}

inline std::string encode(const Greeting& greeting) {
  return detail::frameOf(FrameType::greeting, [&](CborWriter& cbor) {
    cbor.array(5);
    cbor.unsignedInt(greeting.protocol);
    cbor.unsignedInt(greeting.nonce);
    cbor.unsignedInt(greeting.stored_epoch);
    cbor.unsignedInt(greeting.stored_sequence);
    detail::put(cbor, greeting.settings);
  });
}

inline std::string encode(const Ack& ack) {
  return detail::frameOf(FrameType::ack, [&](CborWriter& cbor) {
    cbor.array(2);
    cbor.unsignedInt(ack.epoch);
    cbor.unsignedInt(ack.sequence);
  });
}

inline std::string encode(const Settings& settings) {
  return detail::frameOf(FrameType::settings,
                         [&](CborWriter& cbor) { detail::put(cbor, settings); });
}

inline std::string encode(const Load& load) {
  return detail::frameOf(FrameType::load, [&](CborWriter& cbor) {
    cbor.array(6);
    cbor.unsignedInt(load.id);
    cbor.number(load.cpu_cores);
    cbor.unsignedInt(load.memory_bytes);
    cbor.unsignedInt(load.disk_bytes_per_second);
    cbor.unsignedInt(load.ramp_ms);
    cbor.unsignedInt(load.duration_ms);
  });
}

inline Decoded<Hello> decodeHello(std::string_view body) {
  CborReader cbor(body);
  Hello hello;
  const std::size_t further = detail::openBody(cbor, 11);
  hello.protocol = detail::unsigned32(cbor);
  hello.nonce = cbor.unsignedInt();
  hello.agent_version = detail::checkedText(cbor);
  hello.epoch = cbor.unsignedInt(kEpochEnd - 1);
  if (hello.epoch == 0) cbor.fail("the epoch is zero");
  hello.first_sequence = cbor.unsignedInt();
  hello.next_sequence = cbor.unsignedInt();
  hello.dropped = cbor.unsignedInt();
  hello.mono_ms = cbor.integer();
  hello.interval_ms = detail::unsigned32(cbor);
  hello.role = detail::checkedText(cbor);
  hello.sources = detail::namedTexts(cbor, kMaxSources);
  return detail::closeBody(cbor, further, std::move(hello));
}

inline Decoded<Sources> decodeSources(std::string_view body) {
  CborReader cbor(body);
  Sources sources;
  const std::size_t further = detail::openBody(cbor, 1);
  sources.states = detail::namedTexts(cbor, kMaxSources);
  return detail::closeBody(cbor, further, std::move(sources));
}

inline Decoded<Catalogue> decodeCatalogue(std::string_view body) {
  CborReader cbor(body);
  Catalogue catalogue;
  const std::size_t further = detail::openBody(cbor, 2);
  catalogue.first = detail::unsigned32(cbor, kMaxColumns);
  const std::size_t count = cbor.array(kMaxColumns - catalogue.first);
  for (std::size_t i = 0; i < count && cbor.ok(); ++i) {
    ColumnName column;
    const std::size_t more = detail::openBody(cbor, 3);
    column.metric = detail::checkedName(cbor);
    column.kind = static_cast<Kind>(cbor.unsignedInt(static_cast<std::uint64_t>(Kind::counter)));
    column.labels = detail::namedTexts(cbor, kMaxLabels);
    for (std::size_t j = 0; j < more && cbor.ok(); ++j) cbor.skip();
    catalogue.columns.push_back(std::move(column));
  }
  return detail::closeBody(cbor, further, std::move(catalogue));
}

inline Decoded<Echo> decodeEcho(std::string_view body) {
  CborReader cbor(body);
  Echo echo;
  std::size_t further = detail::openBody(cbor, 3);
  echo.sequence = cbor.unsignedInt(std::uint64_t{1} << 53);
  if (echo.sequence == 0) cbor.fail("the sequence number is zero");
  echo.mono_ms = cbor.integer();
  const std::size_t count = cbor.array(kMaxColumns);
  echo.values.reserve(count);
  for (std::size_t i = 0; i < count && cbor.ok(); ++i) echo.values.push_back(cbor.number());
  const std::size_t before = cbor.left();
  if (further > 0 && cbor.ok()) detail::takeTables(cbor, echo.report), --further;
  if (further > 0 && cbor.ok()) detail::takeHappenings(cbor, echo.report), --further;
  if (cbor.ok() && before - cbor.left() > kMaxReportBytes) cbor.fail("the report is too long");
  return detail::closeBody(cbor, further, std::move(echo));
}

inline Decoded<LoadState> decodeLoadState(std::string_view body) {
  CborReader cbor(body);
  LoadState state;
  const std::size_t further = detail::openBody(cbor, 3);
  state.id = cbor.unsignedInt();
  state.accepted = cbor.boolean();
  state.reason = detail::checkedText(cbor);
  return detail::closeBody(cbor, further, std::move(state));
}

inline Decoded<Login> decodeLogin(std::string_view body) {
  CborReader cbor(body);
  Login login;
  const std::size_t further = detail::openBody(cbor, 2);
  login.vm = detail::checkedText(cbor);
  login.token = detail::checkedText(cbor);
  return detail::closeBody(cbor, further, std::move(login));
}

inline Decoded<Greeting> decodeGreeting(std::string_view body) {
  CborReader cbor(body);
  Greeting greeting;
  const std::size_t further = detail::openBody(cbor, 5);
  greeting.protocol = detail::unsigned32(cbor);
  greeting.nonce = cbor.unsignedInt();
  greeting.stored_epoch = cbor.unsignedInt(kEpochEnd - 1);
  greeting.stored_sequence = cbor.unsignedInt();
  greeting.settings = detail::settings(cbor);
  return detail::closeBody(cbor, further, std::move(greeting));
}

inline Decoded<Ack> decodeAck(std::string_view body) {
  CborReader cbor(body);
  Ack ack;
  const std::size_t further = detail::openBody(cbor, 2);
  ack.epoch = cbor.unsignedInt();
  ack.sequence = cbor.unsignedInt();
  return detail::closeBody(cbor, further, std::move(ack));
}

inline Decoded<Settings> decodeSettings(std::string_view body) {
  CborReader cbor(body);
  Settings value = detail::settings(cbor);
  return detail::closeBody(cbor, 0, std::move(value));
}

inline Decoded<Load> decodeLoad(std::string_view body) {
  CborReader cbor(body);
  Load load;
  const std::size_t further = detail::openBody(cbor, 6);
  load.id = cbor.unsignedInt();
  load.cpu_cores = cbor.number();
  if (!(load.cpu_cores >= 0)) cbor.fail("cores are a number from zero");
  load.memory_bytes = cbor.unsignedInt();
  load.disk_bytes_per_second = cbor.unsignedInt();
  load.ramp_ms = detail::unsigned32(cbor);
  load.duration_ms = detail::unsigned32(cbor);
  return detail::closeBody(cbor, further, std::move(load));
}

}  // namespace virtseer::echo
