"""How each kind of test is run and counted."""

import concurrent.futures
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

CATCH = {"unit": "unit", "simulation": "sim", "contract": "contract", "golden": "golden"}
PYTEST = {"lint": "lint", "lab": "lab", "end-to-end": "e2e"}
BINARY_SECONDS = 900
PYTEST_SECONDS = {"lint": 900, "lab": 2400, "end-to-end": 900}
FUZZ_SECONDS = 10
SOAK_FUZZ_SECONDS = 300
SOAK_FACTOR = 20
LAB_STATE = "/tmp/virtseer-lab-tests"


class Count:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []

    def fail(self, name):
        self.failed += 1
        self.failures.append(name)

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.failures += other.failures

    def ran(self):
        return self.passed + self.failed

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def run(kind, root, output, environment, soak):
    """Runs one kind and returns its Count. Failing output is shown, all output is kept below `output`."""
    if kind in PYTEST:
        return run_pytest(kind, root, output, environment, soak)
    folder, prefix = ("fuzz", "fuzz_") if kind == "fuzz" else ("tests", CATCH[kind] + "_")
    programs = sorted(path for path in (root / "build/asan" / folder).glob(prefix + "*")
                      if os.access(path, os.X_OK) and path.is_file() and _has_source(root, kind, path.name, prefix))
    one = run_fuzzer if kind == "fuzz" else run_catch
    total = Count()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        for count in pool.map(lambda program: one(program, root, output, environment, soak), programs):
            total.add(count)
    return total


def _has_source(root, kind, name, prefix):
    """A binary whose tests were taken away stays in the build tree; it is no test."""
    stem = name[len(prefix):]
    if kind == "fuzz":
        return (root / "tests/fuzz" / f"{stem}.cc").exists()
    return (root / "tests" / CATCH[kind] / stem).is_dir()


def _execute(command, log, timeout, **options):
    """(exit code or None for a hang, end of the log)."""
    with open(log, "wb") as output:
        try:
            code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                  timeout=timeout, check=False, **options).returncode
        except subprocess.TimeoutExpired:
            code = None
    text = log.read_text(encoding="utf-8", errors="replace")
    return code, "\n".join(text.splitlines()[-60:])


# --- Catch2 ---


def count_catch(report, name):
    """Counts the cases of a report of Catch2's XML reporter; one that breaks off counts as far as it goes."""
    count = Count()
    parser = ElementTree.XMLPullParser(events=("end",))
    try:
        parser.feed(report)
        events = list(parser.read_events())
    except ElementTree.ParseError:
        events = []
    for _, element in events:
        if element.tag != "TestCase":
            continue
        result = element.find("OverallResult")
        if result is not None and result.get("success") == "true":
            count.passed += 1
        else:
            count.fail(f"{name}: {element.get('name')}")
    return count


def run_catch(program, root, output, environment, soak):
    report = output / f"{program.name}.xml"
    # Not below `output`: paths of UNIX sockets are short.
    with tempfile.TemporaryDirectory(prefix="virtseer-test-", ignore_cleanup_errors=True) as scratch:
        code, tail = _execute([program, "-r", "xml", "-o", report], output / f"{program.name}.log",
                              BINARY_SECONDS * (SOAK_FACTOR if soak else 1), cwd=root,
                              env=dict(environment, TMPDIR=scratch))
    text = report.read_text(encoding="utf-8", errors="replace") if report.exists() else ""
    count = count_catch(text, program.name)
    if code != 0 and not count.failed:
        count.fail(f"{program.name}: " + ("hangs" if code is None else f"exit code {code}"))
    if count.failed:
        print(f"--- {program.name}, see {report}\n{tail}", flush=True)
        _show_failures(text)
    return count


