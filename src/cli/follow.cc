#include "cli/follow.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/operation_tables.h"
#include "cli/units.h"
#include "virtseer/api/exit_codes.h"

namespace virtseer::cli {
namespace {

constexpr Millis kPoll{500};
constexpr Millis kLongestSilence{60'000};
constexpr Millis kPlainProgress{5'000};
constexpr std::string_view kClearLine = "\r\x1b[K";

/// The exit code of an operation's end; nothing while it goes on.
std::optional<int> exitCodeOfEnd(const Json& operation) {
  static const std::map<std::string, int, std::less<>> kCodes{{"done", api::kDone},
                                                              {"refused", api::kRefused},
                                                              {"failed", api::kFailedVmSafe},
                                                              {"aborted", api::kFailedVmSafe},
                                                              {"returned", api::kFailedVmSafe},
                                                              {"needs_person", api::kNeedsPerson}};
  if (const auto code = kCodes.find(rawText(operation, {"state"})); code != kCodes.end())
    return code->second;
  return rawText(operation, {"ended_at"}).empty() ? std::nullopt : std::optional(api::kFailed);
}

/// Tells on standard error how an operation goes on.
class Telling {
 public:
  explicit Telling(const Waiting& waiting) : waiting_(waiting) {}

  /// A line of its own.
  void line(std::string_view text) {
    clear();
    waiting_.say(fmt::format("{}\n", text));
  }

  void show(const Json& operation) {
    for (const Json& step : fresh(operation)) {
      const std::string note = rawText(step, {"note"});
      line(shownText(step, {"state"}) + (note.empty() ? "" : ": " + printable(note)));
    }
    const std::string state = rawText(operation, {"state"});
    const std::string text =
        state == "migrating" ? progressText(operation)
                             : fmt::format("{} ...", state.empty() ? "waiting" : printable(state));
    if (waiting_.terminal)
      draw(text);
    else if (state == "migrating")
      sometimes(text);
  }

  /// Takes away what may be drawn over.
  void clear() {
    if (drawn_) waiting_.say(kClearLine);
    drawn_ = false;
  }

 private:
  using Moment = std::chrono::steady_clock::time_point;

  /// Steps that were not told yet. The daemon keeps a bounded number, and drops the oldest.
  std::vector<Json> fresh(const Json& operation) {
    auto steps = objects(operation, {"steps"});
    const auto told = std::ranges::find(steps.rbegin(), steps.rend(), last_);
    steps.erase(steps.begin(), told.base());
    if (!steps.empty()) last_ = steps.back();
    return steps;
  }

  void draw(const std::string& text) {
    const std::size_t most = waiting_.columns == kNoLimit ? kNoLimit : waiting_.columns - 1;
    waiting_.say(fmt::format("{}{}", kClearLine, elided(text, most)));
    drawn_ = true;
  }

  void sometimes(const std::string& text) {
    const Moment now = waiting_.clock.mono();
    if (told_ && now - *told_ < kPlainProgress) return;
    told_ = now;
    line(text);
  }

  const Waiting& waiting_;
  Json last_;  ///< the newest step that was told
  bool drawn_ = false;
  std::optional<Moment> told_;
};

/// Asks for an operation until it has ended or time is up.
class Following {
 public:
  Following(const MigrateVm& command, std::string id, Output output, const Transport& transport,
            const Waiting& waiting, std::size_t room)
      : command_(command),
        id_(std::move(id)),
        output_(output),
        transport_(transport),
        waiting_(waiting),
        room_(room),
        telling_(waiting),
        begun_(waiting.clock.mono()),
        heard_(begun_) {}

  Outcome run() {
    for (;;) {
      if (auto outcome = look()) return std::move(*outcome);
      if (timeIsUp()) return atDeadline();
      waiting_.pause(kPoll);
    }
  }

 private:
  /// Asks once; the outcome if that was all.
  std::optional<Outcome> look() {
    constexpr unsigned kServerError = 500;
    auto reply = transport_(requestOf(ShowOperation{id_}));
    if (!reply || reply->status >= kServerError) return missed(reply);
    heard_ = waiting_.clock.mono();
    silent_ = false;
    if (exitCodeOf(reply->status) != api::kDone) return cleared(refusedBy(*reply, output_));
    const auto operation = parseObject(reply->body);
    if (!operation) return cleared(nonsense(operation.error()));
    telling_.show(*operation);
    newest_ = *operation;
    body_ = std::move(reply->body);
    const auto code = exitCodeOfEnd(newest_);
    return code ? std::optional(endedWith(*code)) : std::nullopt;
  }

  std::optional<Outcome> missed(const Result<Reply>& reply) {
    if (!std::exchange(silent_, true))
      telling_.line("the daemon does not answer; the operation goes on by itself, asking again");
    if (waiting_.clock.mono() - heard_ < kLongestSilence && !timeIsUp()) return std::nullopt;
    Outcome outcome = reply ? refusedBy(*reply, output_) : unanswered(reply.error());
    outcome.exit_code = api::kNotReachable;
    outcome.err += fmt::format("virtseer: how operation {} goes on is not known\n", printable(id_));
    return cleared(std::move(outcome));
  }

  bool timeIsUp() const {
    return command_.timeout && waiting_.clock.mono() - begun_ >= *command_.timeout;
  }

  Outcome cleared(Outcome outcome) {
    telling_.clear();
    return outcome;
  }

  Outcome endedWith(int code) {
    telling_.clear();
    Outcome outcome{code, body_, ""};
    if (output_ == Output::table) {
      auto text = operationText(body_, waiting_.clock.wall(), room_);
      if (!text) return nonsense(text.error());
      outcome.out = std::move(*text);
    }
    if (code != api::kDone) {
      const std::string message = rawText(newest_, {"message"});
      outcome.err = fmt::format(
          "virtseer: {}\n", message.empty() ? shownText(newest_, {"state"}) : printable(message));
    }
    return outcome;
  }

  Outcome atDeadline() {
    const bool uncertain = rawText(newest_, {"state"}) == "uncertain";
    Outcome outcome = endedWith(uncertain ? api::kNeedsPerson : api::kFailed);
    outcome.err =
        fmt::format("virtseer: operation {} is still {}; it goes on: virtseer operation {}\n",
                    printable(id_), shownText(newest_, {"state"}), printable(id_));
    return outcome;
  }

  const MigrateVm& command_;
  std::string id_;
  Output output_;
  const Transport& transport_;
  const Waiting& waiting_;
  std::size_t room_;
  Telling telling_;
  std::chrono::steady_clock::time_point begun_, heard_;
  bool silent_ = false;
  Json newest_;
  std::string body_;
};

}  // namespace

Outcome migrateAndFollow(const MigrateVm& command, Output output, const Transport& transport,
                         const Waiting& waiting, std::size_t room) {
  const auto begun = transport(requestOf(command));
  if (!begun) return unanswered(begun.error());
  if (exitCodeOf(begun->status) != api::kDone) return refusedBy(*begun, output);
  const auto answer = parseObject(begun->body);
  if (!answer) return nonsense(answer.error());
  const std::string id = rawText(*answer, {"operation", "id"});
  if (id.empty())
    return nonsense({Code::corrupt, "the daemon's answer does not tell the operation's id"});
  return Following(command, id, output, transport, waiting, room).run();
}

}  // namespace virtseer::cli
