"""A guest that lies: its channel ends in this test, which plays the agent."""

import os
import random
import socket
import struct
import time

import echo_wire
import pytest
from labkit import SETTLE, wait_for

XML = """\
<domain type='qemu'>
  <name>{name}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <on_poweroff>destroy</on_poweroff>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <channel type='unix'><source mode='connect' path='/var/lib/libvirt/{name}.sock'/>
      <target type='virtio' name='org.virtseer.echo.0'/></channel>
    <controller type='usb' model='none'/><memballoon model='none'/><video><model type='none'/></video>
  </devices>
</domain>
"""


class Liar:
    """Listens where QEMU and then the daemon's channel connect; each later connection is a session of the daemon."""

    def __init__(self, lab, name):
        self.host, self.name = lab.host("A"), name
        self.daemon = lab.daemon("A")
        self.path = self.host.folder / "lib" / f"{name}.sock"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        os.chmod(self.path, 0o666)
        self.listener.listen(8)
        self.listener.settimeout(2 * SETTLE)
        file = self.host.folder / f"{name}.xml"
        file.write_text(XML.format(name=name), encoding="utf-8")
        self.host.virsh("create", file)
        self.qemu, _ = self.listener.accept()

    def session(self):
        """(connection, nonce): the daemon's session that is open, as greeted last: it greets again who keeps silent, and
        in the end on a new connection."""
        while True:
            connection, _ = self.listener.accept()
            connection.settimeout(SETTLE)
            got = b""
            while data := connection.recv(65536):
                got += data
                if echo_wire.nonce_of(got) is not None:
                    break
            connection.setblocking(False)
            try:
                while data:
                    data = connection.recv(65536)
                    got += data
            except BlockingIOError:
                connection.settimeout(SETTLE)
                return connection, echo_wire.nonce_of(got)
            connection.close()  # the daemon has given it up

    def agent(self):
        return self.daemon.agent(self.name)

    def end(self):
        self.host.virsh("destroy", self.name, check=False)
        for opened in (self.qemu, self.listener):
            opened.close()
        self.path.unlink()


@pytest.fixture
def liar(lab, request):
    made = Liar(lab, "liar-" + request.node.name[-12:].strip("_").replace("_", "-"))
    yield made
    made.end()


def send(connection, data):
    """Sends until the other side has had enough; True if it took everything."""
    try:
        connection.sendall(data)
        return True
    except (BrokenPipeError, ConnectionResetError, TimeoutError):
        return False


def closed_by_the_daemon(connection):
    end = time.monotonic() + SETTLE
    try:
        while time.monotonic() < end:
            if not connection.recv(65536):
                return True
    except ConnectionResetError:
        return True
    except TimeoutError:
        pass
    return False


def stored(liar):
    """Names of what the guest's own stream holds."""
    return [item["metric"] for item in liar.daemon.get(f"vms/{liar.name}/series")["items"] if item["source"] == "guest"]


def test_garbage_after_a_good_start_closes_the_link_and_stores_nothing(liar):
    connection, nonce = liar.session()
    send(connection, echo_wire.hello(nonce, epoch=7))
    wait_for(lambda: liar.agent()["state"] == "connected", SETTLE, "the hello is taken")
    noise = random.Random(1)
    for _ in range(64):
        if not send(connection, struct.pack(">I", echo_wire.MAGIC) + noise.randbytes(4096)):
            break
    assert closed_by_the_daemon(connection)
    wait_for(lambda: liar.agent()["faults"] > 0, SETTLE, "the faults are counted")
    assert liar.agent()["state"] != "connected" and liar.agent()["reason"]
    assert not stored(liar)


def test_a_frame_that_is_too_large_is_never_taken(liar):
    connection, nonce = liar.session()
    send(connection, echo_wire.hello(nonce, epoch=7))
    wait_for(lambda: liar.agent()["state"] == "connected", SETTLE, "the hello is taken")
    before = liar.daemon.health()["rss_bytes"]
    head = struct.pack(">IBII", echo_wire.MAGIC, echo_wire.ECHO, 0x7FFFFFFF, 0)
    for _ in range(64):
        if not send(connection, head + bytes(65536)):
            break
    assert closed_by_the_daemon(connection)
    assert liar.agent()["faults"] > 0
    assert not stored(liar)
    assert liar.daemon.health()["rss_bytes"] < before + (64 << 20)


def test_a_flood_is_cut_off(liar):
    connection, nonce = liar.session()
    send(connection, echo_wire.hello(nonce, epoch=7) + echo_wire.catalogue(["guest_load1"]))
    number = 1
    while number < 20000 and send(connection, b"".join(echo_wire.echo(n, [0.5]) for n in range(number, number + 100))):
        number += 100
    assert closed_by_the_daemon(connection)
    wait_for(lambda: liar.agent()["faults"] > 0, SETTLE, "the flood is counted")
    kinds = [event["kind"] for event in liar.daemon.get(f"vms/{liar.name}/events")["items"]]
    assert "agent.closed" in kinds


def test_a_guest_that_repeats_another_ones_identity_changes_only_itself(lab, liar, guest):
    daemon = liar.daemon
    guest("A", "victim")
    victim = daemon.agent("victim")
    connection, nonce = liar.session()
    number = victim["sequence"] + 1000
    send(connection, echo_wire.hello(nonce, epoch=victim["epoch"], first=number, upcoming=number)
         + echo_wire.catalogue(["guest_ticks_total"]) + echo_wire.echo(number, [1e6]))
    wait_for(lambda: liar.agent()["echoes"] > 0, SETTLE, "the echo is taken under the liar's own name")
    daemon.wait_echo("victim", more=5)
    after = daemon.agent("victim")
    assert after["epoch"] == victim["epoch"] and after["sequence"] < number
    assert after["duplicates"] == victim["duplicates"] and after["lost"] == victim["lost"]
    ticks = [item for item in daemon.get("vms/victim/latest")["items"] if item["metric"] == "guest_ticks_total"]
    assert ticks[0]["value"] < 1e5


def test_names_that_are_no_names_are_refused(liar):
    connection, nonce = liar.session()
    evil = ["x\x1b[31m", "a\nb", "guest_load1{vm=\"victim\"}", "x" * 5000, "../../etc/passwd"]
    send(connection, echo_wire.hello(nonce, epoch=7))
    for _ in range(20):
        if not all(send(connection, echo_wire.catalogue([name])) for name in evil):
            break
    assert closed_by_the_daemon(connection)
    assert liar.agent()["faults"] > 0
    assert not stored(liar)


def test_a_hostile_guest_does_not_disturb_others(liar, guest):
    guest("A", "bystander")
    connection, nonce = liar.session()
    send(connection, echo_wire.hello(nonce, epoch=7) + random.Random(2).randbytes(4 << 20))
    assert closed_by_the_daemon(connection)
    liar.daemon.wait_echo("bystander", more=5)
    assert liar.daemon.agent("bystander")["faults"] == 0
    assert liar.daemon.health()["loop_lag_seconds_max"] < 0.5
