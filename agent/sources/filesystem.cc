#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <string>

#include "agent/figures.h"
#include "agent/mounts.h"
#include "agent/source.h"
#include "virtseer/echo/text.h"

namespace virtseer::agent {
namespace {

/// Rounds between two looks at whether anything was mounted or unmounted.
constexpr int kRoundsPerLook = 6;
/// File systems that can ever get columns.
constexpr std::size_t kMaxFilesystems = 32;

constexpr std::array<std::string_view, 6> kMetrics{
    "guest_filesystem_size_bytes",      "guest_filesystem_free_bytes",
    "guest_filesystem_available_bytes", "guest_filesystem_inodes",
    "guest_filesystem_free_inodes",     "guest_filesystem_read_only"};
enum Metric : std::size_t { kSize, kFree, kAvailable, kInodes, kFreeInodes, kReadOnly };

class FilesystemSource : public Source {
 public:
  std::string_view name() const override { return "filesystem"; }

  std::expected<void, std::string> open(const std::string& root) override {
    root_ = root;
    const std::string path = root + "/proc/self/mountinfo";
    if (auto opened = mountinfo_.open(path); !opened) return opened;
    changes_ = Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct statfs status{};
    tells_changes_ = ::fstatfs(changes_.get(), &status) == 0 && status.f_type == PROC_SUPER_MAGIC;
    return {};
  }

  void read(Round& round) override {
    if (rounds_to_look_-- == 0) {
      rounds_to_look_ = kRoundsPerLook - 1;
      if (!looked_ || mayHaveChanged()) look(round);
    }
    for (const Entry& entry : mounted_) ask(round, entry);
  }

  std::string trouble() const override {
    if (refused_ == 0) return {};
    return "only the first " + std::to_string(kMaxFilesystems) + " file systems are told";
  }

 private:
  using Figures = std::array<Column, kMetrics.size()>;
  struct Known {
    std::string point;  ///< as it is told
    Figures columns;
  };
  struct Entry {
    Mount mount;
    std::string path;
    std::size_t known;
  };

  /// The kernel reports a change of the mounts as an exceptional condition (proc(5)), but not that
  /// of a file system's own state: that is looked at where no other way tells it.
  bool mayHaveChanged() {
    if (!tells_changes_) return true;
    if (std::any_of(mounted_.begin(), mounted_.end(),
                    [](const Entry& entry) { return entry.mount.view_read_only; }))
      return true;
    pollfd change{.fd = changes_.get(), .events = POLLPRI, .revents = 0};
    return ::poll(&change, 1, 0) > 0;
  }

  void look(Round& round) {
    const auto content = mountinfo_.read(round.scratch);
    if (!content) return;
    looked_ = true;
    mounted_.clear();
    for (Mount& mount : localMounts(*content, kMaxFilesystems + 1)) {
      const std::size_t known = placeOf(echo::cleanText(mount.point));
      if (known == known_.size()) continue;
      std::string path = root_ + mount.point;
      mounted_.push_back({std::move(mount), std::move(path), known});
    }
  }

  /// known_.size(): it finds no place, or another one is told by this name.
  std::size_t placeOf(const std::string& point) {
    const auto found = std::find_if(known_.begin(), known_.end(),
                                    [&](const Known& known) { return known.point == point; });
    const auto place = static_cast<std::size_t>(found - known_.begin());
    if (found != known_.end()) {
      const bool taken = std::any_of(mounted_.begin(), mounted_.end(),
                                     [&](const Entry& entry) { return entry.known == place; });
      return taken ? known_.size() : place;
    }
    if (known_.size() >= kMaxFilesystems) {
      ++refused_;
      return known_.size();
    }
    known_.push_back({point, {}});
    known_.back().columns.fill(kNoColumn);
    return place;
  }

  void ask(Round& round, const Entry& entry) {
    struct statvfs status{};
    if (::statvfs(entry.path.c_str(), &status) != 0) return;
    const auto unit = static_cast<double>(status.f_frsize);
    set(round, entry, kSize, static_cast<double>(status.f_blocks) * unit);
    set(round, entry, kFree, static_cast<double>(status.f_bfree) * unit);
    set(round, entry, kAvailable, static_cast<double>(status.f_bavail) * unit);
    if (status.f_files > 0) {  // some make inodes as they need them
      set(round, entry, kInodes, static_cast<double>(status.f_files));
      set(round, entry, kFreeInodes, static_cast<double>(status.f_ffree));
    }
    // Where the agent's own view of the mounts is read-only, as a service's may be, the answer says
    // nothing of the file system.
    const bool read_only =
        entry.mount.view_read_only ? entry.mount.read_only : (status.f_flag & ST_RDONLY) != 0;
    set(round, entry, kReadOnly, read_only ? 1 : 0);
  }

  void set(Round& round, const Entry& entry, Metric metric, double value) {
    Known& known = known_[entry.known];
    Column& column = known.columns[metric];
    if (column == kNoColumn)
      column = round.columns.add(kMetrics[metric], {{"mountpoint", known.point}});
    round.row.set(column, value);
  }

  std::string root_;
  KernelFile mountinfo_;
  Descriptor changes_;  ///< of its own: what is reported of it is not taken by reading
  bool tells_changes_ = false;
  bool looked_ = false;
  int rounds_to_look_ = 0;
  std::vector<Entry> mounted_;
  std::vector<Known> known_;
  std::size_t refused_ = 0;
};

}  // namespace

SourcePointer makeFilesystemSource() {
  return std::make_unique<FilesystemSource>();
}

}  // namespace virtseer::agent