def _show_failures(report):
    try:
        tree = ElementTree.fromstring(report)
    except ElementTree.ParseError:
        return
    for case in tree.iter("TestCase"):
        result = case.find("OverallResult")
        if result is not None and result.get("success") == "true":
            continue
        print(f"FAILED {case.get('filename')}:{case.get('line')}: {case.get('name')}")
        for wrong in case.iter("Expression"):
            if wrong.get("success") != "true":
                print(f"  {wrong.get('filename')}:{wrong.get('line')}: {(wrong.findtext('Original') or '').strip()}"
                      f"  with  {(wrong.findtext('Expanded') or '').strip()}")
        for tag in ("Exception", "FatalErrorCondition", "Failure"):
            for wrong in case.iter(tag):
                print(f"  {tag}: {(wrong.text or '').strip()}")
    sys.stdout.flush()


# --- fuzzers ---


def seed(folder, root):
    """A corpus made at run time: small files that look like what the decoders and parsers take."""
    folder.mkdir(parents=True, exist_ok=True)
    seeds = [b"", b"\0" * 64, b"\xff" * 64, b'{"items":[],"next":null}', b"GET /api/v1/vms?x=1 HTTP/1.1\r\n\r\n",
             bytes.fromhex("ec7e5ee1") + b"\x01" + (16).to_bytes(4, "big") + b"\0" * 20, bytes(range(256))]
    configuration = root / "config/virtseer.toml"
    if configuration.exists():
        seeds.append(configuration.read_bytes())
    for number, content in enumerate(seeds):
        (folder / f"seed-{number}").write_bytes(content)


def run_fuzzer(program, root, output, environment, soak):
    corpus, artifacts = output / f"{program.name}.corpus", output / f"{program.name}.artifacts"
    seed(corpus, root)
    kept = root / "tests/fuzz/corpus" / program.name.removeprefix("fuzz_")
    artifacts.mkdir(exist_ok=True)
    seconds = SOAK_FUZZ_SECONDS if soak else FUZZ_SECONDS
    command = [program, f"-max_total_time={seconds}", "-rss_limit_mb=1024", "-malloc_limit_mb=512", "-timeout=10",
               f"-artifact_prefix={artifacts}/", "-print_final_stats=1", corpus, *([kept] if kept.is_dir() else [])]
    code, tail = _execute(command, output / f"{program.name}.log", seconds + 120, cwd=output, env=environment)
    count = Count()
    if code == 0:
        count.passed = 1
    else:
        count.fail(f"{program.name}: " + ("hangs" if code is None else f"exit code {code}, input in {artifacts}"))
        print(f"--- {program.name}\n{tail}", flush=True)
    return count


# --- pytest ---


def run_pytest(kind, root, output, environment, soak):
    report = output / "junit.xml"
    command = ["/usr/bin/python3", "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rfEs", "--tb=short", "--durations=15",
               f"--junitxml={report}", f"--basetemp={output}/tmp", root / "tests" / PYTEST[kind]]
    if kind == "lab":
        environment = dict(environment, VIRTSEER_LAB=environment.get("VIRTSEER_LAB", LAB_STATE))
    code, tail = _execute(command, output / "pytest.log", PYTEST_SECONDS[kind] * (SOAK_FACTOR if soak else 1),
                          cwd=root, env=environment)
    if kind == "lab" and code is None:
        subprocess.run([root / "tests/lab/lab", "down"], env=environment, check=False)
    count = Count()
    try:
        cases = list(ElementTree.parse(report).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        cases = []
    for case in cases:
        name = f"{case.get('classname')}.{case.get('name')}"
        if case.find("failure") is not None or case.find("error") is not None:
            count.fail(name)
        elif case.find("skipped") is not None:
            count.skipped += 1
        else:
            count.passed += 1
    if code not in (0, 5) and not count.failed:
        count.fail(f"{kind}: " + ("hangs" if code is None else f"pytest ended with {code}"))
    if count.failed:
        print(f"--- {kind}, see {output}/pytest.log\n{tail}", flush=True)
    return count
