#include "ebpf/loading.h"

#include <sys/syscall.h>
#include <sys/utsname.h>

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "ebpf/boards.h"

namespace virtseer::ebpf {
namespace {

int listen(libbpf_print_level level, const char* format, va_list arguments) {
  Complaint& first = complaint();
  if (level != LIBBPF_WARN || first.program[0] != 0) return 0;
  char line[512];
  std::vsnprintf(line, sizeof line, format, arguments);
  char* text = line;
  if (std::strncmp(text, "libbpf: ", 8) == 0) text += 8;
  text[std::strcspn(text, "\n")] = 0;
  if (std::strncmp(text, "prog '", 6) == 0) {
    text += 6;
    const std::size_t name = std::strcspn(text, "'");
    std::snprintf(first.program, sizeof first.program, "%.*s", static_cast<int>(name), text);
    text += std::min(name + 3, std::strlen(text));
  } else if (first.text[0] != 0) {
    return 0;
  }
  std::snprintf(first.text, sizeof first.text, "%s", text);
  return 0;
}

bool contains(const Way& way, const char* program) {
  return std::any_of(way.programs.begin(), way.programs.end(), [&](const char* name) {
    return name != nullptr && std::strcmp(name, program) == 0;
  });
}

}  // namespace

Complaint& complaint() {
  thread_local Complaint first{};
  return first;
}

void hearComplaints() {
  libbpf_set_print(listen);
}

void Teller::say(Message::Kind kind, const char* text, bpf::part of, std::uint32_t index,
                 std::uint64_t number, int fd) const {
  Message message{kind, static_cast<std::uint8_t>(of), index, number, {}};
  std::snprintf(message.text, sizeof message.text, "%s", text);
  tell_(message, fd);
}

Plan::Plan(std::span<const Way> ways, bool library) : ways_(ways) {
  for (int of = 0; of < bpf::PARTS; ++of) way_[of] = next(of, 0);
  if (!library) way_[bpf::PART_LIBRARY] = -1;
}

int Plan::partOf(const char* program) const {
  for (int of = 0; of < bpf::PARTS; ++of)
    if (const Way* chosen = way(of); chosen != nullptr && contains(*chosen, program)) return of;
  return -1;
}

bool Plan::avoid(const char* program) {
  const int of = partOf(program);
  if (of < 0) return false;
  std::snprintf(reason_[of], sizeof reason_[of], "%s", complaint().text);
  do {
    way_[of] = next(of, at(way_[of]) + 1);
  } while (way_[of] >= 0 && contains(ways_[at(way_[of])], program));
  return true;
}

int Plan::next(int of, std::size_t from) const {
  for (std::size_t i = from; i < ways_.size(); ++i)
    if (ways_[i].of == of) return static_cast<int>(i);
  return -1;
}

double shortestCallNs() {
  constexpr int kBatches = 12, kCalls = 400;
  std::int64_t best = INT64_MAX;
  for (int batch = 0; batch < kBatches; ++batch) {
    const std::int64_t start = monoNs();
    for (int i = 0; i < kCalls; ++i) ::syscall(SYS_getppid);
    best = std::min(best, monoNs() - start);
  }
  return static_cast<double>(best) / kCalls;
}

std::string reasonOf(bpf::part of, const char* complained) {
  utsname kernel{};
  ::uname(&kernel);
  const std::string needed = missingKernel(of, kernel.release);
  const std::string reason = complained[0] != 0 ? complained : "cannot be loaded";
  return needed.empty() ? reason : needed + " (" + reason + ")";
}

void tellPart(const Teller& teller, const bpf_object* object, const Plan& plan, bpf::part of) {
  const Way* way = plan.way(of);
  if (way == nullptr) {
    teller.say(Message::trouble, reasonOf(of, plan.reason(of)).c_str(), of);
    return;
  }
  for (const char* name : way->programs) {
    if (name == nullptr) continue;
    const bpf_program* program = bpf_object__find_program_by_name(object, name);
    if (program != nullptr)
      teller.say(Message::program, name, of, 0, way->slow, bpf_program__fd(program));
  }
  if (way->lack != nullptr) teller.say(Message::trouble, way->lack, of);
}

}  // namespace virtseer::ebpf
