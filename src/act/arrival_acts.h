#pragma once

#include "act/arrival_desk.h"

/// What is done to a copy here. Each act is written down before it is done, and its end after; the
/// caller has the arrival's turn. A failure leaves things to the next look. The desk outlives them.
namespace virtseer::act {

/// Of an act that our own libvirt refuses, or does not answer to: then a person is told.
inline constexpr int kActTries = 20;

/// What a move left here that is not to be touched, or could not be cleared away.
struct Leftovers {
  std::vector<std::string> advice;
  bool person = false;  ///< clearing away failed for good
};

/// An attempt to suspend it was given up and may still take effect.
bool mayStillStop(const ArrivalDesk& desk, const Arrival& arrival);
/// The same of an attempt to end it.
bool mayStillEnd(const ArrivalDesk& desk, const Arrival& arrival);
/// Brings what is written down in line with what our own suspending and resuming turned out to be.
boost::asio::awaitable<void> settleGrip(ArrivalDesk* desk, std::shared_ptr<Arrival> arrival,
                                        Presence here);
/// What is confirmed and stands still since our own suspending took effect late goes on.
boost::asio::awaitable<void> undoLate(ArrivalDesk* desk, std::shared_ptr<Arrival> arrival,
                                      Presence here);
/// Whether the copy here may be taken for the VM, as the source, which says that it does not run
/// it, tells of its half of the move. If it may not, that is left to a person; if nothing was told,
/// it is to be asked again.
boost::asio::awaitable<bool> mayBeTaken(ArrivalDesk* desk, std::shared_ptr<Arrival> arrival,
                                        Presence here);
/// What was to be ended here, since its source ran it, which it does no more.
boost::asio::awaitable<void> notTheVm(ArrivalDesk* desk, std::shared_ptr<Arrival> arrival,
                                      Presence here);
/// The VM is this host's from now on.
boost::asio::awaitable<void> confirmHere(ArrivalDesk* desk, std::shared_ptr<Arrival> arrival,
                                         std::string why);
boost::asio::awaitable<void> suspendHere(ArrivalDesk* desk, std::shared_ptr<Arrival> arrival);
boost::asio::awaitable<Result<void>> resumeHere(ArrivalDesk* desk, std::shared_ptr<Arrival> arrival,
                                                std::string why);
/// Ends the copy here, since the source's runs; as often as it takes, since two copies run.
boost::asio::awaitable<void> destroyHere(ArrivalDesk* desk, std::shared_ptr<Arrival> arrival,
                                         SourceWord source);
/// It is not here, and runs at its source: what a move may have defined here goes, and the claim.
boost::asio::awaitable<void> endAtSource(ArrivalDesk* desk, std::shared_ptr<Arrival> arrival,
                                         SourceWord source);
/// Deletes the files that the move made here and left, of an arrival whose VM is not here: only if
/// the source's word is that it runs there, it never ran here, and the files were not here when it
/// was reserved. Fails while our own libvirt, for a bounded number of times, or the journal is
/// silent.
boost::asio::awaitable<Result<Leftovers>> clearCopies(ArrivalDesk* desk,
                                                      std::shared_ptr<Arrival> arrival,
                                                      SourceWord source);
/// The source's word, where clearCopies() needs it; none where it does not.
boost::asio::awaitable<SourceWord> askAboutCopies(ArrivalDesk* desk,
                                                  std::shared_ptr<Arrival> arrival);
/// Shows how it stands, if that is news.
boost::asio::awaitable<void> stand(ArrivalDesk* desk, std::shared_ptr<Arrival> arrival,
                                   OperationState state, std::string words);

}  // namespace virtseer::act
