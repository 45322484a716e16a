#include "agent/init.h"

#include <fcntl.h>
#include <linux/input.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/agent.h"
#include "agent/child.h"
#include "agent/clock.h"
#include "agent/guest_setup.h"
#include "agent/scan.h"

namespace virtseer::agent {
namespace {

constexpr std::int64_t kRestartMs = 1000;
/// How long the agent has to end by itself before the machine goes down.
constexpr std::int64_t kEndMs = 3000;

/// Process 1: what it knows between two events.
class Init {
 public:
  Init() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT, SIGCHLD}) sigaddset(&set, signal);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    signals_ = Descriptor(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  }

  [[noreturn]] void run() {
    setUp();
    startAgent();
    say("ready uptime=%s", uptime().c_str());
    while (true) {
      waitForEvents();
      if (agent_ <= 0 && monoMs() >= start_again_ms_) startAgent();
    }
  }

 private:
  void setUp() {
    mountSystem();
    openConsole();
    ::reboot(RB_DISABLE_CAD);  // from now on ctrl-alt-del is a SIGINT to us
    listenToKernel();
    loadModules();
    if (const auto line = readFile("/proc/cmdline")) command_line_ = *line;
    settle();
  }

  static std::string uptime() {
    const auto content = readFile("/proc/uptime");
    std::string_view line = content ? std::string_view(*content) : std::string_view{};
    return std::string(takeWord(line));
  }

  void listenToKernel() {
    kernel_ = Descriptor(
        ::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT));
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = 1;
    if (!kernel_ ||
        ::bind(kernel_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0)
      say("device events: %s", errorText(errno).c_str());
  }

  /// Brings whatever has appeared into use.
  void settle() {
    mountData();
    onlineProcessorsAndMemory();
    std::optional<Ipv4Network> address;
    if (const auto text = kernelArgument(command_line_, "virtseer.ip")) {
      address = parseIpv4Network(*text);
      if (!address) say("virtseer.ip is not an address with a prefix length");
    }
    bringUpNetwork(address);
    openButtons();
  }

  /// Without the module for input events there is no such device, and the button does nothing.
  void openButtons() {
    for (const std::string& entry : entries("/dev/input")) {
      if (!entry.starts_with("event") || !known_buttons_.insert(entry).second) continue;
      const std::string path = "/dev/input/" + entry;
      Descriptor fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
      if (fd) buttons_.push_back(std::move(fd));
    }
  }

  void startAgent() {
    Agent::Options options;
    if (const auto text = kernelArgument(command_line_, "virtseer.interval_ms")) {
      const auto interval = parseInterval(std::string(*text) + "ms");
      if (interval)
        options.config.interval_ms = *interval;
      else
        say("virtseer.interval_ms is not from 200 to 3600000");
    }
    start_again_ms_ = monoMs() + kRestartMs;
    agent_ = forkChild([&] { ::_exit(Agent(options).run()); });
    if (agent_ < 0) say("the agent cannot be started: %s", errorText(errno).c_str());
  }

  void waitForEvents() {
    std::vector<pollfd> watched{{signals_.get(), POLLIN, 0}, {kernel_.get(), POLLIN, 0}};
    for (const Descriptor& button : buttons_) watched.push_back({button.get(), POLLIN, 0});
    const int timeout = agent_ > 0 ? -1 : static_cast<int>(kRestartMs);
    if (::poll(watched.data(), watched.size(), timeout) <= 0) return;
    if (watched[0].revents != 0) handleSignals();
    for (std::size_t i = 2; i < watched.size(); ++i)
      if (watched[i].revents != 0) handleButton(buttons_[i - 2]);
    std::erase_if(buttons_, [](const Descriptor& button) { return !button; });
    if (watched[1].revents != 0 && devicesChanged()) settle();
  }

  void handleSignals() {
    signalfd_siginfo info;
    while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
      if (info.ssi_signo == SIGTERM) end(RB_POWER_OFF);
      if (info.ssi_signo == SIGINT) end(RB_AUTOBOOT);
    }
    int status = 0;
    for (pid_t child; (child = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      if (child != agent_) continue;
      say("the agent ended with status %d, it is started again", status);
      agent_ = 0;
      start_again_ms_ = monoMs() + kRestartMs;
    }
  }

  void handleButton(Descriptor& button) {
    input_event event;
    ssize_t size;
    while ((size = ::read(button.get(), &event, sizeof event)) == sizeof event)
      if (event.type == EV_KEY && event.code == KEY_POWER && event.value == 1) end(RB_POWER_OFF);
    if (size < 0 && errno == ENODEV) button.reset();
  }

  /// Reads what the kernel told; gives whether any of it needs `settle`.
  bool devicesChanged() {
    char event[8192];
    bool changed = false;
    ssize_t size;
    while ((size = ::recv(kernel_.get(), event, sizeof event, 0)) != 0) {
      if (size < 0 && errno == ENOBUFS)
        changed = true;
      else if (size < 0)
        break;
      else
        changed |= matters({event, static_cast<std::size_t>(size)});
    }
    return changed;
  }

  static bool matters(std::string_view event) {
    if (!event.starts_with("add@") && !event.starts_with("online@")) return false;
    for (const std::string_view kind : {"cpu", "memory", "block", "net", "input"}) {
      const std::string field = "SUBSYSTEM=" + std::string(kind) + '\0';
      if (event.find(field) != event.npos) return true;
    }
    return false;
  }

  [[noreturn]] void end(int how) {
    say(how == RB_POWER_OFF ? "powering off" : "restarting");
    ::kill(-1, SIGTERM);
    const std::int64_t deadline = monoMs() + kEndMs;
    while (agent_ > 0 && monoMs() < deadline) {
      if (::waitpid(agent_, nullptr, WNOHANG) != 0) break;
      pauseMs(20);
    }
    ::kill(-1, SIGKILL);
    ::umount2("/data", 0);
    ::sync();
    ::reboot(how);
    while (true) ::pause();
  }

  Descriptor signals_;
  Descriptor kernel_;
  std::vector<Descriptor> buttons_;
  std::set<std::string> known_buttons_;
  std::string command_line_;
  pid_t agent_ = 0;
  std::int64_t start_again_ms_ = 0;
};

}  // namespace

void runAsInit() {
  Init init;
  init.run();
}

}  // namespace virtseer::agent
