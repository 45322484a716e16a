#include "agent/agent.h"

#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "agent/clock.h"
#include "virtseer/echo/text.h"
#include "virtseer/version.h"

namespace virtseer::agent {
namespace {

constexpr std::int64_t kTickMs = 100;
constexpr std::int64_t kOpenAgainMs = 1000;
/// A host that refuses, or is not there, is called again this seldom.
constexpr std::int64_t kMostPauseMs = 60'000;
constexpr std::int64_t kReadyMs = 10'000;
/// Reads of one turn; a host that floods the port does not hold up the echoes.
constexpr int kReadsPerTurn = 32;

std::vector<SourcePointer> sourcesFor(const Config& config, const std::string& role,
                                      LabCounters& counters) {
  auto sources = systemSources(config);
  if (mayWork(role)) sources.push_back(makeLabSource(counters));
  return sources;
}

sigset_t handledSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGCHLD}) sigaddset(&set, signal);
  return set;
}

}  // namespace

std::uint64_t newEpoch() {
  std::uint64_t epoch = 0;
  while (epoch == 0) {
    if (::getrandom(&epoch, sizeof epoch, 0) != sizeof epoch)
      epoch = static_cast<std::uint64_t>(monoMs()) << 16 ^ static_cast<std::uint64_t>(::getpid());
    epoch %= echo::kEpochEnd;
  }
  return epoch;
}

Agent::Agent(const Options& options)
    : config_(options.config),
      root_(options.root),
      role_(readRole(options.root)),
      interval_ms_(config_.interval_ms),
      session_({newEpoch(), kVersion, role_, config_.interval_ms}),
      sampler_(options.root, sourcesFor(config_, role_, page_.counters())),
      load_({role_, options.root, options.directory}, page_.counters().work_units),
      disk_ticks_(options.directory, page_.counters()),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      retry_ms_(kOpenAgainMs) {
  const sigset_t handled = handledSignals();
  ::sigprocmask(SIG_BLOCK, &handled, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  signals_ = Descriptor(::signalfd(-1, &handled, SFD_NONBLOCK | SFD_CLOEXEC));
  epoll_event event{.events = EPOLLIN, .data = {.fd = signals_.get()}};
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, signals_.get(), &event);
  event.data.fd = sampler_.eventFd();
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, sampler_.eventFd(), &event);
  sampler_.setTop(config_.top_processes);
  session_.setSources(sampler_.states());
}

int Agent::run() {
  const bool lab = mayWork(role_);
  next_echo_ms_ = monoMs();
  next_tick_ms_ = next_echo_ms_ + kTickMs;
  while (true) {
    std::int64_t now = monoMs();
    if (lab && now >= next_tick_ms_) tick(now);
    keepPort(now);
    if (session_.takeFresh() || now >= next_echo_ms_) {
      if (lab) disk_ticks_.ensure();
      sample(now);
    }
    std::int64_t until = next_echo_ms_;
    if (lab) until = std::min(until, next_tick_ms_);
    const bool ended = port_ && !port_->isOpen();
    until = std::min(until, ended ? now : port_ ? ready_by_ms_ : next_open_ms_);
    const Waken waken = wait(until);
    if (waken.signal && !handleSignals()) return 0;
    if (waken.sources) sampler_.attend();
    if (waken.port) {
      readPort();
      writePort(monoMs());
    }
  }
}

