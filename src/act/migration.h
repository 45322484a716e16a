#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "act/answers.h"
#include "act/operations.h"
#include "act/preflight.h"
#include "act/settle.h"
#include "act/verify.h"
#include "base/task_group.h"

namespace virtseer::act {

/// What all migrations of this daemon share; outlives them.
struct Departures {
  const Clock& clock;
  platform::Actions& here;
  Peers& peers;
  Journal& journal;
  MigrationContext context;
  MigrationRules rules;
  TaskGroup tasks;

  bool stopped() const { return context.stopped && context.stopped(); }
};

/// Asks this host's libvirt what pre-flight goes by. Fails if libvirt is silent.
boost::asio::awaitable<Result<DepartureFacts>> gatherFacts(Departures& shared, Uuid vm,
                                                           OperationOrigin origin,
                                                           std::shared_ptr<Peer> peer,
                                                           std::optional<bool> copy_storage);

/// What a destination is asked for.
ReserveOrder reserveOrder(const Operation& operation, const Host& self, std::string live_xml,
                          std::vector<DiskCopy> copied, std::vector<std::string> storage);

/// One migration: goes from the state that its operation is in to an ended one. Each state is
/// written down before it is acted upon. Loop thread; owned by the coroutines that run it.
class Migration : public std::enable_shared_from_this<Migration> {
 public:
  /// `taken_up`: by an earlier life of the daemon; nothing that it began is taken for granted.
  Migration(Departures& shared, Operation operation, std::optional<bool> copy_storage,
            bool taken_up);

  const Operation& operation() const { return op_; }
  /// Without the definition, which holds secrets and is large: it is never copied.
  Operation told();
  /// Asks it to end; returns once that is written down.
  static boost::asio::awaitable<Result<Operation>> abort(std::shared_ptr<Migration> self);
  /// A person's word that the silent destination is off for good: it is ended without it. Returns
  /// once that is written down.
  static boost::asio::awaitable<Result<Operation>> fence(std::shared_ptr<Migration> self);

  /// If it was ended on such a word: looks on until that host answers, and tells if the word was
  /// wrong.
  void heedWord();

  /// Runs it to its end; never fails.
  static boost::asio::awaitable<void> run(std::shared_ptr<Migration> self);

 private:
  template <class T>
  using Task = boost::asio::awaitable<T>;

  /// Why it is called off before anything moved.
  struct CallOff {
    OperationState state;
    std::string message;
  };
  using MaybeOff = std::optional<CallOff>;

  /// libvirt's call, which may hang; outlives the migration's own interest in it.
  struct Call {
    std::optional<Result<platform::MigrateEnd>> end;
  };

  /// Where the VM is, asked of both sides, the source first: once that is off, what the destination
  /// says next cannot be older.
  struct Sides {
    std::optional<Presence> source;
    std::optional<RemoteVm> destination;
    /// While the VM is at both hosts: whether the destination's daemon takes its copy for the VM,
    /// for good; absent: it was not asked, or does not say.
    std::optional<bool> confirmed;
    std::chrono::steady_clock::time_point since;  ///< both have said the same
    bool asked = false;
  };

  /// While one lives nobody else writes the operation down: an older state of it must not come to
  /// lie over a newer one.
  class Turn {
   public:
    explicit Turn(bool& taken) : taken_(&taken) { taken = true; }
    Turn(Turn&& other) noexcept : taken_(std::exchange(other.taken_, nullptr)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (taken_) *taken_ = false;
    }

   private:
    bool* taken_;
  };

  // migration_states.cc: how its states are written down.
  Task<Turn> turnToWrite();
  Task<Result<void>> enter(OperationState state, std::string note);
  Task<void> mustEnter(OperationState state, std::string note);
  Task<void> keep();
  Task<bool> writeAsItIs();
  Task<void> finish(OperationState state, std::string message);
  Task<void> carryOut();
  std::optional<Error> tooLate() const;

  // migration.cc: what comes before the move.
  Task<void> begin();
  Task<MaybeOff> check();
  Task<MaybeOff> reserve();
  Task<MaybeOff> prepare();
  Task<MaybeOff> clear();
  Task<MaybeOff> lastLook();
  Task<void> callOff(CallOff why);
  Task<bool> startedAgain(const Presence& here);
  Task<void> restoreAutostart();
  static Task<void> renewing(std::shared_ptr<Migration> self);

  // migration_move.cc: while libvirt moves it.
  Task<void> move();
  Task<bool> follow();
  Task<bool> offHere();
  Task<void> abortJob();
  Task<bool> followAgain(const Sides& sides);
  bool stalled(const MigrationProgress& progress);
  void noteEnd(const Result<platform::MigrateEnd>& end);
  static Task<void> calling(std::shared_ptr<Migration> self, std::shared_ptr<Call> call);
  static Task<void> libvirtsCall(std::shared_ptr<Migration> self, std::shared_ptr<Call> call);

