"""Moves under way: a guest that goes from host to host, one operation of it, and levers that hold a step open."""

import contextlib
import os
import signal
import threading

from labkit import BOOT, SETTLE, wait_for
from lablib import machine, qmp

ENDED = ("done", "refused", "aborted", "failed", "returned", "needs_person")
AT_SOURCE = ("refused", "aborted", "failed", "returned")
END = 150
SLOW_MIB, FAST_MIB = 4, 4096


def running(lab, name):
    """Letters of the hosts whose libvirt says that the guest runs there."""
    return [host.letter for host in lab.hosts()
            if host.virsh("domstate", name, check=False).stdout.strip() == "running"]


def defined(lab, name):
    """Letters of the hosts whose libvirt knows the guest, running or not."""
    return [host.letter for host in lab.hosts() if host.virsh("dominfo", name, check=False).returncode == 0]


def autostart(host, name):
    lines = host.virsh("dominfo", name).stdout.splitlines()
    return any(line.split() == ["Autostart:", "enable"] for line in lines)


def remove(lab, name):
    """Takes the guest away from all hosts."""
    for host in lab.hosts():
        host.virsh("destroy", name, check=False)
        host.virsh("undefine", name, check=False)


def life(daemon, name):
    """(epoch of the agent, ticks of the guest's counter) as the guest said last."""
    items = daemon.get(f"vms/{name}/latest")["items"]
    ticks = [item["value"] for item in items if item["metric"] == "guest_ticks_total"]
    assert ticks, "no tick was heard"
    return daemon.agent(name)["epoch"], ticks[0]


def all_ended(lab, timeout=END, **query):
    """Waits until no operation runs on any host: the way back of a move, and arrivals, are operations too."""
    for host in lab.hosts():
        wait_for(lambda host=host: not lab.daemon(host.letter).get("operations", active="true", **query)["items"],
                 timeout, f"no operation is active on host {host.letter}")


class Traveller:
    """A guest with a second monitor and autostart that moves from test to test. A test that found it well at its end
    says so by leave(): then it must be well at the beginning of the next. After any other it is made anew if need be.
    """

    def __init__(self, lab, name, **options):
        self.lab = lab
        self.name = name
        self.options = dict(options, monitor=True)
        self.left_at = None

    def places(self):
        """Letters of the hosts where it runs, where it is defined, and where it starts with its host."""
        where = defined(self.lab, self.name)
        return running(self.lab, self.name), where, [each for each in where
                                                     if autostart(self.lab.host(each), self.name)]

    def _well(self):
        places, *others = self.places()
        if len(places) != 1 or others != [places, places]:
            return None
        host = self.lab.host(places[0])
        return host if host.qemu(self.name) else None

    def check(self, host):
        """It runs there alone, is defined there alone, and starts with that host."""
        there = [host.letter]
        assert self.places() == (there, there, there), f"not at {there} alone (runs, is defined, starts with its host)"

    def leave(self, host):
        self.check(host)
        self.left_at = host.letter

    def settle(self):
        """The host where it runs, and nowhere else, heard and without an operation."""
        left_at, self.left_at = self.left_at, None
        host = self._well()
        assert not left_at or host and host.letter == left_at, \
            f"it was left well at {left_at}, and now (runs, is defined, starts with its host): {self.places()}"
        if not host:
            remove(self.lab, self.name)
            host = self.lab.host("A")
            self.lab.guests.start(host, self.name, **self.options)
            host.virsh("autostart", self.name)
        all_ended(self.lab)
        self.lab.daemon(host.letter).wait_echo(self.name, more=2, timeout=BOOT)
        return host


class Journey:
    """One operation that moves a guest, as its source's daemon tells it."""

    def __init__(self, lab, name, source, target, **order):
        self.lab = lab
        self.name = name
        self.source, self.target = source, target
        self.daemon = lab.daemon(source.letter)
        self.order = dict(order, to=target.name)
        self.id = None

    def pace(self, mebibytes):
        """The most that libvirt sends a second, now and in moves to come; an emulator may not take it now: while it
        switches over it hears nobody, and with a cut link that lasts."""
        with contextlib.suppress(machine.LabError):
            self.source.virsh("migrate-setspeed", self.name, str(mebibytes), check=False, timeout=10)

    def begin(self):
        status, answer = self.daemon.post(f"vms/{self.name}/migrate", self.order)
        assert status == 202, f"{status} {answer}"
        self.id = answer["operation"]["id"]
        return self

    def look(self):
        return self.daemon.get(f"operations/{self.id}")

    def reaches(self, *states, timeout=SETTLE):
        """Waits until it is in one of these states; it must not end before."""
        def there():
            seen = self.look()
            return seen["state"] in (*states, *ENDED) and seen

        seen = wait_for(there, timeout, f"{self.id} is one of {states}", every=0.02)
        assert seen["state"] in states, f"it ended before {states}: {seen}"
        return seen

    def confirmed(self):
        """The destination has been told that the source's copy is off: it suspends nothing from now on."""
        daemon = self.lab.daemon(self.target.letter)
        wait_for(lambda: daemon.get(f"operations/{self.id}")["confirmed"], SETTLE, f"{self.id} is confirmed")

    def ends(self, timeout=END):
        return wait_for(lambda: (seen := self.look())["state"] in ENDED and seen, timeout, f"end of {self.id}")


