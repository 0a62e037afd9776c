"""What the README tells people to type exists."""
import re
import subprocess

import pytest
from conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands():
    """the lines of the README's sh blocks, without their comments"""
    for block in re.findall(r"^```sh\n(.*?)^```", README, re.M | re.S):
        for line in block.splitlines():
            line = line.split("#")[0].strip()
            if line:
                yield line


def words_after(program):
    return sorted({line.split()[1] for line in commands() if line.split()[0] == program and len(line.split()) > 1})


def test_the_two_commands_stand_in_the_readme():
    assert words_after("make") == ["check", "try"]


@pytest.mark.parametrize("target", sorted(set(words_after("make") + re.findall(r"`make (\w+)", README))))
def test_a_make_target_of_the_readme_exists(target):
    got = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert got.returncode == 0, got.stderr


@pytest.mark.parametrize("command", [c for c in words_after("hostler") if c != "help"])
def test_a_command_of_the_readme_has_its_help(hostler, command):
    got = hostler("help", command)
    assert got.rc == 0, got.stderr
    assert command in got.stdout


def test_the_options_of_the_readme_stand_in_the_help_of_their_command(hostler):
    named = {(line.split()[1], option) for line in commands() if line.startswith("hostler ")
             for option in re.findall(r"--[a-z-]+", line.split(" -- ")[0])}          # behind that stand another's
    assert named
    for command, option in sorted(named):
        assert option in hostler("help", command).stdout, f"hostler help {command} does not tell of {option}"


def test_every_place_in_the_readme_is_there():
    places = [p for p in re.findall(r"^\| `([\w./-]+)` \|", README, re.M) if "/" in p or p == "Makefile"]
    assert len(places) > 5
    assert [p for p in places if not (ROOT / p).exists()] == []
