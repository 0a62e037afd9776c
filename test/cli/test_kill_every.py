"""kill -9 after every single system call that changes the volume, of a first pull and of one that resumes.

The preloaded library (test/preload/faulty.c) does the n-th such call and ends the process, for every n
until a pull comes to its end. Lanes only split the n between test processes.
"""
import itertools

import pytest
from volume import claimed_bytes

# All that faulty.c knows to change a file or a name, by any thread.
KINDS = ("write", "space", "sync", "name", "create", "unlink", "mode")
LANES = 4
WEIGHTS = 1_500_000         # over 1 MiB: preallocated and journalled
LEAST, MOST = 60, 400       # calls of a pull
# What is sent again though it is there: bodies of redirects, the one range that was on its way to the journal.
SLACK = 300 * 1024
REPO = "org/tiny"


class Killer:
    """Pulls of one small model, each on a volume of its own."""

    def __init__(self, source, hostler, faulty, top, wanted):
        self.source, self.hostler, self.faulty, self.wanted = source, hostler, faulty, wanted
        self.top, self.rounds = top, 0

    def fresh(self):
        self.rounds += 1
        self.faulty.volume = self.top / str(self.rounds)
        self.faulty.volume.mkdir()

    def pull(self, *args, env=None):
        return self.hostler.pull(*self.source.references(self.wanted, REPO), "-j", "1", "--takeover", "1s", *args,
                                 volume=self.faulty.volume, **self.source.how(env))

    def kill(self, nth):
        """a pull that ends after its nth call; the call, or None when it had come to its end before"""
        got = self.pull(env=self.faulty.env(nth=nth, error="KILL", kinds=KINDS))
        struck = [call for call in self.faulty.calls() if call.endswith("FAILS")]
        assert got.rc == (-9 if struck else 0), f"call {nth}: {struck}\n{got.stderr}"
        self.source.assert_nothing_wrong(self.faulty.volume, REPO, self.wanted)
        return struck[0].removesuffix(" FAILS") if struck else None

    def there(self):
        """bytes that the next run need not fetch"""
        volume = self.faulty.volume
        return self.source.published_bytes(volume, REPO) + claimed_bytes(self.source.staging(volume, REPO))

    def recover(self, where):
        volume, there = self.faulty.volume, self.there()
        before = self.source.sent(REPO)
        again = self.pull()
        assert again.rc == 0, f"{where}\nthen:\n{again.stderr}"
        self.source.assert_complete(volume, REPO, self.wanted)
        self.source.settle()
        fetched = self.source.sent(REPO) - before
        assert fetched <= self.source.size(self.wanted) - there + SLACK, f"{where}: {there} bytes were there, {fetched} came again"
        # A start that finds all complete holds no lease and sweeps nothing: one that has to hold it is asked for.
        if "Published" not in again.stderr:
            assert self.pull("--force").rc == 0
        self.source.assert_no_leftovers(volume, REPO)


@pytest.fixture
def killer(source, hostler, faulty, volume):
    wanted = source.make_tiny(REPO, weights=WEIGHTS)
    source.serve()
    return Killer(source, hostler, faulty, volume, wanted)


@pytest.mark.parametrize("lane", range(LANES))
@pytest.mark.parametrize("resumes", [False, True], ids=["first", "resuming"])
def test_a_kill_after_any_call_shows_nothing_wrong_and_costs_little(killer, resumes, lane):
    last = 0
    for nth in itertools.count(1 + lane, LANES):
        killer.fresh()
        if resumes:
            assert killer.kill(LEAST // 2), "the first pull was over too soon"
        call = killer.kill(nth)
        if call is None:
            break
        last = nth
        assert nth <= MOST, f"a pull of three files has more than {MOST} calls: {call}"
        killer.recover(f"killed after call {nth}, {call}")
    assert last + LANES > LEAST, f"only {last} calls were seen"
