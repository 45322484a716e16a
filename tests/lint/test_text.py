"""What the text of the tree must and must not have."""

import ast
import re
import subprocess

from tree import ROOT, files, name, scripts, text

CODE = ("*.cc", "*.h", "*.py")
SLEEP = re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep|clock_nanosleep|sleep)\s*\(")
# Put together so that this file does not find itself.
PLACES = re.compile(r"(?<![\w.])/" + r"work\b|\.\./" + r"shared\b|/home" + r"/\w|/tmp/" + r"v[bc]\b")


def lines_with(pattern, paths):
    return [f"{name(path)}:{number}: {line.strip()}" for path in paths
            for number, line in enumerate(text(path).splitlines(), 1) if pattern.search(line)]


def test_sources_are_formatted():
    sources = files("*.cc", "*.h")
    assert sources
    done = subprocess.run(["clang-format-19", "--dry-run", "-Werror", *sources], cwd=ROOT, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    wrong = sorted({line.split(":")[0] for line in done.stdout.splitlines() if "error:" in line})
    assert not wrong and done.returncode == 0, "\n".join(wrong)


def test_no_coroutine_is_detached():
    assert not lines_with(re.compile(r"\bdetached\s*\)|asio::" + r"detached\b"), files("*.cc", "*.h"))


def test_no_test_sleeps():
    tests = [path for path in files("*.cc", "*.h", below="tests")]
    assert not lines_with(SLEEP, tests)


def test_scripts_of_tests_sleep_only_while_they_poll():
    wrong = []
    for path in files("*.py", below="tests") + scripts("python3"):
        tree = ast.parse(text(path))
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef) and function.name == "wait_for":
                for inner in ast.walk(function):
                    inner.polls = True
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "sleep" and not hasattr(call, "polls"):
                wrong.append(f"{name(path)}:{call.lineno}")
    assert not wrong


def test_files_are_short():
    long = {name(path): len(text(path).splitlines()) for path in files(*CODE)}
    assert not {path: lines for path, lines in long.items() if lines > 500}


def test_nothing_is_put_off():
    mark = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX|HA" + r"CK)\b")
    assert not lines_with(mark, files(*CODE, "*.md", "*.toml", "*.yaml"))


def test_no_place_of_one_machine_is_named():
    readable = [path for path in files() if path.suffix not in (".gz", ".png", ".bin", ".raw", ".chunk")]
    wrong = []
    for path in readable:
        content = path.read_bytes().decode("utf-8", errors="replace")
        wrong += [f"{name(path)}: {match.group(0)}" for match in PLACES.finditer(content)]
    assert not wrong


def test_shell_scripts_parse():
    shells = scripts("bash") + files("*.sh") + [path for path in files("*-completion.bash")]
    assert shells
    for path in shells:
        done = subprocess.run(["bash", "-n", path], stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_python_parses():
    sources = files("*.py") + scripts("python3")
    assert sources
    for path in sources:
        ast.parse(text(path), filename=name(path))
