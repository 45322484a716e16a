#pragma once

#include <memory>
#include <vector>

#include "store/database.h"
#include "store/journal.h"
#include "store/series_store.h"
#include "store/stream.h"

namespace virtseer::store {

/// What one stream contributes to a commit.
struct CommitPart {
  Stream* stream = nullptr;  ///< for settle() on the loop's thread alone; write() leaves it alone
  StreamId id;
  Column first_name = 0;  ///< names of the columns from here on are in neither journal nor index
  Column first_unlisted = 0;      ///< names of the columns from here on are not in the index
  std::vector<SeriesName> names;  ///< from first_unlisted on
  bool new_stream = false;        ///< not in the index either
  std::vector<SlabView> rows;     ///< for the journal
  std::vector<std::vector<SlabView>> chunks;
};

/// Writes, in this order: names and rows to the journal, names and chunks to the database, and then
/// removes journal segments that nothing needs any more. Owns all that write() touches.
class DurableCommit final : public Commit {
 public:
  DurableCommit(std::shared_ptr<Journal> journal, std::shared_ptr<Database> database,
                std::int64_t now_ms)
      : journal_(std::move(journal)), database_(std::move(database)), now_ms_(now_ms) {}

  Result<void> write(bool sync) override;

  std::vector<CommitPart> parts;
  std::vector<std::uint64_t> release;   ///< segments to remove
  bool journaled = false;               ///< names and rows are in the journal
  bool synced = false;                  ///< and on the disk
  std::uint64_t segment = 0;            ///< in which one
  std::vector<std::uint64_t> released;  ///< those that were removed

 private:
  Result<void> writeJournal(bool sync);
  Result<void> writeDatabase(bool sync);
  void releaseSegments();

  std::shared_ptr<Journal> journal_;
  std::shared_ptr<Database> database_;
  std::int64_t now_ms_;
};

}  // namespace virtseer::store
