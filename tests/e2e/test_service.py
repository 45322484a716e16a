"""The daemon as a service: configuration, systemd's protocol, ends, faults of its surroundings."""

import signal
import socket
import subprocess
import time

from conftest import binary
from labkit import wait_for


def check_config(path):
    return subprocess.run([binary(), "config", "check", path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60, check=False)


FAULTY = """\
[libvirt]
interval = "soon"
intervall = "5s"
uris = "qemu:///system"

[echo]
max_faults = -3

[nonsense]
x = 1
"""


def test_all_faults_of_a_configuration_are_told_at_once_and_nothing_starts(service):
    one = service()
    one.config.write_text(FAULTY + f'[state]\ndirectory = "{one.folder}/state"\n'
                          f'[api]\nsocket = "{one.folder}/virtseer.sock"\n', encoding="utf-8")
    one.spawn()
    assert one.process.wait(60) == 2
    said = one.log()
    for line, key in ((2, "libvirt.interval"), (3, "libvirt.intervall"), (4, "libvirt.uris"), (7, "echo.max_faults"),
                      (9, "nonsense")):
        assert f"{one.config}:{line}: {key}" in said, said
    assert not (one.folder / "state").exists() and not (one.folder / "virtseer.sock").exists()
    assert "READY=1" not in one.messages()
    checked = check_config(one.config)
    assert checked.returncode == 2 and "libvirt.intervall" in checked.stdout


def test_a_file_that_is_no_toml_or_not_there_is_told(service):
    one = service()
    one.config.write_text("[libvirt\n", encoding="utf-8")
    done = check_config(one.config)
    assert done.returncode == 2 and f"{one.config}:" in done.stdout
    missing = check_config(one.folder / "missing.toml")
    assert missing.returncode == 2 and "missing.toml" in missing.stdout


def test_later_files_of_the_folder_win_and_their_faults_carry_their_name(service):
    one = service()
    folder = one.folder / "conf.d"
    folder.mkdir()
    (folder / "10-log.toml").write_text('[log]\nlevel = "debug"\n', encoding="utf-8")
    assert check_config(one.config).returncode == 0
    (folder / "20-bad.toml").write_text('\n[log]\nlevel = "loud"\n', encoding="utf-8")
    done = check_config(one.config)
    assert done.returncode == 2 and f"{folder}/20-bad.toml:3: log.level" in done.stdout


def test_a_service_manager_hears_ready_watchdog_and_stopping(service):
    one = service().start(WATCHDOG_USEC="2000000")
    wait_for(lambda: one.messages().count("WATCHDOG=1") >= 3, 30, "the watchdog is fed")
    assert one.stop() == 0
    said = one.messages()
    assert said.index("READY=1") < said.index("STOPPING=1")
    assert not (one.folder / "virtseer.sock").exists()
    assert "rror" not in one.log().replace("error_", ""), one.log()


def test_an_interrupt_ends_it_as_well(service):
    assert service().start().stop(signal.SIGINT) == 0


def test_it_starts_again_after_a_kill(service):
    one = service().start()
    one.stop(signal.SIGKILL)
    one.said.clear()
    one.start()
    assert one.daemon.health()["store"]["open"]
    assert one.stop() == 0


def test_two_daemons_do_not_share_a_store(service):
    one = service().start()
    second = subprocess.run([binary(), "daemon", "--config", one.config], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    assert second.returncode not in (0, None) and second.stdout
    assert one.daemon.get("vms")["items"], "the first one was disturbed"


def test_libvirt_that_is_not_there_is_told_and_does_not_stop_it(service):
    one = service(domains=(), uri="qemu+unix:///system?socket=/nonexistent/libvirt-sock").start()
    wait_for(lambda: one.daemon.health()["status"] == "degraded", 30, "the daemon says so")
    health = one.daemon.health()
    assert not health["environments"][0]["connected"] and health["environments"][0]["error"]
    assert one.daemon.request("GET", "/healthz")[0] == 503
    assert one.stop() == 0


def test_history_survives_a_restart(service):
    one = service(interval="200ms").start()
    host = one.daemon.get("hosts")["items"][0]["name"]

    def points():
        series = one.daemon.get(f"hosts/{host}/series", metric="host_load1")["items"]
        return len(series[0]["points"]) if series else 0

    wait_for(lambda: points() >= 5, 30, "points of the host")
    assert one.stop() == 0
    one.said.clear()
    one.start()
    assert wait_for(points, 30, "points after the restart") >= 5
    assert one.stop() == 0


def test_what_a_vms_agent_is_to_collect_survives_a_kill(service):
    one = service().start()
    said = one.daemon.request("POST", "/api/v1/vms/one/collection", {"interval_ms": 700, "collectors": ["cpu"]})
    assert said[0] == 200
    one.stop(signal.SIGKILL)
    one.said.clear()
    one.start()
    kept = one.daemon.get("vms/one/collection")
    assert (kept["interval_ms"], kept["top_processes"], kept["collectors"]) == (700, 10, ["cpu"])
    assert one.daemon.get("vms/two/collection")["collectors"] == ["all"]
    events = one.daemon.get("events", kind="agent.collection")["items"]
    assert len(events) == 1 and events[0]["entity_name"] == "one"


def test_commands_without_a_daemon_say_that_none_answers(service):
    one = service()
    done = one.daemon.cli("status")
    assert done.returncode == 3
    assert str(one.folder) in done.stderr


def test_a_wrong_usage_ends_with_two(service):
    one = service()
    for arguments in (["no-such-command"], ["vm"], ["series", "one", "x", "--from", "yesterday"], ["--no-such-option"]):
        done = one.daemon.cli(*arguments)
        assert done.returncode == 2, arguments
        assert done.stderr


def raw(path, data, timeout=30):
    """What the server sends back for these bytes until it closes or falls silent."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout)
    connection.connect(str(path))
    got = b""
    try:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while chunk := connection.recv(65536):
            got += chunk
    except OSError:
        pass
    connection.close()
    return got


def test_broken_requests_are_answered_and_do_no_harm(service):
    one = service().start()
    path = one.daemon.path
    assert raw(path, b"\x16\x03\x01garbage\r\n\r\n").startswith((b"HTTP/1.1 400", b""))
    assert b" 431 " in raw(path, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 200000 + b"\r\n\r\n")
    big = b"POST /api/v1/vms/one/load HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    assert b" 413 " in raw(path, big + b"Content-Length: 100000000\r\n\r\n" + b"x" * 100000)
    half = [socket.socket(socket.AF_UNIX) for _ in range(50)]
    for connection in half:
        connection.connect(str(path))
        connection.sendall(b"GET /api/v1/vms HT")
    begin = time.monotonic()
    assert one.daemon.get("vms")["items"]
    assert time.monotonic() - begin < 5
    for connection in half:
        connection.close()
    assert one.stop() == 0


def test_the_socket_is_closed_to_others(service):
    one = service().start()
    assert one.daemon.path.stat().st_mode & 0o777 == 0o660
    assert one.stop() == 0
