"""`hostler run` and the coordinators: what a worker tells of itself, and that nobody it tells is in its way."""
import json
import os
import pathlib
import re
import signal
import socket
import time

import pytest
from conftest import ROOT, SLOW
from coordinator_standin import Coordinator as StandIn
from coordinating import Coordinator
from test_coordinator import workers
from volume import wait_until

REPO = "org/tiny"


@pytest.fixture
def coordinator(hostler, tmp_path):
    """coordinator(*arguments, registry="registry", port=0) is a running one"""
    def start(*args, registry="registry", port=0):
        return Coordinator(hostler, "--data-dir", tmp_path / registry, *args, port=port)
    return start


@pytest.fixture
def standin():
    """one that misbehaves"""
    one = StandIn()
    yield one
    one.close()


@pytest.fixture
def worker(hostler, volume, tmp_path):
    """worker(at, *words) starts a worker that is registered there, `at` being coordinators or URLs"""
    def start(at, *words, models=(), id="w", options=(), env=None, gpu="none", **how):
        runtime, config = tmp_path / f"runtime-{time.monotonic_ns()}", tmp_path / "hostler.yaml"
        runtime.mkdir()
        config.write_text(json.dumps({
            "models": {f"m{i}": {"source": ref} for i, ref in enumerate(models)},
            "workers": {"mine": {"models": [f"m{i}" for i in range(len(models))], "engine": "none", "gpu": gpu}}}))
        urls = ",".join(getattr(one, "url", one) for one in (at if isinstance(at, list) else [at]))
        return hostler.start("run", "--config", config, "--volume", volume, "--worker", "mine", *options, "--",
                             *(words or ("sh", "-c", "echo up; sleep 1000")),
                             env={"COORDINATOR_URL": urls, "WORKER_ID": id, "HOSTLER_RUNTIME_DIR": str(runtime),
                                  **(env or {})}, **how)
    return start


def listed(hostler, at, **wanted):
    """the one worker that the coordinator lists, once it is as wanted"""
    found = []

    def holds():
        found[:] = workers(hostler, at)
        return len(found) == 1 and all(found[0][key] == value for key, value in wanted.items())

    wait_until(holds)
    return found[0]


def end(child, rc=143):
    child.signal(signal.SIGTERM)
    got = child.finish()
    assert got.rc == rc, got.stdout
    return got


@pytest.mark.sanitize
def test_a_worker_is_listed_as_it_is_and_leaves_when_it_ends(coordinator, worker, hostler, models, hub, tmp_path):
    models.small(REPO)
    inventory = tmp_path / "gpus.json"
    inventory.write_text(json.dumps({"gpus": [{"uuid": "GPU-1", "name": "NVIDIA L4", "total_mib": 23034}]}))
    at = coordinator()
    child = worker(at, models=[f"hf:{REPO}"], hub=hub(), gpu="required", env={"HOSTLER_HOST": "gpu-3"},
                   options=["--label", "site=berlin", "--label", "rack=7", "--advertise", "http://10.0.0.7:8000",
                            "--gpus-from", inventory])
    one = listed(hostler, at, state="running")
    assert (one["id"], one["type"], one["host"], one["url"]) == ("w", "mine", "gpu-3", "http://10.0.0.7:8000")
    assert one["labels"] == {"site": "berlin", "rack": "7"}
    assert [m["name"] for m in one["models"]] == [f"hf:{REPO}"] and re.fullmatch("[0-9a-f]{40}", one["models"][0]["revision"])
    assert [(g["uuid"], g["total_mib"]) for g in one["gpus"]] == [("GPU-1", 23034)]
    assert len(one["instance"]) >= 16
    got = end(child)
    assert f"registered with the coordinator {at.url}/ as w" in got.stdout
    one = listed(hostler, at, state="stopped")
    assert "exit status 143 is its own" in one["reason"]


