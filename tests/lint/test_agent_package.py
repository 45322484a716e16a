"""The agent's Debian package: what is in it, and that it comes, is renewed, goes and is purged cleanly."""

import os
import re
import shutil
import stat
import subprocess
import tarfile
import io

import pytest

from tree import ROOT, text

PLACE = ROOT / "packaging/agent"
UNIT = PLACE / "virtseer-agent.service"
CONFIG = "etc/virtseer-agent.conf"
# What the package's scripts call; the chroot below has these and no more.
PROGRAMS = ("sh", "getent", "groupadd", "useradd", "userdel", "groupdel", "chown", "chmod", "rm", "cat")
HELPERS = ("systemctl", "deb-systemd-helper", "deb-systemd-invoke", "udevadm")


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=300, check=False, **options)
    return done.returncode, done.stdout


@pytest.fixture(scope="module", name="package")
def fixture_package(tmp_path_factory):
    code, said = run(PLACE / "build-deb", tmp_path_factory.mktemp("package"))
    assert code == 0, said
    return said.strip()


class Guest:
    """A root folder that packages are installed into: some programs, empty accounts, no service manager."""

    def __init__(self, folder, manager):
        self.root = folder
        for name in ("etc", "bin", "usr/bin", "usr/sbin", "var/lib/dpkg/updates", "var/lib/dpkg/info", "tmp", "dev", "run",
                     "var/log", "lib"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        (self.root / "var/lib/dpkg/status").write_text(
            "".join(f"Package: {name}\nStatus: install ok installed\nVersion: 9\nArchitecture: all\n"
                    f"Maintainer: x\nDescription: x\n\n" for name in ("init-system-helpers", "passwd")), encoding="utf-8")
        (self.root / "var/lib/dpkg/available").touch()
        (self.root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n", encoding="utf-8")
        (self.root / "etc/group").write_text("root:x:0:\n", encoding="utf-8")
        (self.root / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\n", encoding="utf-8")
        (self.root / "dev/null").touch()
        for program in PROGRAMS:
            self.bring(shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin"), program)
        for helper in HELPERS:
            path = self.root / "usr/bin" / helper
            path.write_text(f"#!/bin/sh\necho {helper} \"$@\" >> /tmp/calls\n", encoding="utf-8")
            path.chmod(0o755)
        if manager:
            (self.root / "run/systemd/system").mkdir(parents=True)

    def bring(self, path, name):
        """Copies a program with its libraries."""
        shutil.copy(path, self.root / "usr/bin" / name)
        if name == "sh":
            shutil.copy(path, self.root / "bin/sh")
        _, libraries = run("ldd", path)
        for library in re.findall(r"(/\S+) \(0x", libraries):
            target = self.root / library.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                shutil.copy(library, target)

    def dpkg(self, *arguments):
        return run("dpkg", f"--root={self.root}", "--force-depends", *arguments,
                   env=dict(os.environ, PATH="/usr/sbin:/usr/bin:/sbin:/bin", DEBIAN_FRONTEND="noninteractive"))

    def must(self, *arguments):
        code, said = self.dpkg(*arguments)
        assert code == 0, said
        return said

    def calls(self):
        """What the scripts asked the service manager since the last time."""
        path = self.root / "tmp/calls"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines

    def account(self):
        return "virtseer-agent" in text(self.root / "etc/passwd")


def test_the_package_holds_what_it_should_with_the_right_modes(package):
    archive = subprocess.run(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE, check=True).stdout
    found = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            assert (member.uname, member.gname) == ("root", "root"), member.name
            assert not member.mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IWOTH), member.name
            if member.isfile():
                found[member.name.removeprefix("./")] = member.mode
    assert found == {
        CONFIG: 0o644,
        "lib/systemd/system/virtseer-agent.service": 0o644,
        "lib/udev/rules.d/60-virtseer-agent.rules": 0o644,
        "usr/bin/virtseer-agent": 0o755,
        "usr/lib/sysusers.d/virtseer-agent.conf": 0o644,
        "usr/share/doc/virtseer-agent/NEWS.gz": 0o644,
        "usr/share/doc/virtseer-agent/changelog.gz": 0o644,
        "usr/share/doc/virtseer-agent/copyright": 0o644,
        "usr/share/lintian/overrides/virtseer-agent": 0o644,
        "usr/share/man/man8/virtseer-agent.8.gz": 0o644,
    }


def test_the_package_is_the_same_whoever_builds_it(package, tmp_path):
    code, again = run(PLACE / "build-deb", tmp_path)
    assert code == 0, again
    with open(package, "rb") as one, open(again.strip(), "rb") as other:
        assert one.read() == other.read()


def test_lintian_has_nothing_to_say(package):
    code, said = run("lintian", "--tag-display-limit=0", "--allow-root", package)
    assert code == 0 and not said.strip(), said


@pytest.mark.parametrize("manager", [False, True])
def test_it_comes_is_renewed_goes_and_is_purged(package, tmp_path, manager):
    guest = Guest(tmp_path / "root", manager)
    guest.must("--install", package)
    assert guest.account()
    assert (guest.root / "etc/virtseer-agent").stat().st_mode & 0o777 == 0o750
    came = guest.calls()
    assert "deb-systemd-helper enable virtseer-agent.service" in came
    assert ("deb-systemd-invoke start virtseer-agent.service" in came) == manager
    assert ("systemctl --system daemon-reload" in came) == manager

    (guest.root / CONFIG).write_text("interval = 1s\n", encoding="utf-8")
    (guest.root / "etc/virtseer-agent/token").write_text("secret", encoding="utf-8")
    guest.must("--install", package)
    assert text(guest.root / CONFIG) == "interval = 1s\n"
    assert ("deb-systemd-invoke restart virtseer-agent.service" in guest.calls()) == manager

    guest.must("--remove", "virtseer-agent")
    assert not (guest.root / "usr/bin/virtseer-agent").exists()
    assert (guest.root / CONFIG).exists() and (guest.root / "etc/virtseer-agent/token").exists() and guest.account()
    assert ("deb-systemd-invoke stop virtseer-agent.service" in guest.calls()) == manager

    guest.must("--purge", "virtseer-agent")
    left = [str(path) for path in guest.root.rglob("*virtseer*")]
    assert not left
    assert not guest.account() and "virtseer" not in text(guest.root / "etc/group")
    assert "deb-systemd-helper purge virtseer-agent.service" in guest.calls()


def test_the_account_is_the_same_with_sysusers(tmp_path):
    (tmp_path / "etc").mkdir()
    code, said = run("systemd-sysusers", f"--root={tmp_path}", PLACE / "sysusers.conf")
    assert code == 0, said
    assert re.search(r"^virtseer-agent:x:\d+:\d+:virtseer agent:/:/usr/sbin/nologin$", text(tmp_path / "etc/passwd"),
                     re.MULTILINE)


def test_the_unit_is_accepted_by_systemd(tmp_path):
    units = tmp_path / "etc/systemd/system"
    units.mkdir(parents=True)
    shutil.copy(UNIT, units)
    program = tmp_path / "usr/bin/virtseer-agent"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    for target in ("sysinit", "basic", "shutdown", "multi-user"):
        (units / f"{target}.target").write_text("[Unit]\nDescription=x\n", encoding="utf-8")
    for slice_name in ("-.slice", "system.slice"):
        (units / slice_name).write_text("[Unit]\nDescription=x\n", encoding="utf-8")
    code, said = run("systemd-analyze", "verify", f"--root={tmp_path}", "--man=no", "--recursive-errors=no",
                     "virtseer-agent.service")
    about_it = [line for line in said.splitlines() if "virtseer-agent.service" in line]
    assert code == 0 and not about_it, said


def test_the_unit_gives_few_rights():
    unit = text(UNIT).splitlines()
    for line in ("User=virtseer-agent", "SupplementaryGroups=systemd-journal", "Restart=always", "NoNewPrivileges=yes",
                 "AmbientCapabilities=CAP_BPF CAP_PERFMON CAP_SYS_PTRACE CAP_SYSLOG", "SocketBindDeny=any"):
        assert line in unit
    _, said = run("systemd-analyze", "--offline=true", "security", UNIT, env=dict(os.environ, LC_ALL="C.UTF-8"))
    exposure = re.search(r"Overall exposure level for virtseer-agent.service: ([\d.]+)", said)
    assert exposure and float(exposure.group(1)) <= 3.5, said


def test_the_udev_rule_is_one_that_udev_reads():
    rules = [line for line in text(PLACE / "60-virtseer-agent.rules").splitlines() if line and not line.startswith("#")]
    assert len(rules) == 1
    token = re.compile(r'([A-Z]+)(\{[\w.]+\})?(==|!=|\+=|=)"([^"]*)"')
    tokens = [token.fullmatch(part) for part in rules[0].split(", ")]
    assert all(tokens), rules[0]
    parts = {(match.group(1), match.group(2) or ""): (match.group(3), match.group(4)) for match in tokens}
    assert parts == {("SUBSYSTEM", ""): ("==", "virtio-ports"), ("ATTR", "{name}"): ("==", "org.virtseer.echo.0"),
                     ("GROUP", ""): ("=", "virtseer-agent"), ("MODE", ""): ("=", "0660"), ("TAG", ""): ("+=", "systemd"),
                     ("ENV", "{SYSTEMD_WANTS}"): ("+=", "virtseer-agent.service")}


def test_the_manual_names_every_key_and_option():
    manual = text(ROOT / "packaging/man/virtseer-agent.8").replace("\\-", "-")
    for key in re.findall(r"^#(\w+) = ", text(PLACE / "virtseer-agent.conf"), re.MULTILINE):
        assert f".B {key}\n" in manual, key
    _, said = run(ROOT / "build/release/virtseer-agent", "--help")
    for option in re.findall(r"--[a-z]+", said):
        assert option in manual, option
    assert ".SH CONTAINERS" in manual
