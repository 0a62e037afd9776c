"""Many processes that need the same model at the same moment: each byte crosses the wire once."""
import re

import pytest
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
    origin = hub("--rate", 12_000_000)
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
