"""The coordinator: workers register, beat, are lost, come back; `hostler workers` shows it."""
import json

import pytest
from coordinating import Coordinator

pytestmark = pytest.mark.sanitize


@pytest.fixture(params=["sqlite", "etcd"])
def registry_flags(request, tmp_path):
    """of the one registry that all coordinators of a test use; each test is run with every driver"""
    if request.param == "sqlite":
        return "--data-dir", tmp_path / "registry"
    return "--registry", f"etcd:{request.getfixturevalue('etcd')().url}"


@pytest.fixture
def coordinator(hostler, registry_flags):
    return lambda *args: Coordinator(hostler, *registry_flags, *args)


def workers(hostler, at, *args):
    got = hostler("workers", "--json", *args, env={"COORDINATOR_URL": at.url})
    assert got.rc == 0, got.stderr
    return json.loads(got.stdout)["workers"]


def test_a_worker_that_registered_is_shown_as_it_says(coordinator, hostler):
    at = coordinator()
    assert at.register("a/b <i>", state="downloading", progress={"bytes": 1, "total": 4, "bps": 0}) == \
        (200, {"ttl_ms": 15000, "beat_ms": 5000})
    assert at.say("beat", "a/b <i>", progress={"bytes": 2})[0] == 200
    one, = workers(hostler, at)
    assert (one["id"], one["state"], one["progress"]) == \
        ("a/b <i>", "downloading", {"bytes": 2, "total": 4, "bps": 0})
    assert "downloading 50%" in hostler("workers", env={"COORDINATOR_URL": at.url}).stdout


def test_the_newer_instance_has_the_id_and_the_older_is_told(coordinator, hostler):
    at = coordinator()
    at.register(instance="old")
    at.register(instance="new")
    for status, said in (at.say("beat", instance="old"), at.register(instance="old")):
        assert (status, said["error"]["code"]) == (409, "superseded")
    assert at.say("beat", instance="new")[0] == 200
    assert [w["instance"] for w in workers(hostler, at)] == ["new"]


def test_a_kill_loses_nothing_that_was_known_and_who_does_not_beat_is_lost(coordinator, hostler):
    at = coordinator("--ttl", "2s")
    at.register(state="running")
    at.child.kill()
    again = coordinator("--ttl", "500ms")
    while (one := workers(hostler, again)[0])["state"] != "lost":    # the program's own clock ends this
        assert one["state"] == "running"
    assert again.say("beat")[0] == 200
    again.child.signal(15)
    assert again.child.finish().rc == 0


def test_a_body_that_is_too_large_or_of_another_type_is_refused(coordinator):
    at = coordinator()
    assert at.ask("/v1/workers", b"x" * 300_000)[0] == 413
    assert at.ask("/v1/workers", b"{}", content_type="text/plain")[0] == 415
    assert at.ask("/v1/workers", b"{")[0] == 400
    assert at.ask("/v1/workers/%zz")[0] == 400


def test_endpoints_are_found_by_any_name_of_the_model(coordinator):
    at = coordinator()
    at.register("a", state="running", url="http://h:1", models=[{"name": "hf:mistralai/Mistral-7B-Instruct-v0.2"}])
    at.register("b", state="launching", url="http://h:2", models=[{"name": "mistral-7b-instruct"}])
    for name in ("mistral-7b-instruct", "mistralai%2FMistral-7B-Instruct-v0.2"):
        status, said = at.ask(f"/v1/models/{name}/endpoints")
        assert (status, [e["worker"] for e in said["endpoints"]]) == (200, ["a"])