Agent::Waken Agent::wait(std::int64_t until_ms) {
  epoll_event events[4];
  const std::int64_t left = std::clamp<std::int64_t>(until_ms - monoMs(), 0, 60'000);
  const int count = ::epoll_wait(epoll_.get(), events, 4, static_cast<int>(left));
  Waken waken;
  for (int i = 0; i < count; ++i) {
    const int fd = events[i].data.fd;
    (fd == signals_.get()       ? waken.signal
     : fd == sampler_.eventFd() ? waken.sources
                                : waken.port) = true;
  }
  return waken;
}

/// Gives whether to go on.
bool Agent::handleSignals() {
  signalfd_siginfo info;
  bool stop = false;
  while (::read(signals_.get(), &info, sizeof info) == sizeof info)
    stop |= info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT;
  for (pid_t child; (child = ::waitpid(-1, nullptr, WNOHANG)) > 0;) {
    load_.ended(child);
    disk_ticks_.ended(child);
  }
  return !stop;
}

/// Looks after the port: one that ended is let go, one that is due is opened.
void Agent::keepPort(std::int64_t now) {
  if (port_ && port_->isReady()) ready_by_ms_ = INT64_MAX;
  if (port_ && now >= ready_by_ms_) port_->close(config_.server + ": no answer in time");
  if (port_ && port_->isCall() && session_.greeted()) {
    retry_ms_ = kOpenAgainMs;
    last_trouble_.clear();
  }
  if (port_ && !port_->isOpen()) {
    if (port_->isCall()) {
      tell(port_->reason());
      callLater(now);
    }
    port_.reset();
  }
  if (!port_ && now >= next_open_ms_) openPort(now);
}

/// Many agents that lost the same host do not come back at the same moment.
void Agent::callLater(std::int64_t now) {
  const auto spread = static_cast<std::int64_t>(session_.epoch() % 1024);
  next_open_ms_ = now + retry_ms_ * 3 / 4 + retry_ms_ * spread / 2048;
  retry_ms_ = std::min(2 * retry_ms_, kMostPauseMs);
}

void Agent::openPort(std::int64_t now) {
  next_open_ms_ = now + kOpenAgainMs;
  ready_by_ms_ = INT64_MAX;
  auto opened = agent::openPort(config_, root_);
  if (!opened) {
    tell(opened.error());
    if (!config_.server.empty()) callLater(now);
    return;
  }
  port_ = std::move(*opened);
  if (port_->isCall()) {
    session_.begin();
    ready_by_ms_ = now + kReadyMs;
  } else {
    last_trouble_.clear();
  }
  wants_room_ = port_->wantsRoom();
  if (!watchPort(EPOLL_CTL_ADD)) tell("the port cannot be waited for");
}

void Agent::tell(const std::string& trouble) {
  if (trouble != last_trouble_)
    std::fprintf(stderr, "virtseer-agent: %s\n", echo::cleanText(trouble, 1024).c_str());
  last_trouble_ = trouble;
}

/// The port is watched for changes alone (edge-triggered): while no host reads, it would report its
/// end without pause. Room for writing is asked for only where it lacked. To change a watch also
/// has it tell anew what is there already.
bool Agent::watchPort(int how) {
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.fd = port_->fd()}};
  if (wants_room_) event.events |= EPOLLOUT;
  return ::epoll_ctl(epoll_.get(), how, port_->fd(), &event) == 0;
}

void Agent::readPort() {
  if (!port_) return;
  for (int i = 0; i < kReadsPerTurn; ++i) {
    const std::string_view bytes = port_->read();
    if (bytes.empty()) return;
    session_.receive(bytes);
    obey();
  }
  watchPort(EPOLL_CTL_MOD);  // to be told again of what is left
}

void Agent::writePort(std::int64_t now) {
  if (!port_) return;
  bool full = false;
  while (!full) {
    const std::string_view bytes = session_.pending(now);
    if (bytes.empty()) break;
    const std::size_t taken = port_->write(bytes);
    session_.sent(taken);
    full = taken == 0;
  }
  full = full || port_->wantsRoom();
  if (full == wants_room_ || !port_->isOpen()) return;
  wants_room_ = full;
  watchPort(EPOLL_CTL_MOD);
}

void Agent::obey() {
  if (const auto settings = session_.takeSettings()) apply(*settings);
  if (const auto load = session_.takeLoad()) session_.answer(load_.order(*load));
}

void Agent::apply(const echo::Settings& settings) {
  if (settings.interval_ms) {
    interval_ms_ = *settings.interval_ms;
    session_.setInterval(interval_ms_);
    next_echo_ms_ = std::min(next_echo_ms_, monoMs() + interval_ms_);
  }
  if (settings.top_processes) sampler_.setTop(*settings.top_processes);
  if (settings.collectors) {
    sampler_.select(settings.collectors);
    session_.setSources(sampler_.states());
  }
}

/// Counts one tick however late it is: what is missing is the time in which the guest stood still.
void Agent::tick(std::int64_t now) {
  page_.counters().ticks.fetch_add(1, std::memory_order_relaxed);
  next_tick_ms_ = std::max(next_tick_ms_ + kTickMs, now + kTickMs / 2);
}

void Agent::sample(std::int64_t now) {
  readPort();
  session_.takeFresh();  // a greeting that came just now gets what follows
  // A late round does not shift the ones behind it; one out of turn begins a new interval.
  next_echo_ms_ = now < next_echo_ms_
                      ? now + interval_ms_
                      : std::max(next_echo_ms_ + interval_ms_, now + interval_ms_ / 2);
  const auto values = sampler_.read(session_.columns(), now, session_.kept());
  session_.setSources(sampler_.states());
  session_.push(now, values, sampler_.report());
  writePort(now);
}

}  // namespace virtseer::agent
