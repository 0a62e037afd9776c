"""The program as a program: what it does with no command, and with one that is not there."""
import re
import pytest

pytestmark = pytest.mark.sanitize


def test_help_goes_to_stdout_and_is_no_error(hostler):
    got = hostler("--help")
    assert got.rc == 0
    assert "usage" in got.stdout.lower()
    assert got.stderr == ""


@pytest.mark.parametrize("args", [[], ["bogus"]])
def test_no_command_and_an_unknown_one_exit_2_and_leave_stdout_empty(hostler, args):
    got = hostler(*args)
    assert got.rc == 2
    assert got.stdout == ""
    assert "usage" in got.stderr.lower() or "bogus" in got.stderr