  // migration_settle.cc: where it is, and what follows from that.
  Task<void> settle();
  Task<void> ask(Sides& sides);
  Judgement judgeSides(const Sides& sides, bool restarted) const;
  Task<void> noteStay(const Sides& sides);
  Task<void> tellOfSuspended(const Sides& sides, std::string words);
  Task<bool> obey(Verdict verdict, std::string words, Sides& sides);
  Task<bool> stillSo(Verdict verdict, Sides& sides);
  Task<bool> stayed(std::string words, const Sides& sides);
  Task<bool> moved(std::string words, const Sides& sides);
  Task<bool> lost(std::string words, const Sides& sides);
  Task<bool> resumeSource(std::string words, Sides& sides);
  Task<bool> restartSource(std::string words, Sides& sides);
  Task<bool> dropSource(std::string words, Sides& sides);
  Task<bool> reviveThere(std::string words);
  Task<Result<void>> askToRevive();
  void adviseOnDeath();
  Task<void> stand(OperationState state, std::string words);
  Task<void> setDisksAside();
  Task<Result<void>> renamed(std::string path, std::string aside);

  // migration_word.cc: a person's word that the silent destination is off for good.
  Task<bool> destinationAnswers();
  Task<bool> endOnWord(const Sides& sides);
  Task<bool> endHere(const Presence& here);
  Task<void> defineHereAgain(const Presence& here);
  void adviseOnSilence(Operation& op) const;
  std::string personsWord() const;
  bool wordStands() const;
  static Task<void> heeding(Departures* shared, std::weak_ptr<Migration> of);
  Task<std::optional<bool>> confirmedThere();
  Task<bool> answersAgain(const Presence& there, bool runs_here, Millis both_run);
  Task<void> answersWithout(const Presence& there, bool runs_here);
  Task<void> mayEndItself(std::string words);

  // migration_after.cc: once it runs at the destination.
  Task<void> watch();
  Task<bool> reviveWatched(std::string words);
  Task<void> failedWatch(std::string words);
  Task<void> commit();
  Task<void> committed(bool taken_over);
  std::string whereThere() const;
  Task<Result<void>> handOver(MoveOutcome outcome);
  Task<void> handOverToken();
  Task<Result<void>> sendToken(bool& taken);
  Task<void> handOverFailed();
  Task<void> deleteSetAside();
  void adviseOnDisks();
  Task<void> bringBack();
  Task<void> askForReturn();
  void recallReturn();
  Task<bool> followReturn(const Sides& sides);
  Task<void> releaseThere();
  Task<void> broughtBack(Presence here);
  Task<bool> notBack(const Sides& sides, bool came, std::string end);

  std::shared_ptr<Peer> peer() const;
  Task<Result<RemoteVm>> askThere();
  Task<void> pause(Millis span) { return shared_.context.pause(span); }
  Task<void> poll() { return pause(shared_.rules.poll); }
  Millis since(std::chrono::steady_clock::time_point start) const;
  PastMove pastMove(MoveOutcome outcome) const;
  void addStep(Operation& op, OperationState state, std::string note) const;
  void advise(std::string advice);
  void report(std::string kind, Severity severity, std::string message) const;
  std::string vmName() const;
  std::string fromName() const;
  std::string toName() const;

  Departures& shared_;
  Operation op_;
  std::optional<bool> wished_copy_;
  bool taken_up_;
  bool writing_ = false;
  std::string live_xml_;   ///< for the destination's pre-flight; not kept, since it holds secrets
  std::string room_note_;  ///< what the destination said of the room that it holds
  std::vector<DiskCopy> copied_;      ///< the disks that pre-flight found to be copied
  std::vector<std::string> storage_;  ///< of the disks that are not copied, as pre-flight found it
  bool unlocked_ = false;             ///< policy waives a lock manager, as pre-flight found it
  std::optional<PolicyMetadata> metadata_;  ///< the domain's, as it was found last
  bool called_;  ///< libvirt was told to move it, by this life of the daemon or an earlier one
  std::shared_ptr<Call> call_;
  std::optional<Error> move_error_;
  std::optional<std::chrono::steady_clock::time_point> reservation_due_;  ///< next renewal
  bool reservation_lost_ = false;
  // The watchdog over libvirt's job.
  std::optional<std::chrono::steady_clock::time_point> abort_sent_, abort_sent_last_;
  std::string abort_reason_;
  std::chrono::steady_clock::time_point alive_at_, nearer_at_;
  std::uint64_t processed_ = 0, iteration_ = 0, nearest_ = ~std::uint64_t{0};
  bool still_moving_ = false;  ///< libvirt's job was there when the sides were asked last
  bool fenced_ = false;        ///< a person says that the silent destination is off for good
  std::optional<Presence> last_there_;  ///< as the destination said last
  bool revive_asked_ = false;           ///< and it was done
  int revive_refusals_ = 0;
  int undefine_failures_ = 0;
  int failures_ = 0;                                    ///< of other acts on the copy here
  std::chrono::steady_clock::time_point way_back_due_;  ///< when it may be asked for again
  int way_back_tries_ = 0;
  bool way_back_refused_ = false;
  std::string way_back_error_;
  std::string way_back_;  ///< the operation at the destination that brings it back
};

}  // namespace virtseer::act
