"""One volume, many kinds of company, over each source: workers of several uids in one group, an old and a new
version of Hostler, hosts whose clocks differ by days."""
import os
import pathlib
import signal

import pytest
from conftest import hostler_binary, with_preload
from test_pull import let_through
from volume import wait_until

REPO = "org/model"
MIB = 1 << 20
GROUP = 20001


def assert_whole(source, volume, wanted):
    source.assert_complete(volume, REPO, wanted)
    source.assert_no_leftovers(volume, REPO)


# ------------------------------------------------------------------ several uids

class Workers:
    """Starts pulls of other uids, all in one group that owns the volume (its root is setgid)."""

    def __init__(self, source, hostler, volume):
        self.source, self.hostler, self.volume = source, hostler, volume
        os.chown(volume, 12000, GROUP)
        volume.chmod(0o2775)
        let_through(volume)

    def start(self, uid, wanted, *more, umask="002", group=GROUP):
        # The program may lie where only root comes by (/root): setpriv is still root as it execs.
        shell = f'umask {umask}; exec "$@"'
        return self.hostler.start_pull(*self.source.references(wanted, REPO), "--takeover", "1s", *more,
                                       volume=self.volume,
                                       wrap=["sh", "-c", shell, "sh", "setpriv", f"--reuid={uid}", f"--regid={group}",
                                             "--clear-groups"],
                                       **self.source.how({"LOG_FILE": "/dev/null", "HOSTLER_HOST": f"uid{uid}"}))


@pytest.fixture
def workers(root, source, hostler, volume):
    return Workers(source, hostler, volume)


@pytest.mark.parametrize("umask", ["002", "022"])
def test_each_uid_goes_on_with_uses_and_sweeps_what_another_left(source, workers, volume, umask):
    wanted = source.make(REPO, weights=16_000_000)
    source.serve(rate=6_000_000)
    dead = workers.start(12001, wanted, umask=umask)
    wait_until(lambda: source.sent(REPO) > 4 * MIB)
    dead.kill()
    got = workers.start(12002, wanted, umask=umask).finish()
    assert got.rc == 0, got.stderr
    assert_whole(source, volume, wanted)
    assert source.sent(REPO) <= source.size(wanted) + 6 * MIB
    asked = source.asked()
    got = workers.start(12003, wanted, umask=umask).finish()
    assert got.rc == 0 and source.asked() == asked, got.stderr
    # A third goes on to the next revision, over names, receipts and blobs that are the others'.
    wanted = source.move(REPO, wanted, weights=2_000_000, seed=3)
    got = workers.start(12003, wanted, "--update", umask=umask).finish()
    assert got.rc == 0, got.stderr
    source.assert_leads_to(volume, REPO, wanted)
    got = workers.start(12001, wanted, "--force", umask=umask).finish()
    assert got.rc == 0, got.stderr
    source.assert_leads_to(volume, REPO, wanted)
    source.assert_no_leftovers(volume, REPO)
    assert {p.lstat().st_gid for p in volume.rglob("*")} == {GROUP}


def test_of_many_uids_one_fetches(source, workers, volume):
    """of Ollama two models that share their large blobs"""
    wanted = source.make(REPO, weights=12_000_000, shards=2, seed=2)
    source.serve(rate=12_000_000)
    crowd = [workers.start(12001 + i % 3, wanted, umask=("002", "022")[i % 2]) for i in range(6)]
    for child in crowd:
        got = child.finish()
        assert got.rc == 0, got.stderr
    assert_whole(source, volume, wanted)
    assert source.sent_large(REPO, wanted) == source.large(wanted)


def test_who_may_only_read_uses_what_is_complete_and_is_told_of_what_is_not(source, workers, volume):
    wanted = source.make(REPO, weights=2_000_000)
    source.serve()
    refused = workers.start(13000, wanted, group=23000).finish()
    assert refused.rc == 9 and "uid 13000" in refused.stderr, refused.stderr
    assert workers.start(12001, wanted, umask="022").finish().rc == 0
    asked = source.asked()
    got = workers.start(13000, wanted, group=23000).finish()
    assert got.rc == 0 and source.asked() == asked, got.stderr


def test_what_one_keeps_to_itself_another_uid_is_told_in_words(source, workers, volume):
    wanted = source.make(REPO, weights=2_000_000)
    source.serve()
    assert workers.start(12001, wanted, umask="077").finish().rc == 0
    got = workers.start(12002, wanted).finish()
    assert got.rc == 9, got.stderr
    assert "uid 12002" in got.stderr and "owned by 12001" in got.stderr


# ------------------------------------------------------------------ two versions

OLD, NEXT = "old", "next"


