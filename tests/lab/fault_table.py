"""Fault by step: how a move may end that is struck there, and which cells every run of the tests takes."""

import collections

STEPS = ("reserving", "preparing", "migrating", "settling", "verifying", "committing")
FAULTS = ("source daemon", "destination daemon", "source libvirtd", "destination libvirtd", "source emulator",
          "destination emulator", "link", "abort")

# ends: states in which the operation may end. reboots: the guest's emulator was killed and is started again once.
# pause: the longest time in seconds in which the guest may stand still, beyond the time that the step was held.
# None where that is not bounded: a destination that cannot know suspends it for as long as its source is silent, and
# a host that lost power has to boot before what died with it runs again.
# off: the guest may be off in the end, since it died when it was no longer watched.
# always: part of every run; the others are part of --soak.
Cell = collections.namedtuple("Cell", "ends reboots pause off always", defaults=(False, 5, False, False))


def cell(*ends, **more):
    return Cell(ends, **more)


TABLE = {
    # Nothing has moved: it stays, unless what was struck is back before it is needed.
    ("reserving", "source daemon"): cell("failed", always=True),
    ("reserving", "destination daemon"): cell("refused", "failed", always=True),
    ("reserving", "source libvirtd"): cell("failed", "done"),
    ("reserving", "destination libvirtd"): cell("refused", "failed", "done"),
    ("reserving", "source emulator"): cell("failed", reboots=True, pause=60),
    ("reserving", "link"): cell("refused", "failed"),
    ("reserving", "abort"): cell("aborted"),
    ("preparing", "source daemon"): cell("failed"),
    ("preparing", "destination daemon"): cell("failed", "refused", "done"),
    ("preparing", "source libvirtd"): cell("failed", "done", always=True),
    ("preparing", "destination libvirtd"): cell("failed", "refused", "done"),
    ("preparing", "source emulator"): cell("failed", reboots=True, pause=60),
    ("preparing", "link"): cell("failed", "refused", "done"),
    ("preparing", "abort"): cell("aborted"),
    # Memory is on its way: libvirt goes on without a daemon, and the source goes on without its destination.
    ("migrating", "source daemon"): cell("done"),
    ("migrating", "destination daemon"): cell("done"),
    ("migrating", "source libvirtd"): cell("failed", "done"),
    ("migrating", "destination libvirtd"): cell("failed"),
    ("migrating", "source emulator"): cell("failed", reboots=True, pause=60, always=True),
    ("migrating", "destination emulator"): cell("failed"),
    ("migrating", "link"): cell("failed", "done"),
    ("migrating", "abort"): cell("aborted", always=True),
    # The source stands still, the destination does not run yet: either may be the one that goes on.
    ("settling", "source daemon"): cell("done", "failed", pause=20, always=True),
    ("settling", "destination daemon"): cell("done", "failed", pause=20),
    ("settling", "source libvirtd"): cell("done", "failed", pause=40),
    ("settling", "destination libvirtd"): cell("done", "failed", pause=40, always=True),
    ("settling", "source emulator"): cell("done", "failed", reboots=None, pause=60),
    ("settling", "destination emulator"): cell("failed", "done", reboots=None, pause=60),
    ("settling", "link"): cell("done", "failed", "returned", pause=None),
    ("settling", "abort"): cell("done", "failed", "aborted", pause=20),
    # It runs at the destination.
    ("verifying", "source daemon"): cell("done"),
    ("verifying", "destination daemon"): cell("done"),
    ("verifying", "source libvirtd"): cell("done"),
    ("verifying", "destination libvirtd"): cell("done"),
    ("verifying", "destination emulator"): cell("done", reboots=True, pause=60, always=True),
    ("verifying", "link"): cell("done", always=True),
    ("verifying", "abort"): cell("done"),
    ("committing", "source daemon"): cell("done"),
    ("committing", "destination daemon"): cell("done", always=True),
    ("committing", "source libvirtd"): cell("done"),
    ("committing", "destination libvirtd"): cell("done"),
    ("committing", "destination emulator"): cell("done", "needs_person", reboots=None, pause=60, off=True),
    ("committing", "link"): cell("done"),
    ("committing", "abort"): cell("done"),
}

ALWAYS = [place for place, one in TABLE.items() if one.always]
assert {step for step, _ in ALWAYS} == set(STEPS) and {fault for _, fault in ALWAYS} == set(FAULTS)
# An emulator cannot be killed where there is none.
MISSING = {(step, fault) for step in STEPS for fault in FAULTS} - set(TABLE)
assert MISSING == {("reserving", "destination emulator"), ("preparing", "destination emulator"),
                   ("verifying", "source emulator"), ("committing", "source emulator")}

# A host that loses power takes daemon, libvirt and emulators with it, and libvirt does not know afterwards why its
# guests are off.
POWER = {
    ("migrating", "source power"): cell("failed", reboots=True, pause=None, always=True),
    ("migrating", "destination power"): cell("failed"),
    ("verifying", "source power"): cell("done"),
    ("verifying", "destination power"): cell("done", reboots=True, pause=None, always=True),
}
