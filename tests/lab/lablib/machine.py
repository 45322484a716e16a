"""What the lab asks of the machine it runs on: rights, tools, control groups, processes."""

import contextlib
import fcntl
import os
import pathlib
import shutil
import signal
import subprocess
import time


class LabError(Exception):
    """Said to the person on the terminal; the command ends with 1."""


TOOLS = {
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "losetup": "mount",
    "mkfs.ext4": "e2fsprogs",
    "ip": "iproute2",
    "virsh": "libvirt-clients",
    "libvirtd": "libvirt-daemon",
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
}


def environment():
    """The environment of every program the lab starts: tools of the system, messages in English."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return dict(os.environ, LC_ALL="C.UTF-8", PATH=path)


def run(command, timeout=120, check=True, **options):
    """Runs a program to its end and returns it with its text; LabError if it fails or hangs."""
    options.setdefault("stdin", subprocess.DEVNULL)
    command = [str(part) for part in command]
    try:
        done = subprocess.run(command, timeout=timeout, text=True, env=environment(),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    except subprocess.TimeoutExpired:
        raise LabError(f"{' '.join(command)}: no end after {timeout} s") from None
    except FileNotFoundError:
        raise LabError(f"{command[0]} is not installed") from None
    if check and done.returncode != 0:
        raise LabError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()}")
    return done


def faults():
    """What this machine lacks for a lab, as sentences; empty if nothing."""
    found = []
    if os.geteuid() != 0:
        return ["the lab needs root"]
    search = environment()["PATH"]
    for tool, package in TOOLS.items():
        if not shutil.which(tool, path=search):
            found.append(f"{tool} is missing: apt-get install {package}")
    if not shutil.which("unshare", path=search):
        return found
    for kind in ("mount", "uts", "net", "pid", "ipc", "cgroup"):
        extra = ["--fork"] if kind == "pid" else []
        trial = run(["unshare", f"--{kind}", *extra, "true"], check=False)
        if trial.returncode != 0:
            found.append(f"no {kind} namespace can be made here: {trial.stderr.strip()}")
    if not os.path.exists("/dev/loop-control"):
        found.append("no loop devices here: /dev/loop-control is missing")
    if not cgroup_mounts():
        found.append("no control groups are mounted")
    return found


def wait_for(condition, timeout, what):
    """Polls until `condition()` gives something true and returns it; LabError after `timeout` s."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise LabError(f"{what}: not within {timeout} s")
        time.sleep(0.05)


@contextlib.contextmanager
def locked(path):
    """One lab command that changes things at a time."""
    with open(path, "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# --- processes ---


def parent_of(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return int(text.rpartition(")")[2].split()[1])


def pids():
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def children(pid):
    return [child for child in pids() if parent_of(child) == pid]


def ancestors(pid):
    """A process and all that started it."""
    found = set()
    while pid:
        found.add(pid)
        pid = parent_of(pid)
    return found


def namespace(pid, kind):
    """The identity of a process's namespace, None if the process is gone."""
    try:
        return os.readlink(f"/proc/{pid}/ns/{kind}")
    except OSError:
        return None


def alive(pid):
    """Whether a process runs; a zombie does not."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] not in ("Z", "X")


def end(pid, sign=signal.SIGKILL):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, sign)


# --- control groups ---


def cgroup_mounts():
    """[(mount point, options for mount -o, 'cgroup' or 'cgroup2')] as this machine has them."""
    found = []
    with open("/proc/self/mountinfo", encoding="utf-8") as table:
        for line in table:
            left, _, right = line.partition(" - ")
            kind, _, options = right.split()[:3]
            if kind not in ("cgroup", "cgroup2"):
                continue
            kept = [o for o in options.split(",") if o not in ("rw", "ro", "nsdelegate", "memory_recursiveprot")]
            if any(o.startswith("name=") for o in kept):
                kept.insert(0, "none")
            found.append((left.split()[4], ",".join(kept) or "-", kind))
    return found


def _write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(str(text))


PRECEDENCE = 20  # of a host's CPU shares over the machine's other work: contention in the lab is the lab's own


class Group:
    """A control group of the same name in every hierarchy, with its CPUs and memory."""

    def __init__(self, name):
        self.name = name
        self.mounts = cgroup_mounts()

    def folders(self):
        return [pathlib.Path(point) / self.name for point, _, _ in self.mounts]

    def create(self, cpus, quota, memory):
        """`cpus`: list for cpuset or None; `quota`: cores or None; `memory`: bytes."""
        for point, options, kind in self.mounts:
            folder = pathlib.Path(point) / self.name
            folder.mkdir(exist_ok=True)
            names = options.split(",")
            if kind == "cgroup2":
                self._limit_v2(pathlib.Path(point), folder, cpus, quota, memory)
            if "cpuset" in names:
                # A fresh v1 cpuset has neither CPUs nor memory nodes, and nobody may enter it.
                parent = pathlib.Path(point)
                _write(folder / "cpuset.cpus", cpus or (parent / "cpuset.cpus").read_text())
                _write(folder / "cpuset.mems", (parent / "cpuset.mems").read_text())
                _write(folder / "cgroup.clone_children", 1)
            if "cpu" in names:
                _write(folder / "cpu.shares", 1024 * PRECEDENCE)
                if quota:
                    _write(folder / "cpu.cfs_quota_us", int(quota * 100000))
            if "memory" in names:
                _write(folder / "memory.limit_in_bytes", memory)

    @staticmethod
    def _limit_v2(root, folder, cpus, quota, memory):
        for controller in ("cpu", "cpuset", "memory", "io", "pids"):
            with contextlib.suppress(OSError):
                _write(root / "cgroup.subtree_control", f"+{controller}")
        (folder / "init").mkdir(exist_ok=True)  # processes live in a leaf, so that VMs may get groups
        limits = {"cpuset.cpus": cpus, "memory.max": memory, "cpu.weight": 100 * PRECEDENCE,
                  "cpu.max": f"{int(quota * 100000)} 100000" if quota else None}
        for file, value in limits.items():
            if value and (folder / file).exists():
                _write(folder / file, value)

    def join(self, leaf=True):
        """Moves this process. Before the namespaces are made: leaf=False, so that the group is their root."""
        for (_, _, kind), folder in zip(self.mounts, self.folders()):
            where = folder / "init" if leaf and kind == "cgroup2" else folder
            _write(where / "cgroup.procs", os.getpid())

    def remove(self):
        for folder in self.folders():
            for path, _, _ in os.walk(folder, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(path)

    def left(self):
        return [str(folder) for folder in self.folders() if folder.exists()]
