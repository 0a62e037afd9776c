"""Which way a model of Ollama takes, into the store or by a running Ollama, and whether that one sees the store."""
import json
import re

import pytest
from registry import make_model, store
from test_pull import let_through

NAME = "tiny:latest"
MODEL = "ollama:tiny"
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


@pytest.fixture
def there(registry):
    """a registry with the model in it"""
    found = registry()
    found.model = found.push(f"library/{NAME}", make_model())
    return found


@pytest.fixture
def server(ollama):
    """a running Ollama whose registry has the model too"""
    return ollama("--model", f"{NAME}=300k,1k")


@pytest.fixture
def pull(hostler, there, server, volume):
    """pull(*arguments) with a registry and a running Ollama; unwritable=True as somebody who may not write"""
    def run(*args, unwritable=False, start=False, wrap=(), env=None, **how):
        env = {"OLLAMA_REGISTRY": there.url, "OLLAMA_URL": server.url, **(env or {})}
        if unwritable:
            let_through(volume)
            env["LOG_FILE"] = "/dev/null"
        wrap = [*wrap, *(NOBODY if unwritable else [])]
        return (hostler.start_pull if start else hostler.pull)(MODEL, *args, env=env, wrap=wrap, **how)

    return run


# ------------------------------------------------------------------ which way

def test_a_store_that_can_be_written_is_written(pull, server, volume):
    got = pull()
    assert got.rc == 0, got.stderr
    assert "manifests/registry.ollama.ai/library/tiny/latest" in store(volume)
    assert "POST /api/pull" not in server.paths()


@pytest.mark.sanitize
def test_a_volume_that_cannot_be_written_leaves_it_to_a_running_ollama(root, pull, server, volume):
    got = pull(unwritable=True)
    assert got.rc == 0, got.stderr
    assert f"Published model={MODEL} path={server.url} " in got.stderr
    assert server.listed() == [NAME] and list(volume.iterdir()) == []


def test_a_store_s_folder_that_cannot_be_made_leaves_it_too(root, pull, server, volume):
    volume.chmod(0o777)
    (volume / "ollama").mkdir(mode=0o755)
    got = pull(unwritable=True)
    assert got.rc == 0, got.stderr
    assert server.listed() == [NAME] and list((volume / "ollama").iterdir()) == []


def test_by_store_no_running_ollama_is_asked(root, pull, server, volume):
    got = pull("--ollama-via", "store", unwritable=True)
    assert got.rc == 9, got.stderr
    assert f"hostler: {MODEL}: {volume}: cannot be written, and 5 of its files are missing there" in got.stderr
    assert server.paths() == []


def test_offline_none_is_asked_either(root, pull, server):
    got = pull("--offline", unwritable=True)
    assert got.rc == 3 and server.paths() == []


def test_a_dry_run_says_which_way(root, pull, server):
    got = pull("--dry-run", unwritable=True)
    assert got.rc == 0, got.stderr
    assert got.stdout.startswith(f"{MODEL}  by the Ollama at {server.url}\n")
    assert server.paths() == ["GET /api/version", "GET /api/tags"]
    got = pull("--dry-run", "--json")
    assert "by" not in json.loads(got.stdout)["models"][0]


def test_one_that_nobody_named_and_that_is_not_there_is_not_waited_for(root, pull, there, mount_namespace):
    # In an empty network nothing is at the default address; the registry is not there either.
    got = pull("--give-up", "3s", unwritable=True, env={"OLLAMA_URL": None}, wrap=[*mount_namespace, "--net"])
    assert got.rc == 5, got.stderr
    assert re.search(rf"^hostler: .*{there.host}: .*cannot connect", got.stderr, re.M), got.stderr
    assert "the Ollama at" not in got.stderr


# ------------------------------------------------------------------ a volume that cannot be written, in time

def test_what_is_whole_there_needs_no_running_ollama(root, pull, there, server, volume):
    assert pull(env={"OLLAMA_URL": None}).rc == 0
    got = pull(unwritable=True)
    assert got.rc == 0 and server.paths() == []
    for receipt in (volume / ".hostler").rglob("*"):
        if receipt.is_file():
            receipt.unlink()
    server.control("set", {"ready": "503"})
    got = pull(unwritable=True)
    assert got.rc == 0, got.stderr
    assert f"Complete model={MODEL} " in got.stderr and "not ready yet" not in got.stderr


def test_what_is_not_waits_for_the_one_that_was_named(root, pull, server):
    server.control("set", {"ready": "503"})
    child = pull(unwritable=True, start=True)
    child.err.wait_for(r"is not ready yet \(it answers 503\)", 30)
    server.control("set", {"ready": "yes"})
    got = child.finish()
    assert got.rc == 0, got.stderr
    assert server.listed() == [NAME]


def test_the_wait_ends_with_the_volume_s_error(root, pull, server, volume):
    server.control("set", {"ready": "503"})
    got = pull("--give-up", "2s", unwritable=True)
    assert got.rc == 9, got.stderr
    assert got.stderr.count(f"WARN the Ollama at {server.url} is not ready: it answers 503; waited ") == 1
    assert f"hostler: {MODEL}: {volume}: cannot be written, and 5 of its files are missing there" in got.stderr


# ------------------------------------------------------------------ does a running Ollama see the store?

def warning(server, store_path):
    return (f"WARN the Ollama at {server.url} does not list {MODEL}: it reads another store; to see them it needs "
            f"OLLAMA_MODELS={store_path} (as that folder is called where it runs)\n")


@pytest.mark.sanitize
def test_one_that_reads_another_store_is_told_of_once(pull, server, volume):
    got = pull("--json")
    assert got.rc == 0, got.stderr
    assert got.stderr.count(warning(server, volume / "ollama")) == 1
    assert [e["event"] for e in got.events() if e["event"] == "ollama_unseen"] == ["ollama_unseen"]
    assert got.events()[-1]["event"] == "done"
    assert server.paths() == ["GET /api/version", "GET /api/tags"]
    server.reset()
    got = pull()
    assert got.rc == 0 and "OLLAMA_MODELS" not in got.stderr
    assert server.paths() == []                            # a complete volume asks nobody


def test_one_that_lists_it_is_not(ollama, hostler, there):
    server = ollama("--model", f"{NAME}=300k", "--listed", NAME)
    got = hostler.pull(MODEL, env={"OLLAMA_REGISTRY": there.url, "OLLAMA_URL": server.url})
    assert got.rc == 0 and "does not list" not in got.stderr
    assert server.paths() == ["GET /api/version", "GET /api/tags"]


@pytest.mark.parametrize("state", ["silent", "503", "other"])
def test_one_that_does_not_answer_is_left_alone_and_soon(pull, server, state):
    server.control("set", {"ready": state})
    got = pull()
    assert got.rc == 0 and "the Ollama at" not in got.stderr
    server.control("set", {"ready": "yes"})
    assert server.paths() == ["GET /api/version"]


def test_offline_and_without_a_name_none_is_asked(pull, server, volume):
    got = pull(env={"OLLAMA_URL": None})
    assert got.rc == 0 and "the Ollama at" not in got.stderr
    assert server.paths() == []
