#pragma once

#include <concepts>

#include "model/hand_over.h"

/// The members of each object of the wire, named once for the writer and the reader: `Io` is Writer
/// with a constant object, or Reader.
namespace virtseer::wire {

/// T, constant for a writer.
template <class T, class Of>
concept Is = std::same_as<std::remove_const_t<T>, Of>;

/// A member that what was written earlier does not have.
template <class Io>
void sinceLater(Io& io, const char* key, auto& value) {
  if constexpr (Io::kReads)
    if (!io.has(key)) return;
  io(key, value);
}

template <class Io>
void members(Io& io, Is<OperationStep> auto& step) {
  io("state", step.state);
  io("at", step.at);
  io("note", step.note);
}

template <class Io>
void members(Io& io, Is<MigrationProgress> auto& progress) {
  io("fraction", progress.fraction);
  io("processed_bytes", progress.processed_bytes);
  io("remaining_bytes", progress.remaining_bytes);
  io("total_bytes", progress.total_bytes);
  io("iteration", progress.iteration);
  io("elapsed_ms", progress.elapsed);
  io("dirty_bytes_per_s", progress.dirty_bytes_per_s);
  io("bytes_per_s", progress.bytes_per_s);
  io("downtime_ms", progress.downtime);
}

template <class Io>
void members(Io& io, Is<Wellbeing> auto& wellbeing) {
  io("agent", wellbeing.agent);
  io("echo_age_ms", wellbeing.echo_age);
  io("cpu_cores", wellbeing.cpu_cores);
  io("cpu_delay_cores", wellbeing.cpu_delay_cores);
  io("work_units_per_s", wellbeing.work_units_per_s);
  io("ticks", wellbeing.ticks);
  io("io_errors", wellbeing.io_errors);
}

template <class Io>
void members(Io& io, Is<MigrationRecord> auto& record) {
  io.exact("definition", record.definition);
  io("autostart", record.autostart);
  io("managed_save", record.managed_save);
  io("cleared", record.cleared);
  io("restarted", record.restarted);
  io("asked_to_move", record.asked_to_move);
  sinceLater(io, "known_there", record.known_there);
  sinceLater(io, "moved", record.moved);
  io.exact("copied_disks", record.copied_disks);
  io.exact("set_aside", record.set_aside);
  io.orNull("source_peer", record.source_peer);
  sinceLater(io, "may_return", record.may_return);
  sinceLater(io, "may_share", record.may_share);
  sinceLater(io, "to_be_ended", record.to_be_ended);
  sinceLater(io, "token_taken", record.token_taken);
}

/// `record` apart, which is not for everybody.
template <class Io>
void members(Io& io, Is<Operation> auto& operation) {
  io("id", operation.id);
  io("kind", operation.kind);
  io("state", operation.state);
  io("ended_at", operation.ended);
  io("origin", operation.origin);
  io.orNull("plan_step", operation.plan_step);
  io.orNull("return_of", operation.return_of);
  io("vm", operation.vm);
  io("vm_name", operation.vm_name);
  io.orNull("from", operation.from);
  io("from_name", operation.from_name);
  io.orNull("to", operation.to);
  io("to_name", operation.to_name);
  io("copy_storage", operation.copy_storage);
  io("cpus", operation.cpus);
  io("memory_bytes", operation.memory_bytes);
  io("created", operation.created);
  io("updated", operation.updated);
  io("message", operation.message);
  io("advice", operation.advice);
  io("reasons", operation.reasons);
  io("steps", operation.steps);
  io("progress", operation.progress);
  io("duration_ms", operation.duration);
  io("downtime_ms", operation.downtime);
  io("abort_requested", operation.abort_requested);
  io("suspended", operation.suspended);
  io("confirmed", operation.confirmed);
  io("before", operation.before);
  io("after", operation.after);
  if constexpr (Io::kReads)
    if (io.has("record")) io("record", operation.record);
}

template <class Io>
void members(Io& io, Is<Presence> auto& presence) {
  io("state", presence.state);
  io("job", presence.job);
  io("defined", presence.defined);
  io("crashed", presence.crashed);
  io("suspended", presence.suspended);
  io("reason", presence.reason);
  sinceLater(io, "unexplained", presence.unexplained);
}

template <class Io>
void members(Io& io, Is<RemoteVm> auto& vm) {
  io("presence", vm.presence);
  io("wellbeing", vm.wellbeing);
  io("host", vm.host);
}

template <class Io>
void members(Io& io, Is<Check> auto& check) {
  io("name", check.name);
  io("held", check.held);
  io("words", check.words);
}

template <class Io>
void members(Io& io, Is<Reservation> auto& reservation) {
  io("id", reservation.id);
  io("operation", reservation.operation);
  io("vm", reservation.vm);
  io("vm_name", reservation.vm_name);
  io("cpus", reservation.cpus);
  io("memory_bytes", reservation.memory_bytes);
  io("expires", reservation.expires);
}

template <class Io>
void members(Io& io, Is<DiskCopy> auto& disk) {
  io("target", disk.target);
  io.orNull("path", disk.path);
  io("bytes", disk.bytes);
}

template <class Io>
void members(Io& io, Is<ReserveOrder> auto& order) {
  io("operation", order.operation);
  io("dry_run", order.dry_run);
  io.orNull("return_of", order.return_of);
  io("vm", order.vm);
  io("vm_name", order.vm_name);
  io("from", order.from);
  io("from_name", order.from_name);
  io("cpus", order.cpus);
  io("memory_bytes", order.memory_bytes);
  io("copy_storage", order.copy_storage);
  io.exact("live_xml", order.live_xml);
  sinceLater(io, "copied", order.copied);
  sinceLater(io, "origin", order.origin);
  sinceLater(io, "storage", order.storage);
  sinceLater(io, "unlocked", order.unlocked);
  sinceLater(io, "may_share", order.may_share);
}

template <class Io>
void members(Io& io, Is<ReserveAnswer> auto& answer) {
  io("checks", answer.checks);
  io("reservation", answer.reservation);
}

template <class Io>
void members(Io& io, Is<PastMove> auto& move) {
  io("from", move.from);
  io("to", move.to);
  io("started", move.started);
  io("ended", move.ended);
  io("outcome", move.outcome);
  io("automatic", move.automatic);
}

template <class Io>
void members(Io& io, Is<CommitOrder> auto& order) {
  io("autostart", order.autostart);
  io("moves", order.moves);
}

}  // namespace virtseer::wire
