#include <map>
#include <mutex>

#include "store/durable_events.h"

namespace virtseer::store {
namespace {

constexpr char kVersion = '\1';

/// A change that is not written yet; `turn` tells it from a later one of the same key.
struct Pending {
  std::uint64_t turn = 0;
  std::optional<std::string> value;
};

struct Waiting {
  std::mutex mutex;
  std::map<std::string, Pending> changes;
};

Result<void> writeWaiting(Database& database, Waiting& waiting) {
  std::map<std::string, Pending> batch;
  {
    const std::lock_guard lock(waiting.mutex);
    batch = waiting.changes;
  }
  if (batch.empty()) return {};
  std::vector<Change> changes;
  for (const auto& [key, pending] : batch) {
    changes.push_back({Family::settings, key, pending.value});
    if (pending.value) changes.back().value->insert(0, 1, kVersion);
  }
  if (auto written = database.write(changes, true); !written) return written;
  const std::lock_guard lock(waiting.mutex);
  for (const auto& [key, pending] : batch) {
    const auto now = waiting.changes.find(key);
    if (now != waiting.changes.end() && now->second.turn == pending.turn)
      waiting.changes.erase(now);
  }
  return {};
}

class DurableSettings final : public Settings {
 public:
  DurableSettings(std::shared_ptr<Database> database, std::map<std::string, std::string> values)
      : database_(std::move(database)), values_(std::move(values)) {}

  std::optional<std::string> get(const std::string& key) const override {
    const auto found = values_.find(key);
    return found == values_.end() ? std::nullopt : std::optional(found->second);
  }
  std::vector<std::pair<std::string, std::string>> list(const std::string& prefix) const override {
    std::vector<std::pair<std::string, std::string>> all;
    for (auto at = values_.lower_bound(prefix); at != values_.end(); ++at) {
      if (!at->first.starts_with(prefix)) break;
      all.emplace_back(at->first, at->second);
    }
    return all;
  }
  void put(const std::string& key, std::string value) override {
    note(key, value);
    values_.insert_or_assign(key, std::move(value));
  }
  void erase(const std::string& key) override {
    if (values_.erase(key) > 0) note(key, std::nullopt);
  }
  std::function<Result<void>()> writer() override {
    const std::lock_guard lock(waiting_->mutex);
    if (waiting_->changes.empty()) return {};
    return [database = database_, waiting = waiting_] { return writeWaiting(*database, *waiting); };
  }

 private:
  void note(const std::string& key, std::optional<std::string> value) {
    const std::lock_guard lock(waiting_->mutex);
    waiting_->changes.insert_or_assign(key, Pending{++turn_, std::move(value)});
  }

  std::shared_ptr<Database> database_;
  std::shared_ptr<Waiting> waiting_ = std::make_shared<Waiting>();
  std::map<std::string, std::string> values_;
  std::uint64_t turn_ = 0;
};

}  // namespace

Result<std::unique_ptr<Settings>> openSettings(std::shared_ptr<Database> database) {
  std::map<std::string, std::string> values;
  const auto cursor = database->cursor(Family::settings);
  for (cursor->seek(""); cursor->valid(); cursor->next()) {
    const auto value = cursor->value();
    if (value.empty() || value[0] != kVersion) continue;
    values.emplace(cursor->key(), value.substr(1));
  }
  if (auto status = cursor->status(); !status) return fail(status.error());
  return std::make_unique<DurableSettings>(std::move(database), std::move(values));
}

}  // namespace virtseer::store
