"""Who may fill a model: holders that die, that pause and wake, and that are newer than we."""
import signal
import time

import pytest
from conftest import SLOW
from volume import assert_complete, assert_no_leftovers, assert_nothing_wrong, hub_folder, wait_until

REPO = "org/model"
MIB = 1 << 20
SOCKET = 64 << 10       # small and fixed, or bytes that lie unread in a paused process blur the count


@pytest.fixture(params=["locks work", "locks do nothing"])
def locks(request):
    """the environment of a mount where flock excludes, and of one where it does nothing"""
    return {} if request.param == "locks work" else request.getfixturevalue("nolock")


# A sanitized build has no nolock.
ALSO_SANITIZED = pytest.mark.parametrize(
    "locks", [pytest.param("locks work", marks=pytest.mark.sanitize), "locks do nothing"], indirect=True)


def lease_of(volume):
    return hub_folder(volume) / f"models--{REPO.replace('/', '--')}" / ".hostler" / "lease"


def received(origin):
    return sum(r["sent"] for r in origin.log("cdn", settle=False))


def start(hostler, origin, host, takeover, env=None):
    return hostler.start_pull(f"hf:{REPO}", "--takeover", takeover, "-j", "1", hub=origin,
                              env={"HOSTLER_HOST": host, "HOSTLER_TEST_RCVBUF": SOCKET, **(env or {})})


@ALSO_SANITIZED
def test_a_holder_that_was_paused_and_wakes_harms_nobody(hub, models, hostler, volume, locks):
    models.small(REPO, weights=16_000_000)
    wanted, size = models.files(REPO), models.bytes(REPO)
    origin = hub("--rate", 6_000_000, "--sndbuf", SOCKET)
    paused = start(hostler, origin, "paused", "1s", locks)
    wait_until(lambda: received(origin) > 4 * MIB)
    paused.signal(signal.SIGSTOP)
    successor = start(hostler, origin, "successor", "1s", locks)
    successor.err.wait_for("Downloading", 20)
    paused.signal(signal.SIGCONT)
    for child in (successor, paused):
        got = child.finish()
        assert got.rc == 0, got.stderr
        assert_nothing_wrong(volume, REPO, wanted)
    assert_complete(volume, REPO, wanted)
    assert_no_leftovers(volume, REPO)
    # What had not been noted when the one paused, and what it asked for before it looked at its lease.
    assert origin.bytes_sent() <= size + 4 * MIB


def test_a_holder_that_provably_died_is_not_waited_for(hub, models, hostler, volume):
    models.small(REPO, weights=16_000_000)
    origin = hub("--rate", 6_000_000)
    dead = start(hostler, origin, "dead", "60s")
    wait_until(lambda: received(origin) > 4 * MIB)
    dead.kill()
    began = time.monotonic()
    got = start(hostler, origin, "next", "60s").finish()
    assert got.rc == 0, got.stderr
    assert time.monotonic() - began < 20 * SLOW
    assert_complete(volume, REPO, models.files(REPO))
    assert_no_leftovers(volume, REPO)


def test_where_nothing_can_be_proved_the_whole_time_is_waited(hub, models, hostler, volume, nolock):
    models.small(REPO, weights=16_000_000)
    origin = hub("--rate", 6_000_000)
    dead = start(hostler, origin, "dead", "2s", nolock)
    wait_until(lambda: received(origin) > 4 * MIB)
    dead.kill()
    began = time.monotonic()
    successor = start(hostler, origin, "next", "2s", nolock)
    successor.err.wait_for("Downloading", 30)
    assert time.monotonic() - began >= 2
    assert "dead" in successor.err.text, "the holder's host is not named while it is waited for"
    got = successor.finish()
    assert got.rc == 0, got.stderr
    assert_complete(volume, REPO, models.files(REPO))
    assert_no_leftovers(volume, REPO)


def test_a_lease_of_a_newer_version_is_respected_for_ever(hub, models, hostler, volume):
    models.small(REPO)
    origin = hub()
    lease = lease_of(volume)
    lease.parent.mkdir(parents=True)
    lease.write_text("hostler-lease 2\nwho knows what\n")
    got = hostler.pull(f"hf:{REPO}", "--takeover", "1s", "--wait", "3s", hub=origin)
    assert got.rc == 8, got.stderr
    assert "a newer hostler" in got.stderr
    assert lease.read_text() == "hostler-lease 2\nwho knows what\n"
    assert received(origin) == 0


def test_a_torn_lease_is_passed_in_time(hub, models, hostler, volume):
    models.small(REPO)
    lease = lease_of(volume)
    lease.parent.mkdir(parents=True)
    lease.write_bytes(b"\0" * 1024)
    got = hostler.pull(f"hf:{REPO}", "--takeover", "1s", hub=hub())
    assert got.rc == 0, got.stderr
    assert_complete(volume, REPO, models.files(REPO))
    assert_no_leftovers(volume, REPO)
