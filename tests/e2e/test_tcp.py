"""TCP: reading from loopback without a token, anything else with one, and only for the host's own names."""

import http.client
import json
import os
import socket

import pytest
from test_service import check_config

TOKEN = "correct-horse-battery-staple-0123456789"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(port, method="GET", target="/api/v1/vms", token=None, host=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Host": host or f"127.0.0.1:{port}"}
    body = None
    if method == "POST":
        headers["Content-Type"] = "application/json"
        body = json.dumps({"duration_ms": 1000, "cpu_cores": 0.1})
    if token:
        headers["Authorization"] = f"Bearer {token}"
    connection.request(method, target, body, headers)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


@pytest.fixture
def listening(service):
    """listening(token): a daemon on a loopback port, with or without a token."""
    def make(token):
        port = free_port()
        one = service(api=f'listen = "127.0.0.1:{port}"')
        if token:
            file = one.folder / "token"
            file.write_text(token + "\n", encoding="utf-8")
            os.chmod(file, 0o600)
            with open(one.config, "a", encoding="utf-8") as config:
                config.write(f'token_file = "{file}"\n')
        one.start()
        return port
    return make


def test_without_a_token_loopback_may_read_only(listening):
    port = listening(None)
    assert ask(port) == 200
    assert ask(port, target="/metrics") == 200
    assert ask(port, "POST", "/api/v1/vms/one/load") in (401, 403)
    assert ask(port, target="/api/v1/automation") == 200
    for target in ("automation", "vms/one/migrate", "reservations", "reservations/x/commit", "operations/x/abort"):
        assert ask(port, "POST", f"/api/v1/{target}") == 401


def test_with_a_token_its_bearer_may_do_more(listening):
    port = listening(TOKEN)
    assert ask(port, "POST", "/api/v1/vms/one/load") == 401
    assert ask(port, "POST", "/api/v1/vms/one/load", token="wrong") == 401
    assert ask(port, "POST", "/api/v1/vms/one/load", token=TOKEN[:-1]) == 401
    assert ask(port, token=TOKEN) == 200
    # Let in, and then refused because of the VM's role.
    assert ask(port, "POST", "/api/v1/vms/one/load", token=TOKEN) == 403


def test_a_foreign_host_name_is_misdirected(listening):
    port = listening(None)
    assert ask(port, host="evil.example") == 421
    assert ask(port, host=f"localhost:{port}") == 200


@pytest.mark.parametrize("listen", ["0.0.0.0:8686", "[::]:8686", "192.0.2.1:8686"])
def test_other_addresses_without_a_token_are_a_fault_of_the_configuration(service, listen):
    one = service(api=f'listen = "{listen}"')
    done = check_config(one.config)
    assert done.returncode == 2 and "api.listen" in done.stdout


def test_a_token_that_others_can_read_is_refused(service):
    one = service()
    file = one.folder / "token"
    file.write_text(TOKEN, encoding="utf-8")
    os.chmod(file, 0o644)
    with open(one.config, "a", encoding="utf-8") as config:
        config.write(f'listen = "127.0.0.1:{free_port()}"\ntoken_file = "{file}"\n')
    one.spawn()
    assert one.process.wait(60) == 2
    assert "api.token_file" in one.log()
