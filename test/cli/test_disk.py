"""A disk that fails: at the n-th call that changes something, for every n of a small pull.

Whatever fails, no reader-visible name ever has wrong bytes, the status says what it was, and the next
run on a sound disk completes the volume and leaves nothing behind.
"""
import pytest
from volume import assert_complete, assert_no_leftovers, assert_nothing_wrong, visible

KINDS = ("write", "space", "sync", "name", "create")
STATUS = {"ENOSPC": 7, "EDQUOT": 7, "EIO": 9, "EROFS": 9}
MOST_CALLS = 400


@pytest.fixture
def tiny(models):
    """three files: two small ones from git, one from the CDN that is preallocated and journalled"""
    models.make("org/tiny", {"config.json": '{"model_type": "bert"}', "README.md": "# tiny\n"})
    models.small("org/weights", weights=2_500_000)
    weights = models.files("org/weights")["model.safetensors"]
    models.make("org/tiny", {"model.safetensors": weights.read_bytes()})
    return models.files("org/tiny")


class Disk:
    """Runs on a volume of its own each, so that the n-th call is the same in every run."""

    def __init__(self, hostler, origin, faulty, volume, wanted):
        self.hostler, self.origin, self.faulty, self.wanted = hostler, origin, faulty, wanted
        self.top, self.rounds = volume, 0

    def fresh(self):
        self.rounds += 1
        self.faulty.volume = self.top / str(self.rounds)
        self.faulty.volume.mkdir()
        return self.faulty.volume

    def pull(self, env=None, *args, **more):
        return self.hostler.pull("hf:org/tiny", "-j", "1", "--takeover", "1s", *args, hub=self.origin,
                                 volume=self.faulty.volume, env=env, **more)

    def calls(self):
        """the calls of an undisturbed pull"""
        self.fresh()
        got = self.pull(self.faulty.env(nth=0, kinds=KINDS))
        assert got.rc == 0, got.stderr
        assert_complete(self.faulty.volume, "org/tiny", self.wanted)
        return self.faulty.calls()

    def fail(self, nth, error, after):
        """one pull on a disk that fails, then one on a sound disk; the status of the first"""
        volume = self.fresh()
        got = self.pull(self.faulty.env(nth=nth, error=error, kinds=KINDS, after=after))
        struck = [call for call in self.faulty.calls() if call.endswith("FAILS")]
        where = f"call {nth}: {struck[:1]}\n{got.stderr}"
        assert_nothing_wrong(volume, "org/tiny", self.wanted)
        assert got.rc in (0, STATUS[error]), where
        if struck and "sync " in struck[0] and ".part " in struck[0]:
            assert got.rc == STATUS[error], f"published what may not be on the disk; {where}"
        if got.rc == 0:
            assert_complete(volume, "org/tiny", self.wanted)
        else:
            assert str(volume) in got.stderr, f"the message does not name the place; {where}"
        again = self.pull()
        assert again.rc == 0, f"{where}\nthen:\n{again.stderr}"
        assert_complete(volume, "org/tiny", self.wanted)
        assert_no_leftovers(volume, "org/tiny")
        return got.rc


@pytest.fixture
def disk(hostler, hub, faulty, volume, tiny):
    return Disk(hostler, hub(), faulty, volume, tiny)


# What the disk says, whether it goes on saying it (a full one, a mount that went away), and at which
# of the calls: two at every one, the others at some.
DISKS = [("ENOSPC", True, 1), ("EIO", False, 1), ("EIO", True, 6), ("EDQUOT", False, 6), ("EROFS", True, 6)]


@pytest.mark.parametrize("error,after,step", DISKS, ids=[f"{e}-{'stays' if a else 'once'}" for e, a, _ in DISKS])
def test_a_disk_that_fails_at_the_nth_call_costs_time_and_nothing_else(disk, error, after, step):
    count = len(disk.calls())
    assert 20 < count < MOST_CALLS
    statuses = [disk.fail(nth, error, after) for nth in range(1, count + 1, step)]
    assert STATUS[error] in statuses
    if after:
        assert statuses[0] == STATUS[error]


def test_without_symlinks_the_snapshot_holds_files(disk, faulty):
    volume = disk.fresh()
    got = disk.pull(faulty.env(nth=1, error="EPERM", kinds=("symlink",), after=True))
    assert got.rc == 0, got.stderr
    assert "symlink" in got.stderr, "no line says what is different here"
    assert_complete(volume, "org/tiny", disk.wanted)
    assert not [path for path in visible(volume, "org/tiny").values() if path.is_symlink()]
    again = disk.pull(faulty.env(nth=1, error="EPERM", kinds=("symlink",), after=True))
    assert again.rc == 0 and " Complete " in again.stderr, again.stderr
    assert_no_leftovers(volume, "org/tiny")


def test_without_hard_links_all_is_as_ever(disk, faulty):
    volume = disk.fresh()
    got = disk.pull(faulty.env(nth=1, error="EPERM", kinds=("link",), after=True))
    assert got.rc == 0, got.stderr
    assert any(call.startswith("linkat") for call in faulty.calls()), "nothing tried a hard link"
    assert_complete(volume, "org/tiny", disk.wanted)
    assert_no_leftovers(volume, "org/tiny")


def test_where_space_cannot_be_taken_beforehand_files_still_come(disk, faulty):
    """EOPNOTSUPP from fallocate, as from NFS before 4.2"""
    volume = disk.fresh()
    got = disk.pull(faulty.env(nth=1, error="EOPNOTSUPP", kinds=("space",)))
    assert got.rc == 0, got.stderr
    assert [call.split()[0] for call in faulty.calls()[:2]] == ["fallocate", "ftruncate"]
    assert_complete(volume, "org/tiny", disk.wanted)


def test_a_limit_of_file_sizes_is_an_error_and_no_death(disk):
    """RLIMIT_FSIZE sends a signal that kills who does not expect it"""
    volume = disk.fresh()
    got = disk.pull(wrap=["prlimit", "--fsize=2000000"])
    assert got.rc == 9, got.stderr
    assert ": File too large\nhint: raise the limit of a file's size (ulimit -f), or use a filesystem" in got.stderr
    assert_nothing_wrong(volume, "org/tiny", disk.wanted)
    assert disk.pull().rc == 0
    assert_complete(volume, "org/tiny", disk.wanted)
