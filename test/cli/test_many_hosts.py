"""One volume, many kinds of company: workers of several uids in one group, an old and a new version of
Hostler, hosts whose clocks differ by days."""
import os
import pathlib
import signal

import pytest
from conftest import hostler_binary, with_preload
from test_pull import let_through
from volume import (assert_complete, assert_no_leftovers, assert_nothing_wrong, hub_folder, visible, wait_until)

REPO = "org/model"
MIB = 1 << 20
GROUP = 20001


def received(origin):
    return sum(r["sent"] for r in origin.log("cdn", settle=False))


# ------------------------------------------------------------------ several uids

class Workers:
    """Starts pulls of other uids, all in one group that owns the volume (its root is setgid)."""

    def __init__(self, hostler, volume):
        self.hostler, self.volume = hostler, volume
        os.chown(volume, 12000, GROUP)
        volume.chmod(0o2775)
        let_through(volume)

    def start(self, uid, origin, *more, umask="002", group=GROUP):
        shell = f'umask {umask}; exec "$@"'
        return self.hostler.start_pull(f"hf:{REPO}", "--takeover", "1s", *more, hub=origin, volume=self.volume,
                                       env={"LOG_FILE": "/dev/null", "HOSTLER_HOST": f"uid{uid}"},
                                       wrap=["setpriv", f"--reuid={uid}", f"--regid={group}", "--clear-groups",
                                             "sh", "-c", shell, "sh"])


@pytest.fixture
def workers(root, hostler, volume):
    return Workers(hostler, volume)


@pytest.mark.parametrize("umask", ["002", "022"])
def test_each_uid_goes_on_with_uses_and_sweeps_what_another_left(models, hub, workers, volume, tmp_path, umask):
    models.small(REPO, weights=16_000_000)
    wanted, origin = models.files(REPO), hub("--rate", 6_000_000)
    dead = workers.start(12001, origin, umask=umask)
    wait_until(lambda: received(origin) > 4 * MIB)
    dead.kill()
    got = workers.start(12002, origin, umask=umask).finish()
    assert got.rc == 0, got.stderr
    assert_complete(volume, REPO, wanted)
    assert_no_leftovers(volume, REPO)
    assert received(origin) <= models.bytes(REPO) + 6 * MIB
    origin.reset()
    got = workers.start(12003, origin, umask=umask).finish()
    assert got.rc == 0 and origin.requests() == 0, got.stderr
    # A third goes on to the next revision, over refs, receipts and blobs that are the others'.
    origin.move(REPO, "main", folder=models.small(REPO, weights=2_000_000, seed=2, folder=tmp_path / "next"))
    got = workers.start(12003, origin, "--update", umask=umask).finish()
    assert got.rc == 0, got.stderr
    got = workers.start(12001, origin, "--force", umask=umask).finish()
    assert got.rc == 0, got.stderr
    assert_no_leftovers(volume, REPO)
    assert {p.lstat().st_gid for p in volume.rglob("*")} == {GROUP}


def test_of_many_uids_one_fetches(models, hub, workers, volume):
    models.small(REPO, weights=12_000_000, shards=2)
    origin = hub("--rate", 12_000_000)
    crowd = [workers.start(12001 + i % 3, origin, umask=("002", "022")[i % 2]) for i in range(6)]
    for child in crowd:
        got = child.finish()
        assert got.rc == 0, got.stderr
    assert_complete(volume, REPO, models.files(REPO))
    assert_no_leftovers(volume, REPO)
    assert origin.bytes_sent("cdn") == models.bytes(REPO, lfs=True)


def test_who_may_only_read_uses_what_is_complete_and_is_told_of_what_is_not(models, hub, workers, volume):
    models.small(REPO, weights=2_000_000)
    origin = hub()
    refused = workers.start(13000, origin, group=23000).finish()
    assert refused.rc == 9 and "uid 13000" in refused.stderr, refused.stderr
    assert workers.start(12001, origin, umask="022").finish().rc == 0
    origin.reset()
    got = workers.start(13000, origin, group=23000).finish()
    assert got.rc == 0 and origin.requests() == 0, got.stderr


def test_what_one_keeps_to_itself_another_uid_is_told_in_words(models, hub, workers, volume):
    models.small(REPO, weights=2_000_000)
    origin = hub()
    assert workers.start(12001, origin, umask="077").finish().rc == 0
    got = workers.start(12002, origin).finish()
    assert got.rc == 9, got.stderr
    assert "uid 12002" in got.stderr and "owned by 12001" in got.stderr


# ------------------------------------------------------------------ two versions

OLD, NEXT = "old", "next"