class Starving:
    """A process that gets a sliver of time now and then, so that what it answers takes long; `hold` stops it."""

    RUNS, STANDS = 0.02, 0.2

    def __init__(self, pid):
        self.pid = pid
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._pulse)
        self.thread.start()

    def _pulse(self):
        while not self.over.is_set():
            machine.end(self.pid, signal.SIGSTOP)
            self.over.wait(self.STANDS)
            if not self.over.is_set():
                machine.end(self.pid, signal.SIGCONT)
                self.over.wait(self.RUNS)

    def hold(self):
        self.over.set()
        self.thread.join()
        machine.end(self.pid, signal.SIGSTOP)

    def free(self):
        self.hold()
        machine.end(self.pid, signal.SIGCONT)


class Step:
    """Brings a journey to a step and holds it there until the block ends."""

    def __init__(self, journey, step, watch):
        self.journey, self.watch = journey, watch
        self.reach = getattr(self, f"_{step}")
        self.levers = contextlib.ExitStack()

    def __enter__(self):
        try:
            self.reach()
        except BaseException:
            self.levers.close()
            raise
        return self

    def __exit__(self, *_):
        self.levers.close()

    def _starve(self, pid):
        lever = Starving(pid)
        self.levers.callback(lever.free)
        return lever

    def _reserving(self):
        """The destination's daemon does not answer."""
        self.levers.enter_context(self.journey.target.held(self.journey.target.daemon))
        self.journey.begin().reaches("reserving")

    def _preparing(self):
        """The source's libvirtd does not clear autostart."""
        journey = self.journey
        with journey.target.held(journey.target.daemon):
            journey.begin().reaches("reserving")
            lever = self._starve(journey.source.libvirtd)
        journey.reaches("preparing")
        lever.hold()

    def _migrating(self):
        """So little is sent a second that it takes long."""
        journey = self.journey
        journey.pace(SLOW_MIB)
        journey.begin().reaches("migrating")
        self.levers.callback(journey.pace, FAST_MIB)
        wait_for(lambda: (journey.look()["progress"] or {}).get("processed_bytes", 0) > 1 << 20, SETTLE,
                 "memory is being sent")

    def _settling(self):
        """Switch-over: the source stands still, and the destination's libvirtd does not let it go on there."""
        journey = self.journey
        self._migrating()
        self.levers.enter_context(journey.target.held(journey.target.libvirtd))
        journey.pace(FAST_MIB)
        wait_for(lambda: self.watch.status(journey.source.letter) in ("finish-migrate", "postmigrate", "paused"),
                 SETTLE, "the source stands still")

    def _verifying(self):
        self.journey.begin().reaches("verifying", timeout=END)

    def _committing(self):
        """The destination's daemon does not take the VM over."""
        self._verifying()
        self.journey.confirmed()
        lever = self._starve(self.journey.target.daemon)
        self.journey.reaches("committing")
        lever.hold()


class Fault:
    """What goes wrong, and how a person puts it right."""

    def __init__(self, journey, kind):
        self.journey = journey
        self.strike = getattr(self, "_" + kind.replace(" ", "_"))
        self.repairs = []

    def repair(self):
        for action in self.repairs:
            action()

    def _kill_daemon(self, host):
        host.stop_daemon(signal.SIGKILL)
        self.repairs.append(host.start_daemon)

    def _kill_libvirtd(self, host):
        host.kill_libvirtd()
        self.repairs.append(host.start_libvirtd)

    def _lose_power(self, host):
        host.lose_power()
        self.repairs += [host.start_libvirtd, host.start_daemon]

    def _source_power(self):
        self._lose_power(self.journey.source)

    def _destination_power(self):
        self._lose_power(self.journey.target)

    def _source_daemon(self):
        self._kill_daemon(self.journey.source)

    def _destination_daemon(self):
        self._kill_daemon(self.journey.target)

    def _source_libvirtd(self):
        self._kill_libvirtd(self.journey.source)

    def _destination_libvirtd(self):
        self._kill_libvirtd(self.journey.target)

    def _source_emulator(self):
        self.journey.source.kill_qemu(self.journey.name)

    def _destination_emulator(self):
        self.journey.target.kill_qemu(self.journey.name)

    def _link(self):
        letter = self.journey.target.letter
        self.journey.lab.cut(letter)
        self.repairs.append(lambda: self.journey.lab.mend(letter))

    def _abort(self):
        done = self.journey.daemon.cli("abort", self.journey.id)
        assert done.returncode in (0, 4), f"{done.returncode} {done.stdout} {done.stderr}"


def watched(lab, name):
    return qmp.Watch(lab.hosts(), name)


def whole(lab, letters="AB"):
    """Everything runs again after a test that failed half-way."""
    for letter in letters:
        host = lab.host(letter)
        lab.mend(letter)
        for pid in (host.daemon, host.libvirtd):
            if pid:
                os.kill(pid, signal.SIGCONT)
