"""The running server and its OpenAPI file say the same, in both directions; the CLI shows the same bytes."""

import json
import re
import subprocess
import urllib.parse

import jsonschema
import pytest
import yaml
from labkit import ROOT, wait_for

FILE = ROOT / "src/api/openapi.yaml"
DOCUMENT = yaml.safe_load(FILE.read_text(encoding="utf-8"))
OPERATIONS = [(path, method) for path, item in DOCUMENT["paths"].items()
              for method in item if method in ("get", "post", "put", "delete", "patch")]
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH")


def resolve(node):
    while "$ref" in node:
        target = DOCUMENT
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def check(schema, value):
    whole = dict(schema, components=DOCUMENT["components"])
    validator = jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker())
    faults = [f"{'/'.join(map(str, fault.absolute_path))}: {fault.message}" for fault in validator.iter_errors(value)]
    assert not faults, "\n".join(faults)


VM = "00000000-0000-4000-8000-000000000001"
# What is sent to each POST, and the answers that a daemon without peers on libvirt's test driver may give. A path
# that names an operation names none that there is.
LOAD = "/api/v1/vms/{vm}/load"
COMES = VM.replace("1", "9")
RESERVE = {"operation": "no-such", "dry_run": True, "vm": COMES, "vm_name": "nine", "from": VM,
           "from_name": "elsewhere", "cpus": 1, "memory_bytes": 1 << 27, "copy_storage": False,
           "live_xml": f"<domain type='test'><name>nine</name><uuid>{COMES}</uuid><memory>131072</memory>"
                       "<vcpu>2</vcpu><os><type>hvm</type></os></domain>"}
POSTS = {
    "/api/v1/hosts/{host}/maintenance": ({"on": False}, (200,)),
    LOAD: ({"duration_ms": 1000, "cpu_cores": 0.1}, (200, 403)),
    "/api/v1/vms/{vm}/collection": ({"interval_ms": 1000, "top_processes": None, "collectors": ["cpu"]}, (200,)),
    "/api/v1/vms/{vm}/migrate": ({"dry_run": True}, (200, 403, 501)),
    "/api/v1/automation": ({"on": True}, (200,)),
    "/api/v1/operations/{id}/abort": ({"fenced": True}, (404,)),
    "/api/v1/reservations": (RESERVE, (200, 403, 501)),
    "/api/v1/reservations/{operation}/renew": ({}, (404,)),
    "/api/v1/reservations/{operation}/release": ({}, (200, 404)),
    "/api/v1/reservations/{operation}/commit": ({"autostart": False, "moves": []}, (404,)),
    "/api/v1/reservations/{operation}/agent-token": ({"token": 16 * "x"}, (404,)),
    "/api/v1/reservations/{operation}/revive": ({}, (404,)),
    "/api/v1/reservations/{operation}/return": ({}, (404,)),
    "/api/v1/vms/{vm}/enroll": ({"dry_run": True}, (200,)),
}
NOTHING_THERE = {"/api/v1/explanations/{id}": (404,), "/api/v1/operations/{id}": (404,),
                 "/api/v1/vms/{vm}/tables/{name}": (404,)}


@pytest.fixture(scope="module", autouse=True)
def planned(running):
    """All is known once the first round has passed."""
    wait_for(lambda: running.daemon.request("GET", "/api/v1/plan")[0] == 200, 60, "the first plan is made")


def fill(running, path):
    host = running.daemon.get("hosts")["items"][0]["name"]
    values = {"host": urllib.parse.quote(host), "vm": "one", "uuid": VM, "id": "no-such", "operation": "no-such",
              "name": "processes"}
    return re.sub(r"{(\w+)}", lambda match: values[match.group(1)], path)


def answer(running, path, method, query="", body=None):
    """Asks, and checks the answer against what the file says of that status; -> (status, value)."""
    status, headers, data = running.daemon.request(method.upper(), fill(running, path) + query, body)
    responses = DOCUMENT["paths"][path][method]["responses"]
    assert str(status) in responses or status >= 400 and "default" in responses, f"{status} is not documented"
    described = resolve(responses.get(str(status)) or responses["default"])
    kind = headers["Content-Type"].split(";")[0]
    assert kind in described["content"], f"{kind} is not documented for {status}"
    assert headers["X-Request-Id"] and headers["Cache-Control"] == "no-store"
    value = json.loads(data) if kind.endswith("json") else data.decode()
    check(described["content"][kind]["schema"], value)
    return status, value


@pytest.mark.parametrize("path, method", OPERATIONS)
def test_what_is_documented_is_served_as_documented(running, path, method):
    body, expected = POSTS[path] if method == "post" else (None, NOTHING_THERE.get(path, (200,)))
    status, _ = answer(running, path, method, body=body)
    assert status in expected


def test_every_post_is_tried():
    assert set(POSTS) == {path for path, method in OPERATIONS if method == "post"}


