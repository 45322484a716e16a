#include "agent/guest_setup.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>

#include "agent/file.h"
#include "agent/scan.h"

namespace virtseer::agent {
namespace {

void mountOne(const char* type, const char* where) {
  ::mkdir(where, 0755);
  // EBUSY: the kernel or an earlier try has it there already.
  if (::mount(type, where, type, MS_NOSUID | MS_NOEXEC, nullptr) < 0 && errno != EBUSY)
    say("%s on %s: %s", type, where, std::strerror(errno));
}

void loadModule(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file || (::syscall(SYS_finit_module, file.get(), "", 0) < 0 && errno != EEXIST))
    say("module %s: %s", path.c_str(), std::strerror(errno));
}

ifreq requestFor(const std::string& interface) {
  ifreq request{};
  std::copy_n(interface.data(), std::min(interface.size(), sizeof request.ifr_name - 1),
              request.ifr_name);
  return request;
}

/// Gives whether the interface was down and is up now.
bool bringUp(int socket, const std::string& interface) {
  ifreq request = requestFor(interface);
  if (::ioctl(socket, SIOCGIFFLAGS, &request) < 0 || (request.ifr_flags & IFF_UP) != 0)
    return false;
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  if (::ioctl(socket, SIOCSIFFLAGS, &request) == 0) return true;
  say("%s: %s", interface.c_str(), std::strerror(errno));
  return false;
}

void setAddress(int socket, const std::string& interface, const Ipv4Network& network) {
  ifreq request = requestFor(interface);
  const auto order = [&](unsigned long what, std::uint32_t value) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(value);
    std::memcpy(&request.ifr_addr, &address, sizeof address);
    if (::ioctl(socket, what, &request) < 0)
      say("address of %s: %s", interface.c_str(), std::strerror(errno));
  };
  order(SIOCSIFADDR, network.address);
  order(SIOCSIFNETMASK, network.mask);
}

/// Whether something is mounted here.
bool isMountPoint(const char* path) {
  struct stat here{};
  struct stat root{};
  return ::stat(path, &here) == 0 && ::stat("/", &root) == 0 && here.st_dev != root.st_dev;
}

}  // namespace

void say(const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  ::dprintf(STDERR_FILENO, "virtseer-agent: %s\n", text);
}

void mountSystem() {
  mountOne("proc", "/proc");
  mountOne("sysfs", "/sys");
  ::mkdir("/dev", 0755);
  if (::mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, nullptr) < 0 && errno != EBUSY)
    say("devtmpfs on /dev: %s", std::strerror(errno));
  mountOne("tmpfs", "/run");
  mountOne("tmpfs", "/tmp");
  if (exists("/sys/kernel/tracing")) mountOne("tracefs", "/sys/kernel/tracing");
}

void openConsole() {
  // Without O_NONBLOCK a console whose reader stands still would hold up process 1.
  const int console = ::open("/dev/console", O_RDWR | O_NOCTTY | O_NONBLOCK);
  if (console < 0) return;
  for (int stream = 0; stream <= 2; ++stream) ::dup2(console, stream);
  if (console > 2) ::close(console);
}

void loadModules() {
  const auto order = readFile("/lib/modules/order");
  if (!order) return;
  std::string_view rest = *order;
  while (!rest.empty()) {
    std::string_view line = takeLine(rest);
    const std::string path(takeWord(line));
    if (!path.empty()) loadModule(path.starts_with('/') ? path : "/lib/modules/" + path);
  }
}

void mountData() {
  if (isMountPoint("/data")) return;
  ::mkdir("/data", 0755);
  for (char letter = 'a'; letter <= 'z'; ++letter) {
    const std::string disk = std::string("/dev/vd") + letter;
    if (!exists(disk)) continue;
    // Lazy times: a write in place and its fdatasync then need no journal of ext4.
    constexpr unsigned long kFlags = MS_NOSUID | MS_NODEV | MS_NOATIME | MS_LAZYTIME;
    if (::mount(disk.c_str(), "/data", "ext4", kFlags, nullptr) < 0) continue;
    say("/data is on %s", disk.c_str());
    return;
  }
  // What stayed would be taken for a disk by whoever writes there.
  ::rmdir("/data");
}

void onlineProcessorsAndMemory() {
  (void)writeFile("/sys/devices/system/memory/auto_online_blocks", "online");
  const std::string processors = "/sys/devices/system/cpu";
  for (const std::string& entry : entries(processors)) {
    if (!entry.starts_with("cpu") || !parseNumber(std::string_view(entry).substr(3))) continue;
    const std::string online = processors + "/" + entry + "/online";
    const auto state = readFile(online);
    if (state && *state == "0" && writeFile(online, "1")) say("%s is online", entry.c_str());
  }
}

void bringUpNetwork(const std::optional<Ipv4Network>& address) {
  const Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return;
  auto interfaces = entries("/sys/class/net");
  std::sort(interfaces.begin(), interfaces.end());
  bool first = true;
  for (const std::string& interface : interfaces) {
    const bool ethernet = interface.starts_with("e");
    if (!ethernet && interface != "lo") continue;
    const bool came_up = bringUp(socket.get(), interface);
    if (ethernet && std::exchange(first, false) && came_up && address)
      setAddress(socket.get(), interface, *address);
  }
}

}  // namespace virtseer::agent
