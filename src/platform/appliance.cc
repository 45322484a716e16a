#include "platform/appliance.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>

#include "platform/appliance_initramfs.h"
#include "platform/appliance_modules.h"
#include "platform/appliance_package.h"

namespace virtseer::platform {
namespace {

constexpr std::size_t kMaxAgentBytes = 64u << 20;

constexpr std::array kNeeded = {"virtio_ring",
                                "virtio",
                                "virtio_pci_legacy_dev",
                                "virtio_pci_modern_dev",
                                "virtio_pci",
                                "virtio_blk",
                                "failover",
                                "net_failover",
                                "virtio_net",
                                "virtio_console",
                                "virtio_balloon",
                                "virtio_rng",
                                "virtio_mem",
                                "qemu_fw_cfg",
                                "inet_diag",
                                "tcp_diag",
                                "button",
                                "evdev"};
constexpr std::array kWelcome = {"vsock", "vmw_vsock_virtio_transport_common",
                                 "vmw_vsock_virtio_transport", "vsock_loopback"};

std::unexpected<Error> systemFault(std::string_view what, const std::filesystem::path& path) {
  const Code code = errno == ENOSPC ? Code::full : errno == ENOENT ? Code::not_found : Code::failed;
  return fail(code, fmt::format("{} {}: {}", what, path.string(), std::strerror(errno)));
}

Result<std::string> readAgent(const std::filesystem::path& file) {
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  if (!in) return systemFault("cannot read the agent", file);
  std::string bytes(kMaxAgentBytes + 1, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(in.gcount()));
  if (bytes.size() > kMaxAgentBytes)
    return fail(Code::invalid, fmt::format("{} is too large", file.string()));
  if (!isStaticExecutable(bytes))
    return fail(
        Code::invalid,
        fmt::format("{} is not a static x86-64 executable: it could not start as a first process",
                    file.string()));
  return bytes;
}

/// The package's kernel and the modules wanted with all that they depend on.
struct Selection {
  KernelFiles files;
  std::map<std::string, std::vector<std::string>> depends;
};

Result<Selection> select(const std::filesystem::path& package) {
  constexpr int kMaxRounds = 8;  // each follows the dependencies one step further; none is usual
  std::set<std::string> wanted(kNeeded.begin(), kNeeded.end());
  wanted.insert(kWelcome.begin(), kWelcome.end());
  for (int round = 0; round < kMaxRounds; ++round) {
    auto files = readKernelPackage(package, wanted);
    if (!files) return fail(files.error());
    Selection out{std::move(*files), {}};
    const std::size_t before = wanted.size();
    for (const auto& [name, bytes] : out.files.modules) {
      auto needs = moduleDepends(bytes);
      if (!needs) return fail(needs.error().in(name));
      for (const std::string& need : *needs)
        if (!out.files.built_in.contains(need)) wanted.insert(need);
      out.depends.emplace(name, std::move(*needs));
    }
    if (wanted.size() == before) return out;
  }
  return fail(Code::corrupt,
              fmt::format("{}: the modules' dependencies do not end", package.string()));
}

/// A needed module, or one that a chosen module depends on, that the package lacks.
Result<void> checkComplete(const Selection& selection) {
  std::string missing;
  const auto need = [&](const std::string& name) {
    const bool there =
        selection.files.modules.contains(name) || selection.files.built_in.contains(name);
    if (!there) missing += fmt::format("{}{}", missing.empty() ? "" : ", ", name);
  };
  for (const char* name : kNeeded) need(name);
  for (const auto& [name, needs] : selection.depends)
    for (const std::string& other : needs) need(other);
  if (missing.empty()) return {};
  return fail(Code::not_found, fmt::format("the kernel package lacks the modules {}", missing));
}

/// A file that takes its name only once all of it is on the disk.
class Staged {
 public:
  explicit Staged(std::filesystem::path target) : target_(std::move(target)) {}
  Staged(const Staged&) = delete;
  Staged& operator=(const Staged&) = delete;
  ~Staged() {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  Result<void> write(std::string_view bytes) {
    std::string pattern = target_.string() + ".XXXXXX";
    const int fd = ::mkostemp(pattern.data(), O_CLOEXEC);
    if (fd < 0) return systemFault("cannot write beside", target_);
    temporary_ = pattern;
    bool written = true;
    while (written && !bytes.empty()) {
      const ssize_t count = ::write(fd, bytes.data(), bytes.size());
      if (count > 0)
        bytes.remove_prefix(static_cast<std::size_t>(count));
      else
        written = count < 0 && errno == EINTR;
    }
    written = written && ::fchmod(fd, 0644) == 0 && ::fsync(fd) == 0;
    const int fault = errno;
    ::close(fd);
    errno = fault;
    if (!written) return systemFault("cannot write", temporary_);
    return {};
  }

  Result<void> rename() {
    if (::rename(temporary_.c_str(), target_.c_str()) != 0)
      return systemFault("cannot rename to", target_);
    temporary_.clear();
    return {};
  }

 private:
  std::filesystem::path target_, temporary_;
};

Result<void> install(const ApplianceReport& report, std::string_view kernel,
                     std::string_view archive) {
  std::error_code wrong;
  std::filesystem::create_directories(report.vmlinuz.parent_path(), wrong);
  if (wrong)
    return fail(Code::failed, fmt::format("cannot make {}: {}",
                                          report.vmlinuz.parent_path().string(), wrong.message()));
  Staged vmlinuz(report.vmlinuz), initramfs(report.initramfs);
  if (auto done = vmlinuz.write(kernel); !done) return done;
  if (auto done = initramfs.write(archive); !done) return done;
  if (auto done = vmlinuz.rename(); !done) return done;
  return initramfs.rename();
}

}  // namespace

Result<ApplianceReport> buildAppliance(const ApplianceRequest& request) {
  const auto agent = readAgent(request.agent);
  if (!agent) return fail(agent.error());
  const auto selection = select(request.kernel_package);
  if (!selection) return fail(selection.error());
  if (auto complete = checkComplete(*selection); !complete) return fail(complete.error());

  std::vector<std::string> wanted(kNeeded.begin(), kNeeded.end());
  wanted.insert(wanted.end(), kWelcome.begin(), kWelcome.end());
  auto order = loadOrder(wanted, selection->depends);
  if (!order) return fail(order.error());
  std::vector<InitramfsModule> modules;
  for (const std::string& name : *order)
    modules.push_back({name, selection->files.modules.at(name)});
  const auto archive = initramfs(*agent, modules);
  if (!archive) return fail(archive.error());

  ApplianceReport report;
  report.kernel_version = selection->files.version;
  report.vmlinuz = request.output / "vmlinuz";
  report.initramfs = request.output / "initramfs.gz";
  report.vmlinuz_bytes = selection->files.vmlinuz.size();
  report.initramfs_bytes = archive->size();
  report.agent_bytes = agent->size();
  report.modules = std::move(*order);
  std::ranges::copy_if(wanted, std::back_inserter(report.built_in), [&](const std::string& name) {
    return selection->files.built_in.contains(name);
  });
  if (auto done = install(report, selection->files.vmlinuz, *archive); !done)
    return fail(done.error());
  return report;
}

}  // namespace virtseer::platform