@pytest.mark.parametrize("path", POSTS)
def test_what_is_sent_is_as_documented(path):
    check(DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"], POSTS[path][0])


def media_types(node):
    if isinstance(node, dict):
        if "schema" in node and "example" in node:
            yield node
        for value in node.values():
            yield from media_types(value)


def test_the_examples_fit_their_schemas():
    found = list(media_types(DOCUMENT["paths"]))
    assert found
    for each in found:
        check(each["schema"], each["example"])
    for schema in DOCUMENT["components"]["schemas"].values():
        for example in schema.get("examples", []):
            check(schema, example)


@pytest.mark.parametrize("path, method", OPERATIONS)
def test_what_is_not_documented_is_refused(running, path, method):
    """Other methods and parameters than the file's."""
    for other in METHODS:
        if other.lower() not in DOCUMENT["paths"][path]:
            status, headers, _ = running.daemon.request(other, fill(running, path))
            assert status == 405, f"{other} {path}"
            assert method.upper() in headers["Allow"]
    status, value = answer(running, path, method, query="?no_such_parameter=1",
                           body=POSTS[path][0] if method == "post" else None)
    assert status == 400 and "no_such_parameter" in value["detail"]


@pytest.mark.parametrize("path", ["/", "/api", "/api/v1", "/api/v2/vms", "/api/v1/nothing", "/api/v1/vms/one/nothing",
                                  "/api/v1/vms/", "/metrics/x", "/../etc/passwd"])
def test_paths_that_are_not_documented_are_not_there(running, path):
    status, headers, data = running.daemon.request("GET", path)
    assert status in (400, 404)
    assert headers["Content-Type"] == "application/problem+json"
    check(DOCUMENT["components"]["schemas"]["Problem"], json.loads(data))


@pytest.mark.parametrize("query", ["?metric=x&from=yesterday", "?metric=x&aggregation=mode", "?metric=x&step=-1s",
                                   "?metric=x&limit=0", "?metric=x&limit=999999999999", "?metric=x&label=nocolon",
                                   "?metric=" + "x" * 200, "?from=-1h&metric=", "?metric=x&metric=y"])
def test_bad_parameters_are_refused_with_their_name(running, query):
    status, value = answer(running, "/api/v1/vms/{vm}/series", "get", query=query)
    assert status == 400
    name = re.findall(r"[?&](\w+)=", query)[-1]
    assert name in value["detail"]


@pytest.mark.parametrize("body", [{}, {"duration_ms": -1}, {"duration_ms": "1s"}, {"duration_ms": 1, "cpu": 1}, [],
                                  {"duration_ms": 1000, "cpu_cores": 1e9}, {"duration_ms": 1, "ramp_ms": 2}])
def test_bad_orders_are_refused(running, body):
    assert answer(running, LOAD, "post", body=body)[0] == 400


@pytest.mark.parametrize("path", [path for path in POSTS if path != LOAD])
@pytest.mark.parametrize("body", [[], "on", {"on": "yes", "to": 7, "operation": 7, "autostart": 7, "unheard_of": 1}])
def test_bad_bodies_are_refused(running, path, body):
    assert answer(running, path, "post", body=body)[0] == 400


def test_what_a_person_says_is_what_is_shown(running):
    for on in (False, True):
        assert answer(running, "/api/v1/automation", "post", body={"on": on})[1]["on"] is on
        assert answer(running, "/api/v1/automation", "get")[1]["on"] is on
    for on in (True, False):
        assert answer(running, "/api/v1/hosts/{host}/maintenance", "post", body={"on": on})[1]["maintenance"] is on
        assert answer(running, "/api/v1/fleet/state", "get")[1]["host"]["maintenance"] is on


def test_another_daemon_is_told_where_a_vm_stands(running):
    assert answer(running, "/api/v1/fleet/vms/{uuid}", "get")[1]["presence"]["state"] == "running"
    status, _, data = running.daemon.request("GET", f"/api/v1/fleet/vms/{COMES}")
    assert status == 200 and json.loads(data)["presence"]["state"] == "absent"


def test_a_vm_that_is_not_there_is_not_found(running):
    status, value = answer(running, "/api/v1/vms/{vm}", "get")
    assert status == 200 and value["name"] == "one"
    status, _, data = running.daemon.request("GET", "/api/v1/vms/nobody")
    assert status == 404 and "nobody" in json.loads(data)["detail"]


def test_the_served_file_is_the_file_in_the_tree(running):
    assert running.daemon.request("GET", "/api/v1/openapi.yaml")[2] == FILE.read_bytes()


@pytest.mark.parametrize("arguments, target", [
    (["vms"], "vms"), (["vm", "one"], "vms/one"), (["hosts"], "hosts"), (["events"], "events"),
    (["series", "one"], "vms/one/series"), (["vm", "one", "--echo"], "vms/one/echo"),
    (["collection", "two"], "vms/two/collection")])
def test_json_of_the_command_is_the_body_byte_for_byte(running, arguments, target):
    for _ in range(10):
        before = running.daemon.request("GET", f"/api/v1/{target}")[2]
        shown = running.daemon.cli(*arguments, "--output", "json")
        after = running.daemon.request("GET", f"/api/v1/{target}")[2]
        if before == after:
            break
    assert before == after, "the answer never stood still"
    assert shown.returncode == 0
    assert shown.stdout.encode() == before


def test_metrics_pass_promtool(running):
    status, headers, data = running.daemon.request("GET", "/metrics")
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    done = subprocess.run(["promtool", "check", "metrics"], input=data, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60, check=False)
    assert done.returncode == 0 and not done.stdout, done.stdout.decode()
    names = {name for name, _ in running.daemon.metrics()}
    assert {"virtseer_loop_lag_seconds", "virtseer_build_info"} <= names


def test_head_answers_like_get_without_a_body(running):
    status, headers, data = running.daemon.request("HEAD", "/api/v1/vms")
    assert status == 200 and not data and int(headers["Content-Length"]) > 0
