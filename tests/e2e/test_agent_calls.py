"""Agents that call: the real agent and the real daemon over TLS on loopback."""

import json
import os
import pathlib
import re
import socket
import subprocess

import pytest

from labkit import ROOT, wait_for

VM = "00000000-0000-4000-8000-000000000001"
TOKEN = "5f0c1a9e7b3d42c8a6e0917d35b8f42c"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def certificate(folder, name="IP:127.0.0.1"):
    folder.mkdir(exist_ok=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", folder / "host.key", "-out", folder / "host.pem", "-subj", "/CN=host", "-days", "2",
                    "-addext", f"subjectAltName={name}"], check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (folder / "host.key").chmod(0o600)
    return folder


class Agent:
    """The agent of a guest whose only way to the host is TLS."""

    def __init__(self, folder, port, authority, token=TOKEN, more=""):
        self.folder = folder
        (folder / "token").write_text(token + "\n", encoding="utf-8")
        (folder / "token").chmod(0o600)
        self.config = folder / "agent.conf"
        self.config.write_text(f"port = {folder}/none\nserver = tls://127.0.0.1:{port}\nserver_ca = {authority}\n"
                               f"token_file = {folder}/token\nvm_uuid = {VM}\ninterval = 200ms\n{more}",
                               encoding="utf-8")
        self.log = folder / "agent.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([ROOT / "build/release/virtseer-agent", "--config", self.config],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def said(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def shown(self):
        """What anybody can see of the process."""
        place = pathlib.Path("/proc") / str(self.process.pid)
        return (place / "cmdline").read_bytes() + (place / "environ").read_bytes()

    def end(self):
        self.process.kill()
        self.process.wait(30)


@pytest.fixture(name="calls")
def fixture_calls(service, tmp_path):
    """calls(**options) makes a daemon that listens, and calls.agent(...) an agent that calls it."""
    agents = []

    class Calls:
        def __init__(self):
            self.port = free_port()
            self.authority = certificate(tmp_path / "tls")
            self.service = service(api=f"[echo]\nlisten_tls = \"127.0.0.1:{self.port}\"\n"
                                       f"tls_certificate = \"{self.authority}/host.pem\"\n"
                                       f"tls_key = \"{self.authority}/host.key\"\n"
                                       "interval = \"200ms\"\n")
            tokens = self.service.folder / "state/agents"
            tokens.mkdir(parents=True)
            (tokens / f"{VM}.token").write_text(TOKEN + "\n", encoding="utf-8")
            (tokens / f"{VM}.token").chmod(0o600)
            self.service.start()

        def agent(self, authority=None, token=TOKEN, more=""):
            folder = tmp_path / f"guest{len(agents)}"
            folder.mkdir()
            agents.append(Agent(folder, self.port, authority or self.authority / "host.pem", token, more))
            return agents[-1]

        def link(self):
            return self.service.daemon.get(f"vms/{VM}")["agent"]

        def metric(self, name):
            lines = self.service.daemon.request("GET", "/metrics")[2].decode().splitlines()
            return next(float(line.split()[1]) for line in lines if line.startswith(name + " "))

    yield Calls()
    for agent in agents:
        agent.end()


def test_an_agent_that_calls_is_served_and_loses_nothing_when_the_daemon_is_restarted(calls):
    agent = calls.agent()
    wait_for(lambda: calls.link()["state"] == "connected" and calls.link()["echoes"] >= 3, 30, "echoes over TLS")
    epoch = calls.link()["epoch"]
    assert calls.link()["caller"] == "127.0.0.1"
    assert re.search(r"^ *calls from +127\.0\.0\.1$", calls.service.daemon.cli("vm", VM).stdout, re.MULTILINE)
    assert calls.metric("virtseer_agent_calls_accepted_total") == 1
    assert TOKEN.encode() not in agent.shown()
    calls.service.stop()
    calls.service.start()
    wait_for(lambda: calls.link()["state"] == "connected" and calls.link()["echoes"] >= 3, 60, "the agent calls again")
    link = calls.link()
    assert link["epoch"] == epoch and link["lost"] == 0 and link["faults"] == 0
    assert TOKEN not in agent.said() and TOKEN not in calls.service.log()


