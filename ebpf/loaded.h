#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "ebpf/descriptor.h"
#include "ebpf/programs/board.h"
#include "ebpf/uprobe.h"

namespace virtseer::ebpf {

/// Maps that are read, by the number they are handed over with.
enum Map : std::uint8_t {
  kBoardMap,
  kCpusMap,
  kClosingsMap,
  kSyscallsMap,
  kConnectionsMap,
  kLibraryMap,
  kGroupsMap,
  kMembersMap,
  kMaps,
};

/// What the loader hands over.
struct Loaded {
  struct Program {
    bpf::part part;
    bool slow;  ///< detaching it waits for all processors
    Descriptor fd;
  };
  /// Where a function lies in its file.
  struct Function {
    std::uint32_t index;  ///< among the uprobes that were asked for
    std::uint64_t offset;
  };
  std::vector<Program> programs;
  std::array<Descriptor, kMaps> maps;
  std::vector<Function> functions;
  std::array<std::string, bpf::PARTS> troubles;  ///< why a part is not there or lacks something
  double syscall_ns = 0;  ///< what counting one system call takes here; 0: not measured
  std::string failure;    ///< why there is nothing at all
};

/// What the loader says, one a message; a descriptor comes beside it.
struct Message {
  enum Kind : std::uint8_t { program, map, function, trouble, cost, failure, done };
  Kind kind = done;
  std::uint8_t part = 0;
  std::uint32_t index = 0;
  std::uint64_t number = 0;
  char text[224] = {};
};

/// Puts what a message says into `loaded`, failures too; true: it was the last one.
bool note(Loaded& loaded, const Message& message, Descriptor fd);

/// Whether this process may load programs at all; else what it lacks.
std::string missingRights();

/// Loads the programs that watch a machine in a child of its own: the megabytes and the second that
/// it takes do not weigh on this process, and what breaks there breaks nothing here. For programs
/// with a single thread.
class Loader {
 public:
  Loader() = default;
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;
  ~Loader() { stop(); }

  /// Starts it; it does without the programs `avoided`. Failure: why not.
  std::string start(const std::vector<Uprobe>& uprobes, const std::vector<std::string>& avoided,
                    std::int64_t now_ms);
  /// Ends it.
  void stop();
  bool isRunning() const { return static_cast<bool>(socket_); }
  /// Readable when `receive` should be called.
  int fd() const { return socket_.get(); }
  /// Takes what has come; true: that was all, and `take` gives it.
  bool receive(std::int64_t now_ms);
  Loaded take();

 private:
  void finish(std::string failure);

  Descriptor socket_;
  pid_t child_ = 0;
  std::int64_t started_ms_ = 0;
  Loaded loaded_;
};

/// The child's side: loads, tells through `socket`, and returns.
void load(int socket, const std::vector<Uprobe>& uprobes, const std::vector<std::string>& avoided,
          std::uint32_t left_out);

/// What a part lacks on a kernel of this release (as `uname -r` tells it), e.g. "needs Linux 5.12";
/// empty: its age is no reason for what fails.
std::string missingKernel(bpf::part of, const char* release);

/// Where in the file at `path` the function `symbol` lies; 0 and the reason where it is not found.
std::uint64_t functionOffset(const std::string& path, const std::string& symbol,
                             std::string& reason);

}  // namespace virtseer::ebpf
