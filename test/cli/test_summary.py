"""The closing line of `make check`: a test that did not pass must never be lost on the way to it."""
import json
import subprocess
import sys

import pytest
from conftest import ROOT

UNIT = [{"stdout": "ok 1 - a\n# skipped: b: no such thing here\nok 2 - b\n1..2\n", "result": "OK"}]
REPORT = '<testsuites><testsuite tests="9" failures="{}" errors="{}" skipped="{}"/></testsuites>'


def close(tmp_path, unit=None, report=REPORT.format(0, 0, 0)):
    (tmp_path / "meson-logs").mkdir()
    if unit is not None:
        lines = "".join(json.dumps(test) + "\n" for test in unit)
        (tmp_path / "meson-logs" / "testlog.json").write_text(lines)
    if report is not None:
        (tmp_path / "pytest.xml").write_text(report)
    got = subprocess.run([sys.executable, ROOT / "test" / "summary.py", tmp_path], capture_output=True, text=True,
                         timeout=60)
    return got.returncode, got.stdout.removesuffix("\n")


def test_both_kinds_are_added_and_skipped_ones_told(tmp_path):
    assert close(tmp_path, UNIT) == (0, "skipped: b: no such thing here\n10 passed, 0 failed, 1 skipped")


@pytest.mark.parametrize("unit, report, line", [
    ([{"stdout": "ok 1 - a\nnot ok 2 - b\n", "result": "FAIL"}], REPORT.format(0, 0, 0), "10 passed, 1 failed"),
    ([{"stdout": "ok 1 - a\n", "result": "ERROR"}], REPORT.format(0, 0, 0), "10 passed, 1 failed"),
    ([{"stdout": "ok 1 - a\n", "result": "TIMEOUT"}], REPORT.format(0, 0, 0), "10 passed, 1 failed"),
    ([{"stdout": "ok 1 - a\n", "result": "OK"}], REPORT.format(1, 1, 2), "6 passed, 2 failed, 2 skipped"),
    ([{"stdout": "ok 1 - a\n", "result": "OK"}], None, "1 passed, 1 failed"),
    (None, REPORT.format(0, 0, 0), "9 passed, 1 failed"),
])
def test_what_failed_crashed_or_left_no_report_fails_the_whole(tmp_path, unit, report, line):
    assert close(tmp_path, unit, report) == (1, line)


def test_nothing_at_all_is_no_success(tmp_path):
    assert close(tmp_path, [], REPORT.format(0, 0, 9)) == (1, "0 passed, 0 failed, 9 skipped")
