"""`hostler workers`: what it lists, and what it prints as the fleet goes on; over TLS too."""
import http.client
import json
import signal

import pytest
from conftest import SLOW
from coordinating import Coordinator, coordinator  # noqa: F401 (a fixture)
from volume import wait_until

pytestmark = pytest.mark.sanitize

ALL = ["a", "b", "c"]
FILTERS = [([], ALL), (["--type", "vllm"], ["a", "c"]), (["--state", "running"], ["a"]),
           (["--model", "mistral-7b-instruct"], ["a", "b"]), (["--label", "site"], ["b", "c"]),
           (["--label", "site=berlin"], ["b"]), (["--label", "site", "--type", "vllm"], ["c"])]


@pytest.fixture
def at(coordinator):  # noqa: F811
    at = coordinator()
    at.register("a", type="vllm", state="running", models=[{"name": "hf:mistralai/Mistral-7B-Instruct-v0.2"}])
    at.register("b", type="ollama", state="downloading", models=[{"name": "mistral-7b-instruct"}], labels={"site": "berlin"},
                progress={"bytes": 1, "total": 4, "bps": 0})
    at.register("c", type="vllm", state="launching", labels={"site": "rome"})
    return at


@pytest.fixture
def watch(hostler):
    """watch(coordinator, *options) follows it"""
    return lambda at, *args, **env: hostler.start("workers", "--watch", *args, env={"COORDINATOR_URL": at.url, **env})


def rows(text):
    """id -> state, of the last row of each worker"""
    cells = [line.split() for line in text.splitlines()]
    return {row[0]: row[4] for row in cells if row[0] != "WORKER"}


@pytest.mark.parametrize("filters, ids", FILTERS)
def test_filters_say_who_is_listed_and_who_is_followed(at, hostler, watch, filters, ids):
    got = hostler("workers", "-q", *filters, env={"COORDINATOR_URL": at.url})
    assert (got.rc, got.stdout.split()) == (0, ids)
    child = watch(at, *filters, "-q")
    wait_until(lambda: len(child.out.text.split()) == len(ids))
    for id in ALL:                      # each of them changes, and "d" is a new one that always passes
        at.say("report", id, "i1", reason="as before")
    at.register("d", type="vllm", state="running", models=[{"name": "mistral-7b-instruct"}], labels={"site": "berlin"})
    wait_until(lambda: "d" in child.out.text.split())
    assert sorted(child.out.text.split()) == sorted([*ids, *ids, "d"])


def test_it_prints_the_list_and_then_whatever_changes(at, watch):
    child = watch(at)
    wait_until(lambda: len(rows(child.out.text)) == 3)
    first = child.out.text
    assert first.splitlines()[0].split() == ["WORKER", "TYPE", "HOST", "BEAT", "STATE", "MODELS"]
    assert rows(first) == {"a": "running", "b": "downloading", "c": "launching"}
    at.say("report", "c", state="running")
    wait_until(lambda: rows(child.out.text)["c"] == "running")
    at.say("report", "b", state="failed", reason="<b>no\\space</b>")
    wait_until(lambda: rows(child.out.text)["b"] == "failed:")
    assert len(child.out.text.splitlines()) == len(first.splitlines()) + 2, "nobody else has changed"
    child.signal(signal.SIGINT)
    assert child.finish(10).rc == 130


def test_who_is_lost_is_a_row_and_who_is_forgotten_too(coordinator, watch):  # noqa: F811
    at = coordinator("--ttl", "500ms", "--keep-lost", "1s")
    at.register("silent", state="running")
    child, only_lost = watch(at), watch(at, "--state", "lost")
    wait_until(lambda: rows(child.out.text).get("silent") == "lost")
    wait_until(lambda: rows(only_lost.out.text).get("silent") == "lost")
    wait_until(lambda: rows(child.out.text)["silent"] == "forgotten")
    assert "running" not in only_lost.out.text


def test_as_json_each_event_is_a_line(at, watch):
    child = watch(at, "--json")
    wait_until(lambda: child.out.text.endswith("\n"))
    at.say("report", "c", state="running")
    wait_until(lambda: len(child.out.text.splitlines()) == 2)
    first, second = map(json.loads, child.out.text.splitlines())
    assert (first["event"], sorted(w["id"] for w in first["workers"])) == ("reset", ALL)
    assert (second["event"], second["gone"], [(w["id"], w["state"]) for w in second["workers"]]) == ("change", [], [("c", "running")])
    assert sorted(first["workers"], key=lambda w: w["id"])[:2] == [w | {"last_beat_s": 0} for w in at.workers()[:2]]


