#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ebpf/loaded.h"

/// The loader's side, seen by the files alone that hold an object of programs.
namespace virtseer::ebpf {

/// Ways to do one part's work, the best first; where the kernel refuses one, the next is tried.
struct Way {
  bpf::part of;
  std::array<const char*, 3> programs;  ///< null where there are fewer
  const char* lack = nullptr;           ///< what this way cannot tell
  bool slow = false;                    ///< detaching waits for all processors
};

/// What libbpf complained about first, since it was last cleared. One of each thread.
struct Complaint {
  char program[64];
  char text[200];
};
Complaint& complaint();
/// Has libbpf complain there, and nowhere else.
void hearComplaints();

/// Tells what was loaded, message by message.
class Teller {
 public:
  /// `tell` gets a message and the descriptor that goes with it, or -1: the caller's still.
  using Tell = std::function<void(const Message&, int fd)>;
  explicit Teller(Tell tell) : tell_(std::move(tell)) {}

  void say(Message::Kind kind, const char* text, bpf::part of = {}, std::uint32_t index = 0,
           std::uint64_t number = 0, int fd = -1) const;

 private:
  Tell tell_;
};

/// Which way each part goes.
class Plan {
 public:
  Plan(std::span<const Way> ways, bool library);

  const Way* way(int of) const { return way_[of] < 0 ? nullptr : &ways_[at(way_[of])]; }
  /// Whether there is any way to do this part's work.
  bool knows(int of) const { return next(of, 0) >= 0; }

  bool has(const char* program) const { return partOf(program) >= 0; }
  /// The part that goes by this program, or -1.
  int partOf(const char* program) const;
  /// Goes another way than by this program. False: it is not among them.
  bool avoid(const char* program);
  const char* reason(int of) const { return reason_[of]; }
  std::size_t ways() const { return ways_.size(); }

 private:
  static std::size_t at(int way) { return static_cast<std::size_t>(way); }
  int next(int of, std::size_t from) const;

  std::span<const Way> ways_;
  int way_[bpf::PARTS] = {};
  char reason_[bpf::PARTS][200] = {};
};

/// Nanoseconds of the shortest system call: the best of some batches.
double shortestCallNs();
/// Why a part cannot be loaded: what libbpf complained about, and what that comes from.
std::string reasonOf(bpf::part of, const char* complained);

/// An object's skeleton, by its kind, which says how it is handled:
/// - Skeleton, kWays
/// - open(), load(skeleton), destroy(skeleton): as bpftool made them
/// - prepare(skeleton): sets what is set before loading
/// - maps(skeleton): by their numbers, null where it has none
template <typename Object>
using SkeletonOf = std::unique_ptr<typename Object::Skeleton, void (*)(typename Object::Skeleton*)>;

/// Opens and loads what the plan wants, changing the plan where the kernel refuses. Null: nothing
/// can be loaded, the complaint says why.
template <typename Object>
SkeletonOf<Object> loadPlan(Object& object, Plan& plan) {
  for (std::size_t attempt = 0; attempt <= plan.ways(); ++attempt) {
    complaint() = {};
    SkeletonOf<Object> skeleton(Object::open(), Object::destroy);
    if (!skeleton) break;
    bpf_program* program = nullptr;
    while ((program = bpf_object__next_program(skeleton->obj, program)) != nullptr)
      bpf_program__set_autoload(program, plan.has(bpf_program__name(program)));
    bpf_map__set_max_entries(skeleton->maps.cpus,
                             static_cast<std::uint32_t>(std::max(libbpf_num_possible_cpus(), 1)));
    object.prepare(*skeleton);
    if (Object::load(skeleton.get()) == 0) return skeleton;
    if (!plan.avoid(complaint().program)) break;
  }
  return {nullptr, Object::destroy};
}

/// What counting adds to a system call. 0 where it cannot be measured.
template <typename Skeleton>
double measureCost(const Skeleton& skeleton) {
  bpf::gate& gate = skeleton.bss->board.gates[bpf::PART_SYSCALLS];
  const double without = shortestCallNs();
  gate.runs_left = 1'000'000;
  const int link = bpf_raw_tracepoint_open(nullptr, bpf_program__fd(skeleton.progs.on_syscall));
  const double with = link < 0 ? without : shortestCallNs();
  if (link >= 0) ::close(link);
  gate.runs_left = 0;
  return std::max(with - without, 0.0);
}

void tellPart(const Teller& teller, const bpf_object* object, const Plan& plan, bpf::part of);

/// Loads an object's programs and tells everything but that it is done. Null: there is nothing, and
/// it was told why.
template <typename Object>
SkeletonOf<Object> loadObject(Object object, const Teller& teller,
                              const std::vector<std::string>& avoided, bool library) {
  if (::access("/sys/kernel/btf/vmlinux", R_OK) != 0) {
    teller.say(Message::failure, "the kernel has no BTF (/sys/kernel/btf/vmlinux)");
    return {nullptr, Object::destroy};
  }
  hearComplaints();
  Plan plan(Object::kWays, library);
  for (const std::string& program : avoided) plan.avoid(program.c_str());
  SkeletonOf<Object> skeleton = loadPlan(object, plan);
  if (!skeleton) {
    teller.say(Message::failure, reasonOf(bpf::PART_SYSCALLS, complaint().text).c_str());
    return skeleton;
  }
  const std::array<const bpf_map*, kMaps> maps = Object::maps(*skeleton);
  for (std::uint32_t i = 0; i < kMaps; ++i)
    if (maps[i] != nullptr) teller.say(Message::map, "", {}, i, 0, bpf_map__fd(maps[i]));
  for (int of = 0; of < bpf::PARTS; ++of)
    if (plan.knows(of) && (of != bpf::PART_LIBRARY || library))
      tellPart(teller, skeleton->obj, plan, static_cast<bpf::part>(of));
  if (plan.way(bpf::PART_SYSCALLS) != nullptr)
    teller.say(Message::cost, "", {}, 0, static_cast<std::uint64_t>(measureCost(*skeleton)));
  return skeleton;
}

}  // namespace virtseer::ebpf
