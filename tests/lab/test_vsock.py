"""An agent that calls over vsock: the real agent and the real daemon within one guest, over the kernel's loopback.

Where a host has no vhost_vsock this is how far a call gets; the way from guest to host is the kernel's.
"""

import json
import signal

import pytest
from labkit import BOOT, ROOT, SETTLE, wait_for
from lablib.inside import Inside

NAME = "vsock-01"
PORT = 8687
TOKEN = "5f0c1a9e7b3d42c8a6e0917d35b8f42c"
# The machine of libvirt's driver for tests stands for the one that the agent is in.
VM, VM_UUID = "test", "6695eb01-f6a4-8304-79aa-97f2502e193f"
DAEMON = f"""\
[state]
directory = "/run/host/state"
[libvirt]
uris = ["test:///default"]
[api]
socket = "/run/host/socket"
[echo]
listen_vsock = {PORT}
interval = "1s"
"""
AGENT = f"""\
port = /run/no-port
server = vsock://1:{PORT}
token_file = /run/TOKEN
vm_uuid = {VM_UUID}
"""


class Both:
    """Daemon and agents of the guest."""

    def __init__(self, host):
        self.inside = Inside(host, NAME)
        self.write("/run/host/daemon.toml", DAEMON)
        for name, token in (("right", TOKEN), ("wrong", TOKEN[::-1])):
            self.write(f"/run/{name}", token + "\n")
            self.write(f"/run/{name}.conf", AGENT.replace("TOKEN", name))
        self.write(f"/run/host/state/agents/{VM_UUID}.token", TOKEN + "\n")
        self.begin("host", "virtseer daemon --config /run/host/daemon.toml")

    def run(self, command, timeout=SETTLE):
        code, said = self.inside.run(command, timeout)
        assert code == 0, f"{command}: {code} {said}"
        return said

    def write(self, path, text):
        lines = text.encode().hex()
        escaped = "".join(f"\\x{lines[i:i + 2]}" for i in range(0, len(lines), 2))
        self.run(f"umask 077; mkdir -p $(dirname {path}); printf '{escaped}' > {path}")

    def begin(self, name, command):
        self.run(f"{command} < /dev/null >> /run/{name}.log 2>&1 & echo $! > /run/{name}.pid")

    def end(self, name, sign=signal.SIGTERM):
        self.run(f"kill -{int(sign)} $(cat /run/{name}.pid)")
        gone = "! kill -0 $(cat /run/{name}.pid) 2> /dev/null"
        wait_for(lambda: self.inside.run(gone.format(name=name))[0] == 0, SETTLE, f"the end of {name}")

    def cli(self, *words):
        return json.loads(self.run(f"virtseer --socket /run/host/socket --output json {' '.join(words)}"))

    def agent(self):
        return self.cli("vm", VM)["agent"]

    def wait_echo(self, number):
        def heard():
            agent = self.agent()
            assert agent["sequence"] >= number, (agent, self.run("tail -n 3 /run/host.log /run/right.log"))
            return True
        wait_for(heard, BOOT, f"echo {number}", every=1)


@pytest.fixture(scope="module", name="both")
def fixture_both(lab):
    host = lab.host("A")
    lab.guests.start(host, NAME, memory=640, disk="none", stimuli=True,
                     programs={f"/bin/{name}": ROOT / "build/release" / name for name in ("virtseer", "virtseer-agent")})
    lab.daemon("A").wait_echo(NAME)
    made = Both(host)
    wait_for(lambda: made.cli("vms"), BOOT, "the daemon within the guest answers", every=1)
    yield made
    made.inside.close()
    host.virsh("destroy", NAME, check=False)
    host.virsh("undefine", NAME, check=False)


def test_a_wrong_token_is_denied(both):
    both.begin("wrong", "virtseer-agent --config /run/wrong.conf")
    denied = wait_for(lambda: both.cli("events", "--kind", "agent.denied")["items"], SETTLE, "the denial", every=1)
    both.end("wrong")
    assert "vsock CID 1" in denied[0]["message"] and TOKEN not in str(denied) and TOKEN[::-1] not in str(denied)
    assert both.agent()["state"] != "connected"


def test_an_agent_calls_over_vsock_and_nothing_is_lost_when_the_daemon_is_killed(both):
    both.begin("right", "virtseer-agent --config /run/right.conf")
    both.wait_echo(10)
    agent = both.agent()
    assert agent["state"] == "connected" and agent["caller"] == "vsock CID 1" and agent["sources"]["cpu"] == "on"

    both.end("host", signal.SIGKILL)
    both.begin("host", "virtseer daemon --config /run/host/daemon.toml")
    wait_for(lambda: both.agent()["state"] == "connected", BOOT, "the agent calls again", every=1)
    both.wait_echo(20)
    points = [point for item in both.cli("series", VM, "echo_sequence", "--from", "1h")["items"]
              for point in item["points"]]
    numbers = [int(point["value"]) for point in points]
    assert len(numbers) >= 20 and numbers == list(range(1, numbers[-1] + 1))
    secrets = both.run("cat /run/host.log /run/right.log /proc/$(cat /run/right.pid)/cmdline; ps")
    assert TOKEN not in secrets
