"""One lab for all tests: hosts A and B with their daemons, and the guest web-01 on shared storage."""

import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
os.environ.setdefault("VIRTSEER_LAB", "/tmp/virtseer-lab-tests")

# pylint: disable=wrong-import-position
import labkit
from labkit import ROOT, SOAK, Daemon, wait_for
from lablib import machine
from lablib.lab import Lab

# A guest with systemd takes a quarter of an hour to come up without KVM.
collect_ignore = [] if SOAK else ["test_debian.py"]


def _binary():
    """The sanitized daemon where it is built."""
    wish = os.environ.get("VIRTSEER_BIN")
    candidates = [pathlib.Path(wish)] if wish else [ROOT / "build/asan/virtseer", ROOT / "build/release/virtseer"]
    for path in candidates:
        if path.exists():
            return path
    raise AssertionError(f"no virtseer is built: {', '.join(map(str, candidates))}")


@pytest.fixture(scope="session")
def appliance():
    folder = pathlib.Path(os.environ.get("VIRTSEER_APPLIANCE") or ROOT / "build/appliance")
    if not (folder / "initramfs.gz").exists():
        subprocess.run([ROOT / "build/release/virtseer", "appliance", "build", "--directory", folder], check=True,
                       timeout=600)
    return folder


class TestLab(Lab):
    """The lab with what tests ask of it."""

    __test__ = False

    def daemon(self, letter):
        return Daemon(self.host(letter).socket, self.binary)

    def log(self, letter):
        file = self.host(letter).folder / "log/virtseer.log"
        return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""


@pytest.fixture(scope="session")
def lab(appliance):
    lacking = machine.faults()
    assert not lacking, "\n".join(lacking)
    os.environ["VIRTSEER_BIN"] = str(_binary())
    os.environ["VIRTSEER_APPLIANCE"] = str(appliance)
    world = TestLab()
    world.down()
    try:
        world.up(["A", "B"])
        yield world
        for letter in "AB":
            assert "Sanitizer" not in world.log(letter), world.log(letter)[-4000:]
    finally:
        keep = os.environ.get("VIRTSEER_TEST_LOGS")
        if keep:
            for host in world.hosts():
                subprocess.run(["cp", "-r", "-T", f"{host.folder}/log", f"{keep}/{host.name}"], check=False)
        left = world.down()
    assert not left, f"left behind: {left}"


@pytest.fixture
def guest(lab):
    """guest(host, name, **options): a guest that echoes; gone after the test, wherever it went."""
    names = []

    def start(letter, name, **options):
        names.append(name)
        lab.guests.start(lab.host(letter), name, **options)
        lab.daemon(letter).wait_echo(name)
        return name

    yield start
    for name in names:
        for letter in "AB":
            host = lab.host(letter)
            host.virsh("destroy", name, check=False)
            host.virsh("undefine", name, check=False)


@pytest.fixture(autouse=True)
def healthy(request):
    """Every test that uses the lab begins with daemons that run and see libvirt."""
    if "lab" not in request.fixturenames:
        return
    world = request.getfixturevalue("lab")
    for letter in "AB":
        host = world.host(letter)
        if not host.libvirtd:
            host.start_libvirtd()
        if not host.daemon:
            host.start_daemon()
        wait_for(lambda letter=letter: all(e["connected"] for e in world.daemon(letter).health()["environments"]),
                 labkit.SETTLE, f"daemon {letter} sees libvirt")
