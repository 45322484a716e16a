#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "model/hand_over.h"

namespace virtseer::wire {

/// Values of every shape that is sent: any text, any number, present and absent members. The same
/// seed gives the same values.
class Worlds {
 public:
  explicit Worlds(std::uint64_t seed) : random_(seed) {}

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  bool flip() { return below(2) == 0; }
  double number() {
    return below(4) == 0 ? 0.0 : static_cast<double>(below(1'000'000)) / (1 + below(977));
  }
  std::uint64_t count() { return below(3) == 0 ? random_() : below(1'000'000); }
  Millis span() { return Millis(below(100'000'000'000)); }
  Timestamp time() { return Timestamp(Millis(below(250'000'000'000'000))); }

  std::string text() {
    static const std::vector<std::string> kPieces{"a",
                                                  "vm-1",
                                                  "\"",
                                                  "\\",
                                                  "\n",
                                                  "<x y='1'/>",
                                                  std::string(1, '\0'),
                                                  "\x1b[31m",
                                                  "\xC3\xBC",
                                                  "\xE2\x82\xAC",
                                                  "\xF0\x9F\x90\x9F",
                                                  "/dev/vda",
                                                  "]}",
                                                  "\x7F"};
    std::string out;
    for (auto pieces = below(6); pieces > 0; --pieces) out += kPieces[below(kPieces.size())];
    return out;
  }
  Uuid uuid() {
    Uuid out;
    for (auto& byte : out.bytes) byte = static_cast<std::uint8_t>(random_());
    out.bytes[0] |= 1;
    return out;
  }

  template <class Make>
  auto maybe(Make make) {
    using T = decltype(make());
    return flip() ? std::optional<T>(make()) : std::nullopt;
  }
  template <class Make>
  auto some(Make make, std::uint64_t most = 4) {
    std::vector<decltype(make())> out;
    for (auto left = below(most); left > 0; --left) out.push_back(make());
    return out;
  }
  std::vector<std::string> texts() {
    return some([&] { return text(); });
  }
  std::optional<double> maybeNumber() {
    return maybe([&] { return number(); });
  }
  std::optional<Millis> maybeSpan() {
    return maybe([&] { return span(); });
  }

  Wellbeing wellbeing() {
    return {.agent = flip(),
            .echo_age = maybeSpan(),
            .cpu_cores = maybeNumber(),
            .cpu_delay_cores = maybeNumber(),
            .work_units_per_s = maybeNumber(),
            .ticks = maybeNumber(),
            .io_errors = count()};
  }

  Operation operation() {
    Operation out;
    out.id = text();
    out.from_name = text();
    out.to_name = text();
    out.kind = static_cast<OperationKind>(below(2));
    out.state = static_cast<OperationState>(below(kOperationStates));
    out.origin = static_cast<OperationOrigin>(below(3));
    out.plan_step = text(), out.return_of = text();
    out.vm = uuid(), out.vm_name = text();
    if (flip()) out.from = uuid();
    if (flip()) out.to = uuid();
    out.copy_storage = flip(), out.cpus = number(), out.memory_bytes = count();
    out.created = time(), out.updated = time();
    out.ended = maybe([&] { return time(); });
    out.message = text(), out.advice = texts(), out.reasons = texts();
    out.steps = some([&] {
      return OperationStep{static_cast<OperationState>(below(kOperationStates)), time(), text()};
    });
    out.progress = {number(), count(),       count(),       count(),    count(),
                    span(),   maybeNumber(), maybeNumber(), maybeSpan()};
    out.duration = maybeSpan(), out.downtime = maybeSpan();
    out.abort_requested = flip(), out.suspended = flip(), out.confirmed = flip();
    out.before = maybe([&] { return wellbeing(); });
    out.after = maybe([&] { return wellbeing(); });
    out.record = {text(),  flip(),  flip(), flip(), flip(), flip(), flip(), flip(),
                  texts(), texts(), text(), flip(), flip(), flip(), flip()};
    return out;
  }

  Reservation reservation() { return {text(), text(), uuid(), text(), number(), count(), time()}; }
  PastMove pastMove() {
    return {uuid(), uuid(), time(), time(), static_cast<MoveOutcome>(below(5)), flip()};
  }
  ReserveOrder reserveOrder() {
    return {text(),
            flip(),
            text(),
            uuid(),
            text(),
            uuid(),
            text(),
            number(),
            count(),
            flip(),
            text(),
            some([&] { return DiskCopy{text(), text(), count()}; }),
            static_cast<OperationOrigin>(below(3)),
            texts(),
            flip(),
            flip()};
  }
  ReserveAnswer reserveAnswer() {
    return {some([&] { return Check{text(), flip(), text()}; }),
            maybe([&] { return reservation(); })};
  }
  CommitOrder commitOrder() {
    return {flip(), some([&] { return pastMove(); })};
  }
  RemoteVm remoteVm() {
    return {{static_cast<Presence::State>(below(5)), static_cast<Presence::Job>(below(4)), flip(),
             flip(), flip(), text(), flip()},
            wellbeing(),
            uuid()};
  }

  PolicyMetadata metadata() {
    const auto word = [&] { return maybe([&] { return flip(); }); };
    return {{maybe([&] { return static_cast<Mode>(below(3)); }), word(),
             maybe([&] { return static_cast<int>(below(101)); }), word(), word(), word(), word()},
            text()};
  }
  CpuDescription cpu() { return {text(), texts()}; }
  PlacedVm placedVm() {
    PlacedVm out;
    out.uuid = uuid();
    out.name = text();
    out.cpu = cpu();
    out.machine = text();
    out.role = static_cast<Role>(below(3)), out.state = static_cast<VmState>(below(8));
    out.demand_cpus = number(), out.vcpus = static_cast<std::uint32_t>(count());
    out.memory_bytes = count(), out.dirty_bytes_per_s = maybeNumber();
    out.cpu_mode = static_cast<CpuMode>(below(3));
    out.disks = some([&] { return DiskNeed{text(), count()}; });
    out.networks = texts(), out.unmovable = texts(), out.job = text(), out.managed_by = text();
    out.metadata = maybe([&] { return metadata(); });
    out.moves = some([&] { return pastMove(); });
    return out;
  }
  HostState host() {
    HostState out;
    out.uuid = uuid();
    out.name = text();
    out.capacity = {number(), count(), text()};
    out.cpus_online = static_cast<std::uint32_t>(count()), out.memory_given = count();
    out.maintenance = flip(), out.answers = flip(), out.as_of = time(), out.cpu = cpu();
    out.machine_types = texts(), out.networks = texts(), out.disk_locks = flip();
    out.storage = some([&] { return StorageReach{text(), flip(), count()}; });
    out.link_bytes_per_s = maybeNumber();
    out.flights = some([&] { return Flight{text(), uuid(), uuid(), flip() ? uuid() : Uuid{}}; });
    out.reservations = some([&] { return reservation(); });
    out.vms = some([&] { return placedVm(); }, 6);
    return out;
  }
  /// Demand in whole hundredths, as it is sent.
  Scenarios scenarios() {
    Scenarios out;
    out.start = time();
    out.step = Millis(1 + below(60'000));
    out.steps = 1 + below(6);
    out.paths = 1 + below(6);
    out.vms = some([&] { return uuid(); }, 5);
    if (out.vms.empty()) out.steps = 0, out.paths = 0;
    for (std::size_t i = 0; i < out.paths * out.steps * out.vms.size(); ++i)
      out.demand.push_back(static_cast<float>(below(65536)) / 100.0F);
    return out;
  }
  FleetState fleetState() { return {time(), host(), scenarios()}; }

 private:
  std::mt19937_64 random_;
};

}  // namespace virtseer::wire