@pytest.fixture
def versions():
    """the program, and one whose files on the volume are all of the next format"""
    following = pathlib.Path(hostler_binary()).parent / "test" / "tools" / "hostler-next"
    return {OLD: hostler_binary(), NEXT: following}


def start(source, wanted, hostler, version, *more, host="", env=None):
    return hostler.start_pull(*source.references(wanted, REPO), "--takeover", "1s", *more, argv0=version,
                              **source.how({"HOSTLER_HOST": host or pathlib.Path(version).name, **(env or {})}))


def test_versions_take_turns_and_neither_fetches_again(source, hostler, volume, versions):
    wanted = source.make(REPO, weights=3_000_000)
    source.serve()
    before = None
    for version in (NEXT, OLD, NEXT, OLD, OLD):
        got = start(source, wanted, hostler, versions[version]).finish()
        assert got.rc == 0, f"{version}: {got.stderr}"
        assert_whole(source, volume, wanted)
        names = {name: os.stat(path).st_ino for name, path in source.names(volume, REPO).items()}
        assert names and before in (None, names), "what the other had published was replaced"
        before = names
        receipt = source.receipt(volume, REPO).read_text()
        assert receipt.startswith("hostler-receipt " + {OLD: "1", NEXT: "2"}[version] + "\n")
    assert source.sent_large(REPO, wanted) == source.large(wanted)


@pytest.mark.parametrize("holder,waiter", [(OLD, NEXT), (NEXT, OLD)])
def test_a_version_waits_for_the_lease_of_another(source, hostler, volume, versions, holder, waiter):
    wanted = source.make(REPO, weights=12_000_000)
    source.serve(rate=6_000_000)
    first = start(source, wanted, hostler, versions[holder])
    wait_until(lambda: source.sent(REPO) > 2 * MIB)
    second = start(source, wanted, hostler, versions[waiter])
    second.err.wait_for("a newer hostler", 20)
    for child in (first, second):
        got = child.finish()
        assert got.rc == 0, got.stderr
    assert_whole(source, volume, wanted)
    assert source.sent_large(REPO, wanted) == source.large(wanted)


@pytest.mark.parametrize("holder,waiter", [(OLD, NEXT), (NEXT, OLD)])
def test_what_another_version_left_half_done_is_not_touched_and_not_trusted(source, hostler, volume, versions,
                                                                           holder, waiter):
    wanted = source.make(REPO, weights=12_000_000)
    source.serve(rate=6_000_000)
    dead = start(source, wanted, hostler, versions[holder])
    wait_until(lambda: source.sent(REPO) > 4 * MIB)
    dead.kill()
    private = source.staging(volume, REPO)

    def found():
        return {p.relative_to(private).as_posix(): p.read_bytes() for p in private.rglob("*") if p.is_file()}

    left = found()
    leases = [name for name in left if name.split("/")[-1] == "lease"]
    assert any(name.endswith(".journal") for name in left) and leases
    got = start(source, wanted, hostler, versions[waiter], "--wait", "2s").finish()
    assert got.rc == 8, got.stderr
    assert found() == left
    for lease in leases:                # what its message asks for, once nobody runs
        (private / lease).unlink()
    got = start(source, wanted, hostler, versions[waiter]).finish()
    assert got.rc == 0, got.stderr
    assert_whole(source, volume, wanted)


# ------------------------------------------------------------------ clocks that differ by days

DAYS = [0, 3, -3, 400]


def test_hosts_need_not_agree_on_the_time(source, hostler, volume):
    """of Ollama each pulls two models that share their large blob"""
    wanted = source.make(REPO, weights=16_000_000, seed=2)
    source.serve(rate=8_000_000, sndbuf=65536)
    clocks = [with_preload({"CLOCKS_SHIFT_S": days * 86400}, "clocks") for days in DAYS]
    dead = start(source, wanted, hostler, hostler_binary(), host="dead", env=clocks[3])
    wait_until(lambda: source.sent(REPO) > 4 * MIB)
    crowd = [start(source, wanted, hostler, hostler_binary(), host=f"host{i}", env=clocks[i % len(clocks)])
             for i in range(4)]
    for child in crowd:
        child.err.wait_for("dead", 20)
    dead.signal(signal.SIGSTOP)         # still there and holding its flock: only watching can tell
    try:
        for child in crowd:
            got = child.finish()
            assert got.rc == 0, got.stderr
    finally:
        dead.kill()
    source.assert_complete(volume, REPO, wanted)
    assert source.sent(REPO) <= source.size(wanted) + 6 * MIB
    asked = source.asked()
    for env in clocks:
        assert start(source, wanted, hostler, hostler_binary(), env=env).finish().rc == 0
    assert source.asked() == asked
