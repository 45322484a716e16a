"""tests/run counts what happened, also when a binary breaks off."""

import pathlib
import stat
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

# pylint: disable=wrong-import-position
import kinds
from tree import ROOT

CASE = '<TestCase name="{0}" filename="x.cc" line="1"><OverallResult success="{1}"/></TestCase>'
HEAD = '<?xml version="1.0" encoding="UTF-8"?><Catch name="unit_x"><Group name="unit_x">'


def program(tmp_path, text, code):
    """A stand-in for a Catch2 binary that writes `text` as its report and ends with `code`."""
    path = tmp_path / "unit_x"
    path.write_text(f"#!/bin/bash\ncat > \"$4\" <<'E'\n{text}\nE\nexit {code}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def count(tmp_path, text, code):
    result = kinds.run_catch(program(tmp_path, text, code), ROOT, tmp_path, {}, False)
    return result.passed, result.failed


def test_cases_are_counted_by_their_result(tmp_path):
    report = HEAD + CASE.format("a", "true") + CASE.format("b", "false") + "</Group></Catch>"
    assert count(tmp_path, report, 1) == (1, 1)


def test_a_binary_that_breaks_off_has_failed(tmp_path):
    assert count(tmp_path, HEAD + CASE.format("a", "true") + '<TestCase name="b">', 139) == (1, 1)


def test_a_binary_that_reports_nothing_has_failed(tmp_path):
    assert count(tmp_path, "", 1) == (0, 1)


def test_a_binary_that_ends_badly_after_good_cases_has_failed(tmp_path):
    report = HEAD + CASE.format("a", "true") + "</Group></Catch>"
    assert count(tmp_path, report, 1) == (1, 1)


def test_the_sum_reads_as_promised():
    total = kinds.Count()
    total.passed, total.skipped = 3, 1
    total.fail("x")
    assert str(total) == "3 passed, 1 failed, 1 skipped"


def test_an_unknown_kind_is_refused_before_anything_is_built():
    done = subprocess.run([ROOT / "tests/run", "no-such-kind"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "no kind no-such-kind" in done.stdout