@pytest.fixture
def versions():
    """the program, and one whose files on the volume are all of the next format"""
    following = pathlib.Path(hostler_binary()).parent / "test" / "tools" / "hostler-next"
    return {OLD: hostler_binary(), NEXT: following}


def start(hostler, origin, version, *more, host="", env=None):
    return hostler.start_pull(f"hf:{REPO}", "--takeover", "1s", *more, hub=origin, argv0=version,
                              env={"HOSTLER_HOST": host or pathlib.Path(version).name, **(env or {})})


def test_versions_take_turns_and_neither_fetches_again(models, hub, hostler, volume, versions):
    models.small(REPO, weights=3_000_000)
    wanted, origin = models.files(REPO), hub()
    before = None
    for version in (NEXT, OLD, NEXT, OLD, OLD):
        got = start(hostler, origin, versions[version]).finish()
        assert got.rc == 0, f"{version}: {got.stderr}"
        assert_complete(volume, REPO, wanted)
        assert_no_leftovers(volume, REPO)
        names = {name: os.stat(path).st_ino for name, path in visible(volume, REPO).items()}
        assert before in (None, names), "what the other had published was replaced"
        before = names
        receipt = (volume / ".hostler/receipts/hf/models--org--model/model-main").read_text()
        assert receipt.startswith("hostler-receipt " + {OLD: "1", NEXT: "2"}[version] + "\n")
    assert origin.bytes_sent("cdn") == models.bytes(REPO, lfs=True)


@pytest.mark.parametrize("holder,waiter", [(OLD, NEXT), (NEXT, OLD)])
def test_a_version_waits_for_the_lease_of_another(models, hub, hostler, volume, versions, holder, waiter):
    models.small(REPO, weights=12_000_000)
    origin = hub("--rate", 6_000_000)
    first = start(hostler, origin, versions[holder])
    wait_until(lambda: received(origin) > 2 * MIB)
    second = start(hostler, origin, versions[waiter])
    second.err.wait_for("a newer hostler", 20)
    for child in (first, second):
        got = child.finish()
        assert got.rc == 0, got.stderr
    assert_complete(volume, REPO, models.files(REPO))
    assert_no_leftovers(volume, REPO)
    assert origin.bytes_sent("cdn") == models.bytes(REPO, lfs=True)


@pytest.mark.parametrize("holder,waiter", [(OLD, NEXT), (NEXT, OLD)])
def test_what_another_version_left_half_done_is_not_touched_and_not_trusted(models, hub, hostler, volume, versions,
                                                                           holder, waiter):
    models.small(REPO, weights=12_000_000)
    origin = hub("--rate", 6_000_000)
    dead = start(hostler, origin, versions[holder])
    wait_until(lambda: received(origin) > 4 * MIB)
    dead.kill()
    private = hub_folder(volume) / "models--org--model" / ".hostler"
    left = {p.name: p.read_bytes() for p in private.iterdir()}
    assert any(name.endswith(".journal") for name in left) and "lease" in left
    got = start(hostler, origin, versions[waiter], "--wait", "2s").finish()
    assert got.rc == 8, got.stderr
    assert {p.name: p.read_bytes() for p in private.iterdir()} == left
    (private / "lease").unlink()        # what its message asks for, once nobody runs
    got = start(hostler, origin, versions[waiter]).finish()
    assert got.rc == 0, got.stderr
    assert_complete(volume, REPO, models.files(REPO))
    assert_no_leftovers(volume, REPO)


# ------------------------------------------------------------------ clocks that differ by days

DAYS = [0, 3, -3, 400]


def test_hosts_need_not_agree_on_the_time(models, hub, hostler, volume):
    models.small(REPO, weights=16_000_000)
    origin = hub("--rate", 8_000_000)
    clocks = [with_preload({"CLOCKS_SHIFT_S": days * 86400}, "clocks") for days in DAYS]
    dead = start(hostler, origin, hostler_binary(), host="dead", env=clocks[3])
    wait_until(lambda: received(origin) > 4 * MIB)
    crowd = [start(hostler, origin, hostler_binary(), host=f"host{i}", env=clocks[i % len(clocks)]) for i in range(4)]
    for child in crowd:
        child.err.wait_for("dead", 20)
    dead.signal(signal.SIGSTOP)         # still there and holding its flock: only watching can tell
    try:
        for child in crowd:
            got = child.finish()
            assert got.rc == 0, got.stderr
    finally:
        dead.kill()
    assert_complete(volume, REPO, models.files(REPO))
    assert_nothing_wrong(volume, REPO, models.files(REPO))
    assert received(origin) <= models.bytes(REPO) + 6 * MIB
    origin.reset()
    for env in clocks:
        assert start(hostler, origin, hostler_binary(), env=env).finish().rc == 0
    assert origin.requests() == 0
