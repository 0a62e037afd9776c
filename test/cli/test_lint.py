"""The checks of our own must fail on what they are there to find."""
import subprocess
import sys

import pytest
from conftest import ROOT


def run(script, tree):
    got = subprocess.run([sys.executable, ROOT / "scripts" / script, tree], capture_output=True, text=True, timeout=60)
    return got.returncode, got.stdout


def plant(tmp_path, name, text):
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


@pytest.mark.parametrize("name, line, says", [
    ("err/err.c", '#include "sys/fd.h"', "err may not include sys"),
    ("transfer/engine.c", '#include "store/lease.h"', "transfer may not include store"),
    ("sys/fd.c", '#include "json/json.h"', "sys may not include json"),
    ("config/config.c", '  #  include "cmd/cmd.h"', "config may not include cmd"),
    ("json/json.c", '#include "report/report.h"', "json may not include report"),
    ("main.c", '#include "utils.h"', "not \"folder/file.h\""),
    ("utils/list.c", "", "folder utils has no row"),
    ("source/hf.c", "#include <jansson.h>", "belongs to json alone"),
])
def test_an_edge_that_the_map_forbids_is_found(tmp_path, name, line, says):
    file = plant(tmp_path, name, f"/* one */\n{line}\n")
    rc, out = run("edges", tmp_path)
    assert rc == 1
    assert says in out and str(file) in out


def test_edges_that_the_map_allows_pass(tmp_path):
    plant(tmp_path, "mem/arena.c", '#include "err/err.h"\n#include "mem/arena.h"\n')
    plant(tmp_path, "cmd/pull.c", '#include "store/lease.h"\n#include "pull/pull.h"\n#include <stdio.h>\n')
    plant(tmp_path, "json/json.c", "#include <jansson.h>\n")
    assert run("edges", tmp_path) == (0, "")


@pytest.mark.parametrize("name, code, says", [
    ("src/text/str.c", "x = strtol(s, 0, 10);", "strtol() is banned"),
    ("src/store/lease.c", "p = malloc(9);", "malloc() belongs in mem/"),
    ("test/unit/a.c", "sprintf(s, \"x\");", "sprintf() is banned"),
    ("src/text/long.c", "int x;\n" * 800, "802 lines"),
])
def test_a_broken_rule_is_found(tmp_path, name, code, says):
    plant(tmp_path, name, f"/* one */\n{code}\n")
    rc, out = run("rules", tmp_path)
    assert rc == 1 and says in out


def test_text_about_a_banned_function_is_no_call_of_it(tmp_path):
    plant(tmp_path, "src/text/str.c", '/* not strtol(s) */ f("gets(x)"); // system(1)\nx.signal(1); my_free(p);\n')
    plant(tmp_path, "src/mem/arena.c", "p = malloc(9); free(p);\n")
    assert run("rules", tmp_path) == (0, "")
