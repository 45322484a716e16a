"""Applications in a guest: the real PostgreSQL and nginx with their exporters, and a program that sends StatsD, by way
of the real agent to the real daemon."""

import contextlib
import glob
import http.client
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

from labkit import wait_for
from test_agent_calls import VM, fixture_calls, free_port  # pylint: disable=unused-import

NGINX = """\
daemon off;
pid {folder}/nginx.pid;
worker_processes 1;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location = /status {{ stub_status; }}
    location / {{ return 200 "ok"; }}
  }}
}}
"""
# PostgreSQL does not run as root.
OTHER = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}


def answers(port, path):
    caller = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(caller):
        caller.request("GET", path)
        answer = caller.getresponse()
        assert answer.status == 200
        return answer.read().decode()


class Applications:
    """A folder with a database, a web server, and an exporter of each."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="virtseer-apps-"))
        self.folder.chmod(0o755)
        self.processes = {}
        self.web, self.postgres_exporter, self.nginx_exporter = free_port(), free_port(), free_port()

    def spawn(self, name, *command, **options):
        with open(self.folder / f"{name}.log", "wb") as log:
            self.processes[name] = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=log,
                                                    stderr=log, **options)

    def start_database(self):
        programs = pathlib.Path(sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))[-1]).parent
        place = self.folder / "database"
        place.mkdir()
        if OTHER:
            shutil.chown(place, "postgres", "postgres")
        subprocess.run([programs / "initdb", "-D", place, "-U", "postgres", "--auth=trust", "--no-sync", "--locale=C"],
                       check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/", **OTHER)
        self.spawn("postgres", programs / "postgres", "-D", place, "-c", "listen_addresses=", "-c", "fsync=off",
                   "-c", f"unix_socket_directories={place}", cwd="/", **OTHER)
        wait_for(lambda: self.sql("SELECT 1;") == "1", 60, "the database answers")
        self.spawn("postgres-exporter", "prometheus-postgres-exporter",
                   f"--web.listen-address=127.0.0.1:{self.postgres_exporter}", cwd="/", **OTHER,
                   env=dict(os.environ, DATA_SOURCE_NAME=f"host={place} user=postgres dbname=postgres sslmode=disable"))

    def start_web(self):
        config = self.folder / "nginx.conf"
        config.write_text(NGINX.format(folder=self.folder, port=self.web), encoding="utf-8")
        program = shutil.which("nginx", path="/usr/sbin:/usr/bin")
        self.spawn("nginx", program, "-c", config, "-e", self.folder / "nginx-error.log")
        wait_for(lambda: answers(self.web, "/") == "ok", 30, "the web server answers")
        self.spawn("nginx-exporter", "prometheus-nginx-exporter",
                   f"-web.listen-address=127.0.0.1:{self.nginx_exporter}",
                   f"-nginx.scrape-uri=http://127.0.0.1:{self.web}/status")

    def start(self):
        self.start_database()
        self.start_web()
        for port in (self.postgres_exporter, self.nginx_exporter):
            wait_for(lambda port=port: answers(port, "/metrics"), 30, f"the exporter at {port} answers")
        return self

    def sql(self, text):
        """Each statement is a transaction."""
        done = subprocess.run(["psql", "-h", self.folder / "database", "-U", "postgres", "-qAt"], input=text, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def transactions(self):
        return int(self.sql("SELECT sum(xact_commit + xact_rollback) FROM pg_stat_database WHERE datname IS NOT NULL;"))

    def requests(self):
        return int(re.search(r"^ \d+ \d+ (\d+) $", answers(self.web, "/status"), re.MULTILINE).group(1))

    def kill(self, name):
        process = self.processes.pop(name)
        process.kill()
        process.wait(30)

    def end(self):
        for name in list(self.processes):
            # By these PostgreSQL and nginx end at once, with all their processes.
            self.processes[name].send_signal(signal.SIGTERM if name == "nginx" else signal.SIGQUIT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.processes[name].wait(30)
            self.kill(name)
        shutil.rmtree(self.folder)


@pytest.fixture(name="applications")
def fixture_applications():
    one = Applications()
    yield one
    one.end()


def test_transactions_web_requests_and_statsd_metrics_of_a_guest_are_those_that_were_made(calls, applications):
    applications.start()
    statsd = applications.folder / "statsd"
    calls.agent(more=f"scrape = pg http://127.0.0.1:{applications.postgres_exporter}/metrics pg_up "
                     "pg_stat_database_xact_*{datname}\n"
                     f"scrape = web http://127.0.0.1:{applications.nginx_exporter}/metrics nginx_*\n"
                     f"statsd = {statsd}\n")

    def told(metric, **labels):
        items = calls.service.daemon.get(f"vms/{VM}/latest")["items"]
        return [item for item in items if item["metric"] == metric and labels.items() <= item["labels"].items()][0]

    def value(metric, **labels):
        return told(metric, **labels)["value"]

    wait_for(lambda: value("guest_scrape_up", endpoint="pg") == 1 == value("guest_scrape_up", endpoint="web"), 60,
             "both pages are read")
    wait_for(lambda: value("app_pg_up", endpoint="pg") == 1 == value("app_nginx_up", endpoint="web"), 30, "both are up")

    before = applications.transactions(), applications.requests()
    applications.sql("SELECT 1;\n" * 500)
    for _ in range(300):
        answers(applications.web, "/")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as program:
        program.connect(str(statsd))
        program.send(b"jobs.done:2|c\njobs.done:3|c|@0.5\nqueue:7|g")
        program.send(b"render:250|ms")

    made = wait_for(lambda: value("guest_database_transactions_total", endpoint="pg") >= before[0] + 500 and
                    value("guest_database_transactions_total", endpoint="pg"), 30, "the transactions are told")
    assert made <= applications.transactions()
    asked = wait_for(lambda: value("guest_web_requests_total", endpoint="web") >= before[1] + 300 and
                     value("guest_web_requests_total", endpoint="web"), 30, "the requests are told")
    assert asked <= applications.requests()
    assert told("guest_web_requests_total", endpoint="web")["kind"] == "counter"
    assert value("app_pg_stat_database_xact_commit_total", endpoint="pg", datname="postgres") >= 500
    assert value("app_nginx_http_requests_total", endpoint="web") >= 300

    wait_for(lambda: value("app_jobs_done_total", protocol="statsd") == 8, 30, "what the program sent is told")
    assert value("app_queue", protocol="statsd") == 7
    assert value("app_render_seconds_total", protocol="statsd") == 0.25
    assert value("guest_statsd_dropped_total") == 0

    applications.kill("nginx-exporter")
    wait_for(lambda: value("guest_scrape_up", endpoint="web") == 0, 30, "a page that is gone is told")
    assert value("guest_scrape_up", endpoint="pg") == 1