def test_a_download_is_followed_while_it_goes_on(coordinator, worker, hostler, models, hub):
    models.small(REPO, weights=12_000_000)
    at = coordinator()
    child = worker(at, models=[f"hf:{REPO}"], hub=hub(), options=["--limit-rate", "3M"])
    seen = set()
    wait_until(lambda: seen.add(sum(w["progress"]["bytes"] for w in workers(hostler, at) if w["state"] == "downloading"))
               or len(seen - {0}) >= 2)
    one = listed(hostler, at, state="running")
    assert one["progress"] == {"bytes": 0, "total": 0, "bps": 0}
    end(child)


def test_a_coordinator_that_is_not_there_delays_nothing_and_is_told_when_it_comes(coordinator, worker, hostler):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    child = worker(f"http://127.0.0.1:{port}")
    wait_until(lambda: "launching -> running" in child.out.text and "cannot be told how this worker is" in child.out.text)
    at = coordinator(port=port)
    listed(hostler, at, state="running")
    got = end(child)
    assert got.stdout.count("cannot be told how this worker is") == 1
    assert "the worker goes on, may be shown as lost meanwhile, and tells everything when it can" in got.stdout
    assert "registered with the coordinator" in got.stdout
    listed(hostler, at, state="stopped")


def test_the_next_coordinator_is_told_where_one_does_not_answer(coordinator, worker, hostler):
    first, second = coordinator(registry="first"), coordinator(registry="second")
    child = worker([first, second])
    listed(hostler, first, state="running")
    assert workers(hostler, second) == []
    first.child.kill()
    one = listed(hostler, second, state="running")
    got = end(child)
    assert f"registered with the coordinator {second.url}/ as w now" in got.stdout
    assert listed(hostler, second, state="stopped")["instance"] == one["instance"]


def test_a_coordinator_that_comes_back_knows_its_worker_again(coordinator, worker, hostler):
    at = coordinator("--ttl", "3s")
    child = worker(at)
    listed(hostler, at, state="running")
    at.child.kill()
    wait_until(lambda: "cannot be told how this worker is" in child.out.text)
    port = int(at.url.rsplit(":", 1)[1])
    again = coordinator("--ttl", "3s", port=port, registry="another")      # one that has never heard of it
    listed(hostler, again, state="running")
    wait_until(lambda: f"the coordinator {again.url}/ is back, and knows of w again" in child.out.text)
    end(child)


def test_of_two_of_one_id_the_newer_is_listed_and_the_older_says_so(coordinator, worker, hostler):
    at = coordinator("--ttl", "1500ms")
    older = worker(at)
    first = listed(hostler, at, state="running")["instance"]
    newer = worker(at)
    wait_until(lambda: workers(hostler, at)[0]["instance"] != first)
    wait_until(lambda: "a newer worker has registered as w with the coordinator" in older.out.text)
    got = end(older)
    assert "give each a WORKER_ID of its own" in got.stdout
    assert listed(hostler, at, state="running")["instance"] != first
    end(newer)


def test_a_worker_that_is_killed_is_lost_when_its_time_is_over(coordinator, worker, hostler):
    at = coordinator("--ttl", "1s")
    child = worker(at)
    listed(hostler, at, state="running")
    os.kill(child.pid, signal.SIGKILL)
    child.process.wait()
    listed(hostler, at, state="lost")


@pytest.mark.parametrize("mood", ["hang", "rubbish", "long", "drip", "cut", "500", "429", "redirect"])
def test_a_coordinator_that_misbehaves_is_in_nobody_s_way(standin, worker, mood):
    standin.mood, standin.redirect_to = mood, standin.url + "/elsewhere"
    began = time.monotonic()
    got = worker(standin, "sh", "-c", "exit 7").finish()
    assert got.rc == 7 and "launching -> running" in got.stdout, got.stdout
    assert time.monotonic() - began < 8 * SLOW          # the wait for the last word is bounded: 1 s, and a little


