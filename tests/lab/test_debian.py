"""The agent's package in a real Debian guest: its unit, its rights, the journal, an upgrade, and nothing left behind."""

import subprocess

import pytest
from labkit import ROOT, wait_for
from lablib.debian import ARGUMENTS, Debian
from lablib.inside import Inside

NAME = "debian-01"
# Without KVM systemd takes minutes to come up.
BOOT = 900


def package(folder, version):
    """The package, as of that version."""
    built = subprocess.run([ROOT / "packaging/agent/build-deb", folder], stdout=subprocess.PIPE, text=True, check=True)
    file = built.stdout.strip()
    tree = folder / version
    subprocess.run(["dpkg-deb", "-R", file, tree], check=True)
    control = tree / "DEBIAN/control"
    lines = [f"Version: {version}" if line.startswith("Version:") else line
             for line in control.read_text(encoding="utf-8").splitlines()]
    control.write_text("\n".join(lines) + "\n", encoding="utf-8")
    out = folder / f"{version}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, out], check=True, stdout=subprocess.DEVNULL)
    return out


@pytest.fixture(scope="module")
def debian(lab, tmp_path_factory):
    """The running guest and a shell in it; both packages are in its /root."""
    folder = tmp_path_factory.mktemp("debian")
    system = Debian(folder / "system")
    system.make([(package(folder, version), f"/root/{version}.deb") for version in ("0.1", "0.2")])
    host = lab.host("A")
    lab.guests.define(host, NAME, memory=512, disk="local", role="", arguments=ARGUMENTS, stimuli=True, system=system)
    lab.guests.start(host, NAME)
    shell = Inside(host, NAME)
    assert shell.run("systemctl is-system-running --wait", timeout=BOOT)[1] in ("running", "degraded")
    yield shell
    shell.close()
    host.virsh("destroy", NAME, check=False)
    host.virsh("undefine", NAME, check=False)


def agent_unit(shell):
    said = shell.run("systemctl show virtseer-agent -p ActiveState,SubState,NRestarts,MainPID,User")[1]
    return dict(line.split("=", 1) for line in said.splitlines())


def happenings(daemon, kind):
    return [event for event in daemon.get(f"vms/{NAME}/events")["items"] if event["kind"].startswith(kind)]


def test_the_package_brings_up_the_agent(lab, debian):
    daemon = lab.daemon("A")
    code, said = debian.run("dpkg -i /root/0.1.deb", timeout=300)
    assert code == 0, said
    assert agent_unit(debian) | {"MainPID": ""} == {"ActiveState": "active", "SubState": "running", "NRestarts": "0",
                                                    "MainPID": "", "User": "virtseer-agent"}
    daemon.wait_echo(NAME, more=3, timeout=BOOT)
    sources = daemon.agent(NAME)["sources"]
    assert sources["cpu"] == sources["processes"] == sources["logs"] == "on", sources
    # Programs for the kernel are loaded beside that. It is older than 6.16: functions of it are watched for services.
    wait_for(lambda: daemon.agent(NAME)["sources"]["ebpf"] == "on", BOOT, "programs run in the kernel")


def test_the_agent_has_no_more_rights_than_it_needs(debian):
    pid = agent_unit(debian)["MainPID"]
    code, said = debian.run(f"grep -E '^(Uid|CapEff|NoNewPrivs)' /proc/{pid}/status; "
                            f"busybox netstat -lntup | grep -c virtseer; ls -l /dev/virtio-ports/")
    assert "NoNewPrivs:\t1" in said and "Uid:\t0" not in said, (code, said)
    # CAP_SYS_PTRACE 19, CAP_SYSLOG 34, CAP_PERFMON 38, CAP_BPF 39.
    mask = next(line.split()[1] for line in said.splitlines() if line.startswith("CapEff"))
    assert int(mask, 16) == 1 << 19 | 1 << 34 | 1 << 38 | 1 << 39
    assert "\n0\n" in said, "it listens to the network"


def test_units_and_the_journal_arrive(lab, debian):
    daemon = lab.daemon("A")
    debian.run("logger -p daemon.err -t bakery 'the oven is on fire'")
    debian.run("systemd-run --unit doomed --collect false; true")
    wait_for(lambda: any("the oven is on fire" in str(event) for event in happenings(daemon, "guest.")), 120,
             "the journal's entry")
    wait_for(lambda: any("doomed" in str(event) for event in happenings(daemon, "guest.")), 120, "the failed unit")
    tables = daemon.get(f"vms/{NAME}/echo")["tables"]
    assert any("systemd-journald.service" in str(table) for table in tables), [table["name"] for table in tables]


def test_an_upgrade_keeps_it_running(lab, debian):
    daemon = lab.daemon("A")
    before = daemon.agent(NAME)["epoch"]
    code, said = debian.run("echo '# changed here' >> /etc/virtseer-agent.conf; dpkg -i /root/0.2.deb", timeout=300)
    assert code == 0, said
    assert agent_unit(debian)["ActiveState"] == "active"
    assert debian.run("tail -1 /etc/virtseer-agent.conf")[1] == "# changed here"
    wait_for(lambda: daemon.agent(NAME)["epoch"] not in (None, before), BOOT, "the new agent speaks")


def test_removal_and_purge_leave_nothing(lab, debian):
    files = debian.run("dpkg -L virtseer-agent")[1].split()
    assert debian.run("dpkg -r virtseer-agent", timeout=300)[0] == 0
    assert agent_unit(debian)["ActiveState"] == "inactive"
    wait_for(lambda: lab.daemon("A").agent(NAME)["state"] != "connected", 120, "the daemon sees it gone")
    assert debian.run("dpkg -P virtseer-agent", timeout=300)[0] == 0
    ours = [file for file in files if "virtseer" in file]
    assert ours and debian.run("ls -d " + " ".join(ours) + " 2> /dev/null")[1] == ""
    assert debian.run("getent passwd virtseer-agent; find /etc/systemd /run/systemd -name '*virtseer*'")[1] == ""
