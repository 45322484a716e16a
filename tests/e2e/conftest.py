"""A daemon on libvirt's test driver, as its user would start it: no lab, no root needed."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))

# pylint: disable=wrong-import-position
from labkit import ROOT, Daemon, wait_for


def binary():
    """The sanitized program where it is built."""
    wish = os.environ.get("VIRTSEER_BIN")
    candidates = [pathlib.Path(wish)] if wish else [ROOT / "build/asan/virtseer", ROOT / "build/release/virtseer"]
    for path in candidates:
        if path.exists():
            return path
    raise AssertionError(f"no virtseer is built: {', '.join(map(str, candidates))}")


NODE = """\
<node>
  <cpu><mhz>2000</mhz><model>x86_64</model><active>4</active><nodes>1</nodes><sockets>1</sockets><cores>4</cores>
    <threads>1</threads></cpu>
  <memory>16777216</memory>
  {domains}
</node>
"""
DOMAIN = """\
  <domain type='test'><name>{name}</name><uuid>00000000-0000-4000-8000-{number:012d}</uuid><memory>131072</memory>
    <vcpu>2</vcpu><os><type>hvm</type></os></domain>
"""

CONFIG = """\
[state]
directory = "{folder}/state"
[libvirt]
uris = ["{uri}"]
interval = "{interval}"
[host]
interval = "{interval}"
[api]
socket = "{folder}/virtseer.sock"
{api}
"""


class Service:
    """A folder with a configuration, and the daemon started on it with systemd's protocol."""

    def __init__(self, domains=("one", "two"), interval="10s", api="", uri=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="virtseer-e2e-"))
        node = self.folder / "node.xml"
        node.write_text(NODE.format(domains="".join(DOMAIN.format(name=name, number=number + 1)
                                                    for number, name in enumerate(domains))), encoding="utf-8")
        self.config = self.folder / "virtseer.toml"
        self.config.write_text(CONFIG.format(folder=self.folder, uri=uri or f"test://{node}", interval=interval,
                                             api=api), encoding="utf-8")
        self.daemon = Daemon(self.folder / "virtseer.sock", binary())
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(self.folder / "notify"))
        self.notify.setblocking(False)
        self.said = []
        self.process = None
        self.domains = domains

    def messages(self):
        """All that was told to the service manager so far."""
        while True:
            try:
                self.said += self.notify.recv(65536).decode().splitlines()
            except BlockingIOError:
                return self.said

    def spawn(self, **environment):
        log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(
            [binary(), "daemon", "--config", self.config], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env=dict(os.environ, NOTIFY_SOCKET=str(self.folder / "notify"), **environment))
        log.close()
        return self

    def start(self, **environment):
        self.spawn(**environment)
        wait_for(lambda: "READY=1" in self.messages() or self.process.poll() is not None, 60, "READY=1")
        assert self.process.poll() is None, self.log()
        wait_for(lambda: len(self.daemon.get("vms")["items"]) == len(self.domains), 30, "the VMs are listed")
        return self

    def stop(self, sign=signal.SIGTERM):
        """The exit code."""
        self.process.send_signal(sign)
        return self.process.wait(60)

    def log(self):
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def end(self):
        if self.process and self.process.poll() is None:
            self.stop(signal.SIGKILL)
        self.notify.close()
        log = self.log() if (self.folder / "log").exists() else ""
        shutil.rmtree(self.folder)
        assert "Sanitizer" not in log, log[-4000:]


@pytest.fixture
def service():
    """service(**options) makes one; all are gone after the test."""
    made = []

    def make(**options):
        made.append(Service(**options))
        return made[-1]

    yield make
    for one in made:
        one.end()


@pytest.fixture(scope="module")
def running():
    """One daemon for tests that only ask."""
    one = Service().start()
    yield one
    one.end()