def test_what_happened_while_nobody_listened_is_told_afterwards(standin, worker):
    standin.mood = "503"
    child = worker(standin)
    wait_until(lambda: "launching -> running" in child.out.text and len(standin.requests) >= 2)
    standin.mood = "ok"
    wait_until(lambda: standin.requests[-1]["mood"] == "ok")
    told = next(r["body"] for r in standin.requests if r["mood"] == "ok")
    assert told["state"] == "running"
    missed = [m["state"] for m in told["missed"]]
    assert missed[-1] == "launching" and "gating" in missed
    end(child)
    assert standin.requests[-1]["path"].endswith("/leave") and standin.requests[-1]["body"]["state"] == "stopped"


@pytest.mark.parametrize("mood", ["401", "echo"])
def test_a_token_that_is_refused_is_told_and_never_shown(standin, worker, mood):
    standin.mood = mood
    child = worker(standin, env={"COORDINATOR_TOKEN": "s3cret-t0ken"})
    wait_until(lambda: "cannot be told how this worker is" in child.out.text)
    got = end(child)
    assert "s3cret-t0ken" not in got.stdout + got.stderr
    assert standin.requests[0]["token"] == "Bearer s3cret-t0ken"


def test_a_token_file_is_read_again_when_its_token_was_refused(coordinator, worker, hostler, tmp_path):
    file, copy = tmp_path / "tokens", tmp_path / "copy"
    assert hostler("coordinator", "--make-token", file).rc == 0
    copy.write_text("0" * 64 + "\n")
    copy.chmod(0o600)
    at = coordinator("--token-file", file)
    child = worker(at, env={"COORDINATOR_TOKEN_FILE": str(copy)})
    wait_until(lambda: "cannot be told how this worker is" in child.out.text)
    copy.write_text(file.read_text())
    wait_until(lambda: "registered with the coordinator" in child.out.text)
    end(child)


@pytest.mark.parametrize("options, env, said", [
    (["--label", "none"], {}, "K=V"), (["--label", "a=1", "--label", "a=2"], {}, "twice"),
    (["--advertise", "nowhere"], {}, "--advertise"), ([], {"COORDINATOR_URL": "http://a/?q"}, "query"),
    ([], {"COORDINATOR_TOKEN": "two words"}, "COORDINATOR_TOKEN"),
    ([], {"COORDINATOR_TOKEN_FILE": "/nowhere"}, "/nowhere cannot be read"), ([], {"WORKER_ID": "w" * 300}, "WORKER_ID")])
def test_what_the_operator_wrote_wrong_is_named_before_anything_starts(worker, options, env, said):
    got = worker("http://127.0.0.1:1", "echo", "never", options=options, env=env).finish()
    assert got.rc == 2 and "never" not in got.stdout
    assert said in got.stderr, got.stderr


def test_the_answers_are_printed_from_their_table(hostler):
    got = hostler("help", "registration")
    assert got.rc == 0 and got.stdout.count("\n") == 13
    assert got.stdout in (ROOT / "doc/registration.md").read_text()


def test_a_worker_whose_registering_process_dies_says_so_once_and_goes_on(hostler, volume, coordinator, worker, tmp_path):
    at = coordinator()
    child = worker(at, "sh", "-c", "exec sleep 1000")
    listed(hostler, at, state="running")
    children = pathlib.Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
    registering = [pid for pid in children if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() != "sleep"]
    [status] = [path for path in tmp_path.glob("runtime-*/*") if path.read_bytes().startswith(b"hostler-status")]
    os.kill(int(registering[0]), signal.SIGKILL)
    child.out.wait_for("the process that registers this worker has ended: the coordinator will think it lost, and it goes on", 20)
    for _ in range(2):                      # each of them is two seconds of its news
        before = status.stat().st_mtime_ns
        wait_until(lambda: status.exists() and status.stat().st_mtime_ns != before)
    child.signal(signal.SIGTERM)
    got = child.finish()
    assert got.rc == 143 and got.stdout.count("the process that registers this worker has ended") == 1
