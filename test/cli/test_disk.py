"""A disk that fails: at the n-th call that changes something, for every n of a small pull.

Whatever fails, no reader-visible name ever has wrong bytes, the status says what it was, and the next
run on a sound disk completes the volume and leaves nothing behind.
"""
import pytest
from volume import assert_complete, assert_no_leftovers, assert_nothing_wrong, hub_folder

KINDS = ("write", "space", "sync", "name")
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

    def pull(self, env=None, *args):
        return self.hostler.pull("hf:org/tiny", "-j", "1", "--takeover", "1s", *args, hub=self.origin,
                                 volume=self.faulty.volume, env=env)

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


# error, and whether all later calls fail too: as a disk that is full does, or a mount that went away
DISKS = [("ENOSPC", True), ("EDQUOT", False), ("EIO", False), ("EIO", True), ("EROFS", True)]


@pytest.mark.parametrize("error,after", DISKS, ids=[f"{e}-{'stays' if a else 'once'}" for e, a in DISKS])
def test_a_disk_that_fails_at_the_nth_call_costs_time_and_nothing_else(disk, error, after):
    count = len(disk.calls())
    assert 20 < count < MOST_CALLS
    statuses = [disk.fail(nth, error, after) for nth in range(1, count + 1)]
    assert STATUS[error] in statuses
    if after:
        assert statuses[0] == STATUS[error]
