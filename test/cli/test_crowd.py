"""Many processes that need the same model at the same moment: each byte crosses the wire once."""
import re

import pytest
from registry import expected, layer, make_model, model_of, store
from volume import assert_complete, assert_no_leftovers, wait_until

CROWD = 16
MIB = 1 << 20


def start_crowd(hostler, origin, env=None, count=CROWD):
    return [hostler.start_pull("hf:org/model", "--takeover", "1s", hub=origin,
                               env={"HOSTLER_HOST": f"host{i:02}", **(env or {})}) for i in range(count)]


@pytest.fixture(params=["locks work", "locks do nothing"])
def locks(request):
    """the environment of a mount where flock and fcntl exclude, and of one where they do nothing"""
    return {} if request.param == "locks work" else request.getfixturevalue("nolock")


# A sanitized build has no nolock.
ALSO_SANITIZED = pytest.mark.parametrize(
    "locks", [pytest.param("locks work", marks=pytest.mark.sanitize), "locks do nothing"], indirect=True)


def test_sixteen_cold_processes_fetch_each_byte_once(hub, models, hostler, volume, locks):
    models.small("org/model", weights=48_000_000, shards=3)
    origin = hub()
    crowd = [child.finish() for child in start_crowd(hostler, origin, env=locks)]
    assert [got.rc for got in crowd] == [0] * CROWD, crowd[0].stderr
    assert_complete(volume, "org/model", models.files("org/model"))
    assert_no_leftovers(volume, "org/model")
    assert origin.bytes_sent() <= 1.01 * models.bytes("org/model")
    assert origin.bytes_sent("cdn") == models.bytes("org/model", lfs=True)


def test_waiters_show_the_holder_and_its_progress(hub, models, hostler):
    models.small("org/model", weights=30_000_000)
    origin = hub("--rate", 8_000_000)
    leader = hostler.start_pull("hf:org/model", "-j", "1", hub=origin, env={"HOSTLER_HOST": "leader"})
    leader.err.wait_for(r"Downloading", 20)
    waiter = hostler.start_pull("hf:org/model", hub=origin, env={"HOSTLER_HOST": "waiter"})
    waiter.err.wait_for(r"leader", 20)
    assert leader.finish().rc == 0
    got = waiter.finish()
    assert got.rc == 0, got.stderr
    assert re.search(r"INFO .*hf:org/model.*leader", got.stderr), got.stderr


@pytest.mark.parametrize("kill_after", [0, 8 * MIB])
def test_a_killed_leader_is_replaced_and_its_bytes_are_kept(hub, models, hostler, volume, kill_after, locks):
    models.small("org/model", weights=64_000_000, shards=2)
    size = models.bytes("org/model")
    origin = hub("--rate", 3_000_000)
    leader = hostler.start_pull("hf:org/model", "--takeover", "1s", hub=origin,
                                env={"HOSTLER_HOST": "leader", **locks})
    leader.err.wait_for(r"Downloading", 20)
    crowd = start_crowd(hostler, origin, env=locks, count=CROWD - 1)
    for child in crowd:
        child.err.wait_for(r"leader", 30)
    wait_until(lambda: sum(r["sent"] for r in origin.log("cdn", settle=False)) >= kill_after)
    assert leader.process.poll() is None, "the leader was done before it could be killed"
    leader.kill()
    for child in crowd:
        got = child.finish()
        assert got.rc == 0, got.stderr
    assert_complete(volume, "org/model", models.files("org/model"))
    assert_no_leftovers(volume, "org/model")
    assert origin.bytes_sent() <= 1.01 * size + 32 * MIB


@pytest.fixture
def siblings(registry, front):
    """a paced registry with two models that have their weights in common, all else their own"""
    there = registry()
    first = there.push("library/first:latest", make_model(size=32_000_000))
    weights = next(one for one in first.layers if one.entry["mediaType"].endswith(".model"))
    second = there.push("library/second:latest", model_of([weights, layer("template", b"{{ .Prompt }} second")]))
    before = front(there, rate=1_000_000)
    before.wanted = expected({f"registry.ollama.ai/library/{name}/latest": model
                              for name, model in (("first", first), ("second", second))})
    before.weights = weights
    return before


def start_siblings(hostler, before, count, env):
    return [hostler.start_pull(f"ollama:{('first', 'second')[i % 2]}", "--takeover", "1s",
                               env={"HOSTLER_HOST": f"host{i:02}", "OLLAMA_REGISTRY": before.url, **env})
            for i in range(count)]


def no_leftovers(volume):
    """what is left of our own folders in the store"""
    return [p for p in (volume / "ollama" / ".hostler").rglob("*") if p.is_file()]


@ALSO_SANITIZED
def test_models_that_share_a_blob_fetch_it_once_between_them(siblings, hostler, volume, locks):
    crowd = [child.finish() for child in start_siblings(hostler, siblings, CROWD, locks)]
    assert [got.rc for got in crowd] == [0] * CROWD, "\n".join(got.stderr for got in crowd if got.rc != 0)
    assert store(volume) == siblings.wanted
    assert siblings.bytes_sent(f"/blobs/sha256:{siblings.weights.hex}") == siblings.weights.size
    assert no_leftovers(volume) == []


def test_who_fetches_a_shared_blob_may_die_and_its_bytes_are_kept(siblings, hostler, volume, locks):
    name = f"/blobs/sha256:{siblings.weights.hex}"
    leader, = start_siblings(hostler, siblings, 1, {"HOSTLER_HOST": "leader", **locks})
    wait_until(lambda: siblings.bytes_sent(name) > 0)
    other = hostler.start_pull("ollama:second", "--takeover", "1s",
                               env={"HOSTLER_HOST": "other", "OLLAMA_REGISTRY": siblings.url, **locks})
    other.err.wait_for(r"ollama:second.*leader", 20)
    wait_until(lambda: siblings.bytes_sent(name) >= 4 * MIB)
    assert leader.process.poll() is None, "the leader was done before it could be killed"
    leader.kill()
    got = other.finish()
    assert got.rc == 0, got.stderr
    assert siblings.bytes_sent(name) <= siblings.weights.size + 8 * MIB
    assert hostler.pull("ollama:first", env={"OLLAMA_REGISTRY": siblings.url}).rc == 0
    assert store(volume) == siblings.wanted
    assert no_leftovers(volume) == []
