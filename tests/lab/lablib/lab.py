"""The lab as a whole: its hosts, their switch, shared disks, forwarders."""

import contextlib
import hashlib
import os
import pathlib
import secrets
import shutil
import subprocess
import sys
import threading

from . import machine
from .guest import Guests
from .host import HERE, LETTERS, Host
from .machine import LabError, run, wait_for

ROOT = HERE.parents[2]
MEMORY = 3 << 30


class Lab:
    """State lives in `folder` ($VIRTSEER_LAB, default /tmp/virtseer-lab); two labs may exist side by side."""

    def __init__(self, folder=None):
        self.folder = pathlib.Path(folder or os.environ.get("VIRTSEER_LAB") or "/tmp/virtseer-lab").absolute()
        if len(str(self.folder)) > 60:
            raise LabError(f"{self.folder}: too long for the UNIX sockets below it")
        self.key = hashlib.sha256(str(self.folder).encode()).hexdigest()[:6]
        self.binary = pathlib.Path(os.environ.get("VIRTSEER_BIN") or ROOT / "build/release/virtseer").absolute()
        self.appliance = pathlib.Path(os.environ.get("VIRTSEER_APPLIANCE") or ROOT / "build/appliance").absolute()
        self.guests = Guests(self)

    # --- what is there ---

    def host(self, letter):
        letter = letter.upper()
        if letter not in LETTERS or len(letter) != 1:
            raise LabError(f"{letter}: hosts are called {', '.join(LETTERS)}")
        return Host(self, letter)

    def hosts(self):
        return [Host(self, letter) for letter in LETTERS if (self.folder / "hosts" / letter).is_dir()]

    @property
    def switch(self):
        """PID that holds the namespace of the switch; None if there is none."""
        try:
            pid = int((self.folder / "switch.pid").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return pid if machine.alive(pid) else None

    def locked(self):
        return machine.locked(f"{self.folder}.lock")

    # --- up ---

    def up(self, letters, daemons=True):
        found = machine.faults()
        if found:
            raise LabError("\n".join(found))
        if daemons and not self.binary.exists():
            raise LabError(f"{self.binary} is missing: build it, name it in VIRTSEER_BIN, or use --no-daemons")
        (self.folder / "shared").mkdir(parents=True, exist_ok=True)
        os.chmod(self.folder, 0o755)
        trial = threading.Thread(target=self.guests.accelerator)
        trial.start()
        try:
            if not self.switch:
                self._start_switch()
            shares = self._shares(letters)
            for letter in letters:
                self.host(letter).up(*shares[letter])
            if daemons:
                for letter in letters:
                    self.host(letter).start_daemon()
        finally:
            trial.join()

    @staticmethod
    def _shares(letters):
        """letter -> (CPU list or None, quota in cores or None, bytes): hosts that can be full apart."""
        cpus = sorted(os.sched_getaffinity(0))
        if len(letters) <= min(2, len(cpus)):
            return {letter: (str(cpus[LETTERS.index(letter) % len(cpus)]), None, MEMORY) for letter in letters}
        quota = 0.6 if len(cpus) > 1 else 0.3
        return {letter: (None, quota, MEMORY) for letter in letters}

    def _start_switch(self):
        with open(self.folder / "switch.log", "wb") as log:
            holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], stdin=subprocess.DEVNULL,
                                      stdout=log, stderr=log, env=machine.environment(), start_new_session=True)
        own = machine.namespace(os.getpid(), "net")
        wait_for(lambda: machine.namespace(holder.pid, "net") not in (None, own), 10, "the switch's namespace")
        (self.folder / "switch.pid").write_text(str(holder.pid), encoding="utf-8")
        inside = ["nsenter", "-t", str(holder.pid), "-n", "ip", "link"]
        run([*inside, "set", "lo", "up"])
        run([*inside, "add", "sw0", "type", "bridge"])
        run([*inside, "set", "sw0", "up"])

    def cut(self, letter):
        """Pulls the host's cable: nothing comes in or out until `mend`."""
        self._link(letter, "down")

    def mend(self, letter):
        self._link(letter, "up")

    def _link(self, letter, state):
        run(["nsenter", "-t", str(self.switch), "-n", "ip", "link", "set", f"port{letter}", state])

    def token(self, letter):
        """What the host's daemon asks of its peers; made when it is first asked for."""
        file = self.folder / "tokens" / letter
        if not file.exists():
            file.parent.mkdir(mode=0o700, exist_ok=True)
            file.write_text(secrets.token_hex(32), encoding="utf-8")
        return file.read_text(encoding="utf-8")

    def make_folder(self, path):
        """Makes a mount point outside, remembered so that `down` takes away what the lab made."""
        missing = []
        path = pathlib.Path(path)
        while not path.exists():
            missing.append(path)
            path = path.parent
        for folder in reversed(missing):
            folder.mkdir()
            with open(self.folder / "made-folders", "a", encoding="utf-8") as list_of_made:
                list_of_made.write(f"{folder}\n")

    def install_binary(self):
        """A copy that the daemon's user may run wherever the source tree lies."""
        target = self.folder / "bin" / "virtseer"
        target.parent.mkdir(mode=0o755, exist_ok=True)
        fresh = target.with_suffix(".new")
        shutil.copyfile(self.binary, fresh)
        os.chmod(fresh, 0o755)
        os.replace(fresh, target)
        return target

    # --- forwarders ---

    def forward(self, letter, port):
        """127.0.0.1:port to the host's REST socket, until `down`."""
        with open(self.folder / "forward.log", "ab") as log:
            process = subprocess.Popen(
                [sys.executable, str(HERE.parent / "forwarder"), str(port), str(self.host(letter).socket)],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
        with open(self.folder / "forwarders", "a", encoding="utf-8") as known:
            known.write(f"{process.pid} {letter} {port}\n")
        said = process.stdout.readline().decode().strip()
        process.stdout.close()
        if said != "listening":
            raise LabError(f"port {port}: {said or 'the forwarder ended'}")
        return f"http://127.0.0.1:{port}/"

    # --- down ---

    def down(self):
        """Takes everything away; returns what is left in spite of it, as sentences."""
        for host in self.hosts():
            host.down()
        for line in self._lines("forwarders"):
            pid = int(line.split()[0])
            if b"forwarder" in self._command_line(pid):
                machine.end(pid)
        if self.switch:
            machine.end(self.switch)
        self.guests.detach_all()
        for folder in reversed(self._lines("made-folders")):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        return self.left()

    def _lines(self, file):
        try:
            return (self.folder / file).read_text(encoding="utf-8").splitlines()
        except OSError:
            return []

    @staticmethod
    def _command_line(pid):
        try:
            return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return b""

    def left(self):
        """What of this lab is still on the machine: folders, mounts, loop devices, groups, processes."""
        found = [str(self.folder)] if self.folder.exists() else []
        mounts = pathlib.Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
        found += [f"mount {line.split()[4]}" for line in mounts if str(self.folder) + "/" in line]
        loops = run(["losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE"]).stdout.splitlines()
        found += [f"loop device {line}" for line in loops if str(self.folder) + "/" in line]
        for letter in LETTERS:
            found += [f"control group {group}" for group in self.host(letter).group.left()]
        needle = str(self.folder).encode() + b"/"
        callers = machine.ancestors(os.getpid())
        found += [f"process {pid}" for pid in machine.pids()
                  if needle in self._command_line(pid) and machine.alive(pid) and pid not in callers]
        return found
