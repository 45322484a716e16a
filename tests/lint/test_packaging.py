"""Unit, accounts and install rules are right as systemd and cmake see them."""

import os
import re
import shutil
import subprocess

from tree import ROOT, text

UNIT = ROOT / "packaging/systemd/virtseer.service"


def run(*command, **options):
    return subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=300, check=False, **options)


def test_the_unit_is_accepted_by_systemd(tmp_path):
    units = tmp_path / "etc/systemd/system"
    units.mkdir(parents=True)
    shutil.copy(UNIT, units)
    program = tmp_path / "usr/bin/virtseer"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    # Targets that every system has, and that this empty root lacks.
    for target in ("sysinit", "basic", "shutdown", "multi-user", "network"):
        (units / f"{target}.target").write_text("[Unit]\nDescription=x\n", encoding="utf-8")
    for slice_name in ("-.slice", "system.slice"):
        (units / slice_name).write_text("[Unit]\nDescription=x\n", encoding="utf-8")
    done = run("systemd-analyze", "verify", f"--root={tmp_path}", "--man=no", "--recursive-errors=no",
               "virtseer.service")
    about_it = [line for line in done.stdout.splitlines() if "virtseer.service" in line]
    assert done.returncode == 0 and not about_it, done.stdout


def test_the_unit_says_what_the_daemon_relies_on():
    unit = text(UNIT)
    for line in ("Type=notify", "WatchdogSec=30", "User=virtseer", "Wants=libvirtd.service virtqemud.service",
                 "StateDirectory=virtseer", "RuntimeDirectory=virtseer", "Environment=OMP_WAIT_POLICY=PASSIVE"):
        assert line in unit.splitlines()
    assert "Requires=" not in unit


def test_the_unit_lets_block_devices_be_looked_at_and_says_what_copied_moves_need():
    unit = text(UNIT)
    assert "PrivateDevices=yes" not in unit.splitlines() and "DevicePolicy=closed" in unit.splitlines()
    manual = text(ROOT / "packaging/man/virtseer-daemon.8")
    section = re.search(r"see \"([A-Z ]+)\" in virtseer-daemon", unit).group(1)
    assert f".SH {section}" in manual and "ReadWritePaths=" in manual


def test_every_manual_the_unit_names_exists():
    named = re.findall(r"\bman:([\w.-]+)\((\d)\)", text(UNIT))
    assert named
    for page, section in named:
        assert (ROOT / f"packaging/man/{page}.{section}").exists(), f"{page}({section})"


def test_the_unit_is_exposed_little():
    done = run("systemd-analyze", "--offline=true", "security", UNIT, env=dict(os.environ, LC_ALL="C.UTF-8"))
    exposure = re.search(r"Overall exposure level for virtseer.service: ([\d.]+)", done.stdout)
    assert exposure, done.stdout
    assert float(exposure.group(1)) <= 2.0


def test_the_account_is_made_from_its_description(tmp_path):
    (tmp_path / "etc").mkdir()
    done = run("systemd-sysusers", f"--root={tmp_path}", ROOT / "packaging/sysusers.d/virtseer.conf")
    assert done.returncode == 0, done.stdout
    assert re.search(r"^virtseer:.*:/usr/sbin/nologin$", text(tmp_path / "etc/passwd"), re.MULTILINE)


def test_an_installation_is_complete_and_keeps_an_edited_configuration(tmp_path):
    install = ["cmake", "--install", ROOT / "build/release", "--prefix", "/usr"]
    environment = dict(os.environ, DESTDIR=str(tmp_path))
    first = run(*install, env=environment)
    assert first.returncode == 0, first.stdout
    for path in ("usr/bin/virtseer", "usr/bin/virtseer-agent", "usr/lib/systemd/system/virtseer.service",
                 "usr/lib/sysusers.d/virtseer.conf", "usr/share/polkit-1/rules.d/60-virtseer.rules",
                 "etc/virtseer/virtseer.toml"):
        assert (tmp_path / path).exists(), path
    configuration = tmp_path / "etc/virtseer/virtseer.toml"
    configuration.write_text("# edited\n", encoding="utf-8")
    second = run(*install, env=environment)
    assert second.returncode == 0, second.stdout
    assert configuration.read_text(encoding="utf-8") == "# edited\n"


def test_the_readme_installs_before_it_starts_the_daemon():
    readme = text(ROOT / "README.md")
    steps = ["cmake --install build/release --prefix /usr", "systemd-sysusers virtseer.conf", "systemctl daemon-reload",
             "virtseer config check /etc/virtseer/virtseer.toml", "systemctl enable --now virtseer", "virtseer status"]
    places = [readme.find(f" {step}") for step in steps]
    assert -1 not in places and places == sorted(places)
    assert (ROOT / "packaging/sysusers.d/virtseer.conf").exists()
    assert re.search(r"^ExecStart=/usr/bin/virtseer ", text(UNIT), re.MULTILINE)
    assert "WantedBy=" in text(UNIT)


def test_the_polkit_rules_name_the_user_and_the_right():
    rule = text(ROOT / "packaging/polkit/60-virtseer.rules")
    fine = text(ROOT / "packaging/polkit/60-virtseer-fine.rules.example")
    assert 'subject.user == "virtseer"' in rule and '"org.libvirt.unix.manage"' in rule
    assert "polkit.Result.NO" in fine and '"org.libvirt.api.domain.open-device"' in fine
    acting = ("domain.migrate", "domain.start", "domain.stop", "domain.suspend", "domain.save", "domain.delete",
              "domain.write", "domain.hibernate", "domain.read-secure", "storage-pool.refresh", "storage-vol.delete")
    assert not [right for right in acting if f'"org.libvirt.api.{right}"' not in fine]
    for content in (rule, fine):
        assert content.count("{") == content.count("}") and content.count("(") == content.count(")")
