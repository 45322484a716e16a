#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "platform/appliance.h"

namespace virtseer::platform {
namespace {

constexpr const char* kMetaPackage = "linux-image-cloud-amd64";
constexpr std::size_t kMaxOutput = 1 << 20;

/// What `arguments` prints, run in `folder`; its errors go where ours go.
Result<std::string> output(std::vector<std::string> arguments,
                           const std::filesystem::path& folder) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return fail(Code::failed, fmt::format("pipe: {}", std::strerror(errno)));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  const int fault = ::posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  std::string text;
  char block[4096];
  for (ssize_t got = 0; fault == 0 && ((got = ::read(ends[0], block, sizeof block)) > 0 ||
                                       (got < 0 && errno == EINTR));)
    if (got > 0 && text.size() < kMaxOutput) text.append(block, static_cast<std::size_t>(got));
  ::close(ends[0]);
  if (fault != 0)
    return fail(Code::failed, fmt::format("cannot run {}: {}", arguments[0], std::strerror(fault)));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return fail(Code::failed, fmt::format("{} {} failed", arguments[0], arguments[1]));
  return text;
}

}  // namespace

Result<std::string> kernelPackageName(const std::string& apt_cache_output) {
  constexpr std::string_view kDepends = "Depends: ";
  constexpr std::string_view kPrefix = "linux-image-";
  const auto start = apt_cache_output.find(kDepends);
  if (start != std::string::npos) {
    std::string name = apt_cache_output.substr(start + kDepends.size());
    name.resize(std::min(name.find_first_of(" \n\t"), name.size()));
    const bool plain = name.starts_with(kPrefix) && std::ranges::all_of(name, [](char c) {
                         return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                                std::string_view("+-.").contains(c);
                       });
    if (plain) return name;
  }
  return fail(
      Code::not_found,
      fmt::format("apt does not know which kernel {} depends on: run apt-get update, or name one "
                  "with --kernel FILE.deb",
                  kMetaPackage));
}

Result<std::filesystem::path> downloadKernelPackage(const std::filesystem::path& folder) {
  const auto listed = output({"env", "LC_ALL=C", "apt-cache", "depends", kMetaPackage}, folder);
  if (!listed) return fail(listed.error());
  const auto name = kernelPackageName(*listed);
  if (!name) return fail(name.error());
  // apt's unprivileged download user cannot enter a private folder.
  const auto done =
      output({"apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", *name}, folder);
  if (!done) return fail(done.error());
  std::error_code wrong;
  for (const auto& entry : std::filesystem::directory_iterator(folder, wrong))
    if (entry.path().extension() == ".deb") return entry.path();
  return fail(Code::failed, fmt::format("apt-get downloaded no package into {}", folder.string()));
}

}  // namespace virtseer::platform
