"""One lab host: namespaces, network, libvirtd and its virtseer daemon."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess

from . import files, machine
from .machine import LabError, run, wait_for

NETWORK = "10.77.0"  # exists inside the namespaces only
LETTERS = "ABC"
SERVICE_USER = "virtseer"
QEMU_USER = "libvirt-qemu"  # libvirt's QEMU driver does not start where this name is unknown
REST_PORT = 8686
HERE = pathlib.Path(__file__).resolve().parent

# Private folder of the host -> where its processes see it.
BINDS = {
    "etc": "/etc/libvirt",
    "run": "/run/libvirt",
    "lib": "/var/lib/libvirt",
    "log": "/var/log/libvirt",
    "cache": "/var/cache/libvirt",
    "lock": os.path.realpath("/var/lock"),  # libvirt's locks on channels name a process, which is another one next door
    "virtseer-etc": "/etc/virtseer",
    "virtseer-run": "/run/virtseer",
    "virtseer-lib": "/var/lib/virtseer",
}


class Host:
    """A host by its letter. Its state is in files below `folder`, so that any command finds it."""

    def __init__(self, lab, letter):
        self.lab = lab
        self.letter = letter
        self.folder = lab.folder / "hosts" / letter
        self.number = LETTERS.index(letter) + 1
        self.name = f"host-{letter}"
        self.address = f"{NETWORK}.{self.number}"
        self.uuid = f"11111111-2222-4333-8444-{self.number:012d}"
        self.group = machine.Group(f"virtseer-lab-{lab.key}-{letter}")

    # --- what is known of it ---

    @property
    def socket(self):
        """The daemon's REST socket, as seen from outside the namespaces."""
        return self.folder / "virtseer-run" / "virtseer.sock"

    @property
    def uri(self):
        return f"qemu+unix:///system?socket={self.folder}/run/libvirt-sock"

    def _pid(self, file):
        try:
            pid = int((self.folder / file).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return pid if machine.alive(pid) else None

    @property
    def init(self):
        """PID 1 of the host, numbered as outside; None if the host is down."""
        return self._pid("init.pid")

    def _inside(self, name):
        """Processes of this host whose program has that name."""
        space = machine.namespace(self.init, "pid") if self.init else None
        found = []
        for pid in machine.pids():
            with contextlib.suppress(OSError):
                comm = pathlib.Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
                if comm == name and machine.alive(pid) and machine.namespace(pid, "pid") == space:
                    found.append(pid)
        return found if space else []

    @property
    def daemon(self):
        """The process of the virtseer daemon, None if none runs."""
        found = self._inside("virtseer")
        return min(found) if found else None

    @property
    def libvirtd(self):
        found = self._inside("libvirtd")
        return min(found) if found else None

    # --- programs inside ---

    def command(self, *command):
        """The command line that runs `command` inside; its process must join the group first."""
        if not self.init:
            raise LabError(f"host {self.letter} is not up")
        return ["nsenter", "-t", str(self.init), "-m", "-u", "-n", "-p", "-i", "-C", "--",
                *[str(part) for part in command]]

    def exec(self, *command, **options):
        return run(self.command(*command), preexec_fn=self.group.join, **options)

    def background(self, log, *command):
        """Starts a program that outlives this command, its output appended to a log of the host."""
        with open(self.folder / "log" / log, "ab") as output:
            inside = ["bash", "-c", 'setsid "$@" < /dev/null & disown', "background", *command]
            done = subprocess.run(self.command(*inside), preexec_fn=self.group.join, stdin=subprocess.DEVNULL,
                                  stdout=output, stderr=output, env=machine.environment(), timeout=60, check=False)
        if done.returncode != 0:
            raise LabError(f"host {self.letter}: {command[0]} did not start, see {self.folder}/log/{log}")

    def virsh(self, *arguments, **options):
        return run(["virsh", "-q", "-c", self.uri, *arguments], **options)

    # --- up ---

    def up(self, cpus, quota, memory):
        if self.init:
            raise LabError(f"host {self.letter} is already up")
        self._write_files(quota or len(_cpu_list(cpus)), memory)
        self.group.create(cpus, quota, memory)
        self._start_namespaces()
        self._plug_network()
        self.start_libvirtd()
        self._make_pool()

    def _write_files(self, cores, memory):
        for private in BINDS:
            (self.folder / private).mkdir(parents=True, exist_ok=True)
        for below in ("etc/qemu", "lib/images", "lib/dnsmasq", "lib/disks"):
            (self.folder / below).mkdir(parents=True, exist_ok=True)
        values = {"address": self.address, "uuid": self.uuid, "name": self.name, "cpus": float(cores),
                  "memory_mib": memory >> 20, "port": REST_PORT}
        self._write("etc/libvirtd.conf", files.LIBVIRTD.format(**values))
        self._write("etc/qemu.conf", files.QEMU.format(**values))
        peers = [self.lab.host(letter) for letter in LETTERS if letter != self.letter]
        self._write("virtseer-etc/virtseer.toml", files.VIRTSEER.format(**values) + "".join(
            files.PEER.format(name=peer.name, address=peer.address, port=REST_PORT) for peer in peers))
        names = "".join(f"{NETWORK}.{n + 1} host-{letter}\n" for n, letter in enumerate(LETTERS))
        self._write("hosts", pathlib.Path("/etc/hosts").read_text(encoding="utf-8") + names)
        self._write_accounts()
        self._write_tokens(peers)
        user = self.user_id()
        for private in ("virtseer-run", "virtseer-lib"):
            os.chown(self.folder / private, user, user)
            os.chmod(self.folder / private, 0o755 if private == "virtseer-run" else 0o700)
        # The daemon may rename images, so that what a move leaves behind is not found any more.
        os.chown(self.folder / "lib/images", 0, user)
        os.chmod(self.folder / "lib/images", 0o775)

    def _write_tokens(self, peers):
        """This host's token, and copies of the others': for the daemon's eyes only."""
        for file, owner in (("token", self), *((f"token-of-{peer.name}", peer) for peer in peers)):
            target = self.folder / "virtseer-etc" / file
            target.touch(mode=0o600)
            target.write_text(self.lab.token(owner.letter), encoding="utf-8")
            os.chown(target, self.user_id(), self.user_id())

    def _write(self, file, text):
        (self.folder / file).write_text(text, encoding="utf-8")

    def _write_accounts(self):
        """Private account files with the two accounts that packages would have made."""
        for file in ("passwd", "group"):
            text = pathlib.Path("/etc", file).read_text(encoding="utf-8")
            taken = {line.split(":")[2] for line in text.splitlines() if line.count(":") >= 2}
            known = {line.split(":")[0] for line in text.splitlines()}
            for account, wanted in ((QEMU_USER, 64055), (SERVICE_USER, 64056)):
                if account in known:
                    continue
                if str(wanted) in taken:
                    raise LabError(f"/etc/{file}: number {wanted}, which {account} would get, is taken")
                home = "/nonexistent:/usr/sbin/nologin"
                text += f"{account}:x:{wanted}:{wanted}::{home}\n" if file == "passwd" else f"{account}:x:{wanted}:\n"
            self._write(file, text)

    def user_id(self):
        for line in (self.folder / "passwd").read_text(encoding="utf-8").splitlines():
            if line.startswith(SERVICE_USER + ":"):
                return int(line.split(":")[2])
        raise LabError(f"no user {SERVICE_USER}")

    def _start_namespaces(self):
        (self.folder / "ready").unlink(missing_ok=True)
        for public in BINDS.values():
            self.lab.make_folder(public)
        environment = machine.environment()
        environment["BINDS"] = "\n".join(f"{private} {public}" for private, public in BINDS.items())
        environment["CGROUPS"] = "\n".join(" ".join(mount) for mount in self.group.mounts)
        with open(self.folder / "init.log", "wb") as log:
            outer = subprocess.Popen(
                ["unshare", "--mount", "--uts", "--net", "--pid", "--ipc", "--cgroup", "--fork", "--kill-child",
                 "--mount-proc", "--", str(HERE / "host-init"), str(self.folder), self.name],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True,
                preexec_fn=lambda: self.group.join(leaf=False))
        self._write("unshare.pid", str(outer.pid))

        def ready():
            if outer.poll() is not None:
                text = (self.folder / "init.log").read_text(encoding="utf-8", errors="replace")
                raise LabError(f"host {self.letter}: namespaces did not come up: {text.strip()}")
            return (self.folder / "ready").exists()

        wait_for(ready, 30, f"host {self.letter}: namespaces")
        self._write("init.pid", str(machine.children(outer.pid)[0]))

    def _plug_network(self):
        switch = str(self.lab.switch)
        in_switch = ["nsenter", "-t", switch, "-n", "--"]
        in_host = ["nsenter", "-t", str(self.init), "-n", "--"]
        port = f"port{self.letter}"
        run([*in_switch, "ip", "link", "add", port, "type", "veth", "peer", "name", "up0", "netns", str(self.init)])
        run([*in_switch, "ip", "link", "set", port, "master", "sw0", "up"])
        for line in ("link set lo up", "link add br0 type bridge", "link set up0 master br0 up", "link set br0 up",
                     f"addr add {self.address}/24 dev br0"):
            run([*in_host, "ip", *line.split()])

    def start_libvirtd(self):
        # Without systemd's sockets libvirtd listens on TCP only when told so.
        self.exec("libvirtd", "--daemon", "--listen", "--config", "/etc/libvirt/libvirtd.conf",
                  "--pid-file", "/run/libvirt/libvirtd.pid")
        wait_for(lambda: self.virsh("version", check=False, timeout=20).returncode == 0, 60,
                 f"host {self.letter}: libvirtd")

    def _make_pool(self):
        if self.virsh("pool-info", "images", check=False).returncode == 0:
            return
        self._write("pool.xml", files.POOL)
        self.virsh("pool-define", self.folder / "pool.xml")
        self.virsh("pool-autostart", "images")
        self.virsh("pool-start", "images")

    # --- the daemon ---

    def start_daemon(self, rights=True):
        """Starts the daemon as its user, with its unit's rights or none, and waits until it answers on its socket."""
        if self.daemon:
            raise LabError(f"host {self.letter}: the daemon runs already")
        binary = self.lab.install_binary()
        given = "-all,+bpf,+perfmon" if rights else "-all"
        self.background("virtseer.log", "setpriv", f"--reuid={SERVICE_USER}", f"--regid={SERVICE_USER}",
                        "--clear-groups", f"--inh-caps={given}", f"--ambient-caps={given}", "--no-new-privs",
                        "env", "OMP_WAIT_POLICY=PASSIVE", binary, "daemon",
                        "--config", "/etc/virtseer/virtseer.toml")

        def answers():
            done = run(["curl", "-s", "-m", "5", "--unix-socket", self.socket, "http://localhost/healthz"], check=False)
            return done.returncode == 0

        try:
            wait_for(answers, 30, f"host {self.letter}: the daemon")
        except LabError as error:
            log = (self.folder / "log" / "virtseer.log").read_text(encoding="utf-8", errors="replace")
            raise LabError(f"{error}\n{log[-2000:]}") from None

    def stop_daemon(self, sign=signal.SIGTERM, timeout=60):
        pid = self.daemon
        if pid:
            machine.end(pid, sign)
            wait_for(lambda: not machine.alive(pid), timeout, f"host {self.letter}: end of the daemon")

    def restart_daemon(self):
        self.stop_daemon()
        self.start_daemon()

    def configure(self, name, toml):
        """Adds `toml` to the daemon's configuration under a name, in place of what had it, and restarts the daemon."""
        folder = self.folder / "virtseer-etc/conf.d"
        folder.mkdir(exist_ok=True)
        file = folder / f"{name}.toml"
        if toml:
            file.write_text(toml, encoding="utf-8")
        else:
            file.unlink(missing_ok=True)
        if self.daemon:
            self.restart_daemon()

    def deconfigure(self, name):
        self.configure(name, None)

    # --- faults ---

    def kill_libvirtd(self):
        pid = self.libvirtd
        if pid:
            machine.end(pid)
            wait_for(lambda: not machine.alive(pid), 30, f"host {self.letter}: end of libvirtd")

    def qemu(self, name):
        """The process of a guest's emulator here, None if there is none."""
        mark = f"guest={name},".encode()
        for pid in self._inside("qemu-system-x86"):
            with contextlib.suppress(OSError):
                if mark in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                    return pid
        return None

    def kill_qemu(self, name):
        pid = self.qemu(name)
        if not pid:
            raise LabError(f"host {self.letter}: no emulator of {name} runs")
        machine.end(pid)
        wait_for(lambda: not machine.alive(pid), 30, f"host {self.letter}: end of {name}'s emulator")

    def lose_power(self):
        """Ends libvirtd, the daemon and every emulator, with all that a reboot forgets. start_libvirtd() and
        start_daemon() are its boot."""
        pids = [pid for program in ("virtseer", "libvirtd", "qemu-system-x86") for pid in self._inside(program)]
        for pid in pids:
            machine.end(pid)
        wait_for(lambda: not any(machine.alive(pid) for pid in pids), 30, f"host {self.letter}: end of its programs")
        run(["find", self.folder / "run", "-mindepth", "1", "-delete"])

    @contextlib.contextmanager
    def held(self, pid):
        """A process of this host stands still within the block; it may have been ended meanwhile."""
        machine.end(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            machine.end(pid, signal.SIGCONT)

    # --- down ---

    def down(self):
        """Cuts the host's power; what is left afterwards is in `left()`."""
        init, outer = self.init, self._pid("unshare.pid")
        space = machine.namespace(init, "pid") if init else None
        for pid in (init, outer):
            if pid:
                machine.end(pid)
        if space:
            wait_for(lambda: not [p for p in machine.pids() if machine.namespace(p, "pid") == space], 30,
                     f"host {self.letter}: end of its processes")
        for _ in range(100):
            self.group.remove()
            if not self.group.left():
                break
            with contextlib.suppress(LabError):
                wait_for(lambda: False, 0.05, "")
        shutil.rmtree(self.folder, ignore_errors=True)


def _cpu_list(text):
    found = []
    for part in (text or "").split(","):
        first, _, last = part.partition("-")
        if first:
            found.extend(range(int(first), int(last or first) + 1))
    return found