def test_a_coordinator_that_breaks_off_is_said_once_and_asked_again(at, coordinator, watch):  # noqa: F811
    child = watch(at)
    wait_until(lambda: len(rows(child.out.text)) == 3)
    at.child.kill()
    child.err.wait_for(r"WARN .*; asking again", 20)
    port = at.at[1]
    coordinator(port=port)
    wait_until(lambda: child.out.text.count("WORKER") == 2)
    assert child.err.text.count("asking again") == 1
    again = child.out.text[child.out.text.rindex("WORKER"):]
    assert rows(again) == {"a": "running", "b": "downloading", "c": "launching"}


def test_the_next_coordinator_is_followed_where_one_does_not_answer(at, hostler, watch):
    child = watch(at, COORDINATOR_URL=f"http://127.0.0.1:1,{at.url}")
    wait_until(lambda: len(rows(child.out.text)) == 3)
    assert child.err.text == ""


@pytest.mark.parametrize("args, env, rc, said", [
    (["--state", "sleeping"], {}, 2, "--state sleeping: no worker is ever in that state\nhint: running, downloading, lost, ..."),
    ([f"--label={c}" for c in "abcdefghijklmnopq"], {}, 2, "--label: more than 16 of them"),
    ([], {"COORDINATOR_URL": "http://127.0.0.1:1"}, 5, "hint: is the coordinator running, and COORDINATOR_URL its address?"),
    ([], {"COORDINATOR_URL": None}, 2, "COORDINATOR_URL is not set"),
])
def test_what_cannot_be_followed_is_said_at_once(at, watch, args, env, rc, said):
    got = watch(at, *args, **env).finish(20)
    assert got.rc == rc and said in got.stderr, got.stderr


# ------------------------------------------------------------------ the stream itself

def frame_of(answer):
    """the fields of the next event"""
    found = {}
    while line := answer.readline().decode().rstrip("\n"):
        key, _, value = line.partition(": ")
        found[key] = value
    return found if "data" in found else frame_of(answer)


def follow(at, last_id=None):
    line = http.client.HTTPConnection(*at.at, timeout=20 * SLOW)
    line.request("GET", "/v1/events", headers={"Last-Event-ID": last_id} if last_id else {})
    return line.getresponse()


def test_who_comes_back_with_an_id_gets_what_it_missed_and_with_another_one_all(at):
    first = frame_of(follow(at))
    assert first["event"] == "reset"
    at.say("report", "c", state="running")
    missed = frame_of(follow(at, first["id"]))
    assert (missed["event"], [w["id"] for w in json.loads(missed["data"])["workers"]]) == ("change", ["c"])
    epoch = first["id"].partition("-")[0]
    for unknown in ("x-1", f"{epoch}-99999999999999999999", f"{epoch}-", "1"):
        again = frame_of(follow(at, unknown))
        assert (again["event"], len(json.loads(again["data"])["workers"])) == ("reset", 3), unknown


# ------------------------------------------------------------------ TLS

def test_over_tls_it_is_asked_and_told_by_who_trusts_its_authority(hostler, tmp_path, certificates, volume):
    at = Coordinator(hostler, "--data-dir", tmp_path / "registry", "--tls-cert", certificates / "server.pem",
                     "--tls-key", certificates / "server.key")
    assert at.url.startswith("https://")
    trusting = {"COORDINATOR_URL": at.url, "SSL_CERT_FILE": certificates / "ca.pem", "HOSTLER_RUNTIME_DIR": tmp_path, "WORKER_ID": "w"}
    refused = hostler("workers", env={"COORDINATOR_URL": at.url})
    assert refused.rc == 5 and "certificate" in refused.stderr
    config = tmp_path / "hostler.yaml"
    config.write_text(json.dumps({"workers": {"mine": {"models": [], "engine": "none", "gpu": "none"}}}))
    worker = hostler.start("run", "--config", config, "--volume", volume, "--worker", "mine", "--", "sleep", "1000", env=trusting)
    child = hostler.start("workers", "--watch", env=trusting)
    wait_until(lambda: rows(child.out.text).get("w") == "running")
    worker.signal(signal.SIGTERM)
    wait_until(lambda: rows(child.out.text).get("w", "").startswith("stopped"))
    assert hostler("workers", "-q", env=trusting).stdout == "w\n"
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        at.request("GET", "/healthz")               # it is not spoken to without TLS
