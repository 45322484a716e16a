// The source that runs programs in the kernel. A child loads them (ebpf/loaded.h); they are
// attached and paid for by ebpf/programs.h, and what they count is told (ebpf_accounts.h).
#include <cmath>
#include <memory>

#include "agent/clock.h"
#include "agent/source.h"
#include "agent/sources/ebpf_accounts.h"
#include "ebpf/programs.h"

namespace virtseer::agent {
namespace {

using namespace ebpf;

/// What can be saved up: with what all parts have so, 17 ms, less than 1 % of a core over any time
/// from five seconds on.
constexpr double kSavedNs = 2.8e6;
/// Together 0.6 %.
constexpr Programs::Terms kTerms{.parts = {{
                                     {0.0019, kSavedNs, 135, 40},
                                     {0.0011, kSavedNs, 60, 20},
                                     {0.0008, kSavedNs, 250, 20},
                                     {0.0004, kSavedNs, 300, 20},
                                     {0.0011, kSavedNs, 250, 20},
                                     {0.0007, kSavedNs, 2500, 1500},
                                 }},
                                 .syscall_ns = 135};

class EbpfSource : public Source, private Counting {
 public:
  EbpfSource(const Config& config, std::vector<std::string> avoided)
      : wanted_(config.ebpf),
        uprobes_(config.uprobes),
        avoided_(std::move(avoided)),
        programs_(kTerms, *this) {
    if (uprobes_.size() > Config::kMaxUprobes) uprobes_.resize(Config::kMaxUprobes);
    accounts_[bpf::PART_SYSCALLS] = makeSyscallAccount();
    accounts_[bpf::PART_SCHED] = makeSchedAccount();
    accounts_[bpf::PART_BLOCK] = makeBlockAccount();
    accounts_[bpf::PART_CONNECTIONS] = makeConnectionAccount();
    accounts_[bpf::PART_SERVICES] = makeServiceAccount();
    accounts_[bpf::PART_LIBRARY] = makeLibraryAccount(uprobes_);
    duty_columns_.fill(kNoColumn);
    cost_columns_.fill(kNoColumn);
    dropped_columns_.fill(kNoColumn);
  }

  std::string_view name() const override { return "ebpf"; }

  std::expected<void, std::string> open(const std::string& root) override {
    if (!wanted_) return std::unexpected("off by the configuration");
    if (!root.empty()) return std::unexpected("programs see the running kernel alone");
    if (const int error = programs_.open()) return std::unexpected(errorText(error));
    start();
    return {};
  }

  int eventFd() const override { return programs_.eventFd(); }

  void attend() override {
    if (loader_.isRunning() && loader_.receive(monoMs())) begin(loader_.take());
    if (programs_.isRunning()) programs_.tend();
  }

  void select(bool on) override {
    if (!on)
      stop();
    else if (!programs_.isRunning() && !loader_.isRunning())
      start();
  }

  void read(Round& round) override {
    attend();
    if (!programs_.isRunning()) return;
    programs_.take();
    for (Part& part : programs_.parts()) tell(round, part);
  }

  std::string trouble() const override {
    if (!failure_.empty()) return failure_;
    if (loader_.isRunning()) return "programs are being loaded";
    return programs_.trouble();
  }

 private:
  void start() {
    failure_ = virtseer::ebpf::missingRights();
    if (!failure_.empty()) return;
    failure_ = loader_.start(uprobes_, avoided_, monoMs());
    if (failure_.empty()) programs_.watch(loader_.fd());
  }

  void stop() {
    loader_.stop();
    programs_.end();
  }

  void begin(Loaded loaded) {
    failure_ = loaded.failure.empty() ? programs_.begin(std::move(loaded), uprobes_)
                                      : std::move(loaded.failure);
  }

  void restart(bpf::part part, const Loaded& loaded) override { accounts_[part]->restart(loaded); }
  void count(bpf::part part, const Boards& boards, const Duty::Taken& taken) override {
    accounts_[part]->count(boards, taken);
  }

  void tell(Round& round, Part& part) {
    const bpf::part id = part.id();
    accounts_[id]->tell(round);
    const auto set = [&](Column& column, const char* metric, double value) {
      if (column == kNoColumn) column = round.columns.add(metric, {{"part", kPartNames[id]}});
      round.row.set(column, value);
    };
    const auto thousandths = [](double value) { return std::round(value * 1000) / 1000; };
    set(duty_columns_[id], "guest_ebpf_duty_ratio",
        thousandths(part.takeOpenRatio(programs_.takenNs())));
    set(cost_columns_[id], "guest_ebpf_cost_seconds_total",
        thousandths(programs_.spentSeconds(part)));
    const auto dropped = static_cast<double>(programs_.unlisted(part));
    if (dropped > 0) set(dropped_columns_[id], "guest_ebpf_dropped_total", dropped);
  }

  bool wanted_;
  std::vector<Config::Uprobe> uprobes_;
  std::vector<std::string> avoided_;
  std::array<std::unique_ptr<Account>, bpf::PARTS> accounts_;
  std::string failure_;
  Loader loader_;
  Programs programs_;
  std::array<Column, bpf::PARTS> duty_columns_;
  std::array<Column, bpf::PARTS> cost_columns_;
  std::array<Column, bpf::PARTS> dropped_columns_;
};

}  // namespace

SourcePointer makeEbpfSource(const Config& config, std::vector<std::string> avoided) {
  return std::make_unique<EbpfSource>(config, std::move(avoided));
}

}  // namespace virtseer::agent
