#pragma once

#include "act/arrival_desk.h"

/// What is done to a copy here. Each act is written down before it is done, and its end after; the
/// caller has the arrival's turn. A failure leaves things to the next look. The desk outlives them.
namespace virtseer::act {

/// An attempt to suspend it was given up and may still take effect.
bool mayStillStop(const ArrivalDesk& desk, const Arrival& arrival);
/// Brings what is written down in line with what our own suspending and resuming turned out to be.
boost::asio::awaitable<void> settleGrip(ArrivalDesk* desk, std::shared_ptr<Arrival> arrival,
                                        Presence here);
/// What is confirmed and stands still since our own suspending took effect late goes on.
boost::asio::awaitable<void> undoLate(ArrivalDesk* desk, std::shared_ptr<Arrival> arrival,
                                      Presence here);
/// The VM is this host's from now on.
boost::asio::awaitable<void> confirmHere(ArrivalDesk* desk, std::shared_ptr<Arrival> arrival,
                                         std::string why);
boost::asio::awaitable<void> suspendHere(ArrivalDesk* desk, std::shared_ptr<Arrival> arrival);
boost::asio::awaitable<Result<void>> resumeHere(ArrivalDesk* desk, std::shared_ptr<Arrival> arrival,
                                                std::string why);
/// Ends the copy here, since the source's runs.
boost::asio::awaitable<void> destroyHere(ArrivalDesk* desk, std::shared_ptr<Arrival> arrival,
                                         SourceWord source);
/// It is not here, and runs at its source: what a move may have defined here goes, and the claim.
boost::asio::awaitable<void> endAtSource(ArrivalDesk* desk, std::shared_ptr<Arrival> arrival,
                                         SourceWord source);
/// Deletes the files that the move made here and left, of an arrival whose VM is not here: only if
/// the source's word is that it runs there, it never ran here, and the files were not here when it
/// was reserved. Returns what is left to a person, in words; fails while our own libvirt or the
/// journal is silent.
boost::asio::awaitable<Result<std::vector<std::string>>> clearCopies(
    ArrivalDesk* desk, std::shared_ptr<Arrival> arrival, SourceWord source);
/// The source's word, where clearCopies() needs it; none where it does not.
boost::asio::awaitable<SourceWord> askAboutCopies(ArrivalDesk* desk,
                                                  std::shared_ptr<Arrival> arrival);
/// Shows how it stands, if that is news.
boost::asio::awaitable<void> stand(ArrivalDesk* desk, std::shared_ptr<Arrival> arrival,
                                   OperationState state, std::string words);

}  // namespace virtseer::act