def test_a_wrong_token_is_denied_counted_and_told_without_it(calls):
    wrong = "0" * 32
    agent = calls.agent(token=wrong)
    wait_for(lambda: calls.metric("virtseer_agent_calls_denied_total") >= 2, 30, "two denials")
    events = calls.service.daemon.get("events")["items"]
    denied = [event for event in events if event["kind"] == "agent.denied"]
    assert len(denied) == 1 and denied[0]["fields"]["address"] == "127.0.0.1"
    assert wrong not in str(events) and wrong not in calls.service.log() and wrong not in agent.said()
    assert calls.link()["state"] == "absent"
    assert agent.said().count("the host closed the connection") == 1


def test_a_host_with_another_certificate_never_hears_the_token(calls, tmp_path):
    stranger = certificate(tmp_path / "stranger")
    agent = calls.agent(authority=stranger / "host.pem")
    wait_for(lambda: "not signed by one in server_ca" in agent.said(), 30, "the agent refuses the host")
    assert calls.metric("virtseer_agent_calls_denied_total") == 0
    assert calls.metric("virtseer_agent_calls_accepted_total") == 0


def test_a_vm_enrolled_over_tls_is_heard_by_its_token_until_that_is_taken_back(calls):
    def enroll(*arguments):
        done = calls.service.daemon.cli("--output", "json", "enroll", VM, *arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    (calls.service.folder / "state/agents" / f"{VM}.token").unlink()
    told = enroll("--tls", f"127.0.0.1:{calls.port}")
    assert told["changed"] and not any("echo.listen_tls" in note for note in told["notes"])
    assert any(f"server = tls://127.0.0.1:{calls.port}" in line for line in told["guest"])
    file = pathlib.Path(told["token_file"])
    token = file.read_text(encoding="utf-8").strip()
    calls.agent(token=token)
    wait_for(lambda: calls.link()["state"] == "connected" and calls.link()["echoes"] >= 1, 30, "echoes by its token")
    assert token not in calls.service.log() and token not in json.dumps(calls.service.daemon.get("events"))

    assert enroll("--remove")["changed"] and not file.exists()
    wait_for(lambda: calls.link()["state"] != "connected", 30, "the call ends with its token")
    wait_for(lambda: calls.metric("virtseer_agent_calls_denied_total") >= 1, 30, "the agent is denied from then on")


def test_silent_and_foreign_callers_hold_little_and_others_are_served(calls):
    def call(source):
        return socket.create_connection(("127.0.0.1", calls.port), source_address=(source, 0))

    held = [call("127.0.0.2") for _ in range(100)]
    wait_for(lambda: calls.metric("virtseer_agent_calls_turned_away_total") >= 80, 30, "most are turned away")
    assert calls.metric("virtseer_agent_callers") <= 16
    calls.agent()
    wait_for(lambda: calls.link()["state"] == "connected", 30, "an agent is served beside them")
    for one in held:
        one.close()
    with call("127.0.0.3") as plain:
        try:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            plain.settimeout(20)
            assert b"HTTP" not in plain.recv(1000)
        except ConnectionError:
            pass
    assert calls.service.daemon.get("vms")["items"]


def test_an_agent_checks_its_configuration(tmp_path):
    config = tmp_path / "agent.conf"
    config.write_text("interval = 5\nserver = tls://127.0.0.1:1\n", encoding="utf-8")
    done = subprocess.run([ROOT / "build/release/virtseer-agent", "--config", config, "--check"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert f"{config}:1: interval: '5' is no time" in done.stdout and "server needs server_ca" in done.stdout
    done = subprocess.run([ROOT / "build/release/virtseer-agent", "--config", ROOT / "packaging/agent/virtseer-agent.conf",
                           "--check"], stdout=subprocess.PIPE, text=True, timeout=30, check=False)
    assert done.returncode == 0


def test_tls_without_certificate_or_with_an_open_key_is_a_fault_of_the_configuration(service, tmp_path):
    def faults(echo):
        one = service(api=f"[echo]\nlisten_tls = \"127.0.0.1:{free_port()}\"\n{echo}").spawn()
        assert one.process.wait(30) == 2
        return one.log()

    assert "echo.tls_certificate" in faults("")
    made = certificate(tmp_path / "tls")
    os.chmod(made / "host.key", 0o604)
    assert "open to everybody" in faults(f"tls_certificate = \"{made}/host.pem\"\ntls_key = \"{made}/host.key\"\n")
