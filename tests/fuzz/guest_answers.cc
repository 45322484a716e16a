#include "platform/libvirt/guest_answers.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/text.h"

/// Whatever a qemu-guest-agent answers, what is taken of it keeps its bounds and can be shown.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace virtseer;
  using namespace virtseer::platform;
  constexpr std::size_t kMostShown = 4 * 128;  // each byte may become \xNN
  const std::string_view answer(reinterpret_cast<const char*>(data), size);
  const auto sound = [](const std::string& text) {
    return text.size() <= 2 * kMostShown + 1 && printable(text) == text;
  };
  GuestFacts facts;
  for (const auto question : kGuestQuestions) takeGuestAnswer(question, answer, facts);
  if (!sound(facts.os) || !sound(facts.kernel) || !sound(facts.hostname)) std::abort();
  if (facts.filesystems.size() > GuestFacts::kMostFilesystems) std::abort();
  for (const auto& each : facts.filesystems)
    if (each.mountpoint.empty() || !sound(each.mountpoint) || !sound(each.type)) std::abort();
  if (const auto time = guestTime(answer); time && time->count() < 0) std::abort();
  return 0;
}
