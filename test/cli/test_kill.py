"""kill -9 at random moments: nothing wrong is ever visible, and little is fetched twice.

A hundred and fifty kills for each source, ten lanes at once on small files. Origins pin SO_SNDBUF and the client
SO_RCVBUF, or bytes that lie unread in the kernel at a kill would blur the count.
"""
import concurrent.futures
import random

import pytest
from conftest import SLOW

KILLS, LANES = 150, 10
SOCKET = 64 << 10
MIB = 1 << 20
# At most half a second of bytes a kill, and what lies in sockets and in the stand-in's own pieces.
SLACK = 1 * MIB


def repo_of(number):
    return f"org/lane{number}"


class Lane:
    """One model on one volume, killed until it is complete, then begun anew."""

    def __init__(self, source, hostler, tmp_path, number, wanted, bound):
        self.source, self.hostler, self.wanted, self.bound = source, hostler, wanted, bound
        self.repo, self.top, self.rounds = repo_of(number), tmp_path, 0
        self.random = random.Random(number)
        self.begin()

    def begin(self):
        self.rounds += 1
        self.kills, self.asked_before = 0, self.sent()
        self.volume = self.top / f"{self.repo.replace('/', '-')}-{self.rounds}"
        self.volume.mkdir()

    def sent(self):
        return self.source.sent(self.repo)

    def start(self, *more):
        return self.hostler.start_pull(*self.source.references(self.wanted, self.repo), *more, "--takeover", "1s",
                                       "-j", "2", volume=self.volume, **self.source.how({"HOSTLER_TEST_RCVBUF": SOCKET}))

    def finish(self):
        """a last run that is left alone, then the count"""
        got = self.start().finish()
        assert got.rc == 0, got.stderr
        self.source.assert_complete(self.volume, self.repo, self.wanted)
        return got

    def check_swept(self, last):
        """A run killed after a model's receipt was written leaves what the next holder of its lease sweeps: the
        instant start holds none, so one that has to be is asked for."""
        if last.stderr.count("Published ") < len(self.source.references(self.wanted, self.repo)):
            assert self.start("--force").finish().rc == 0
        self.source.assert_no_leftovers(self.volume, self.repo)

    def check_bytes(self):
        twice = self.sent() - self.asked_before - self.source.size(self.wanted)
        allowed = self.kills * self.bound + SLACK
        assert twice <= allowed, f"{twice} bytes twice after {self.kills} kills, {allowed} allowed"

    def kill_once(self, longest):
        child = self.start()
        try:
            child.process.wait(self.random.uniform(0.02, longest) * SLOW)
        except TimeoutError:
            pass
        except Exception as late:  # subprocess.TimeoutExpired: it is still at it, as it should be
            assert type(late).__name__ == "TimeoutExpired"
        done = child.kill()
        self.source.assert_nothing_wrong(self.volume, self.repo, self.wanted)
        if done.rc == 0:
            return False
        assert done.rc == -9, done.stderr
        self.kills += 1
        return True

    def run(self, kills, longest):
        total = 0
        for _ in range(kills * 10):
            if total == kills:
                break
            if self.kill_once(longest):
                total += 1
            else:
                self.source.settle()
                self.check_bytes()
                self.begin()
        last = self.finish()
        self.source.settle()
        self.check_bytes()
        self.check_swept(last)
        return total


# rate of one connection, longest life, bytes that one kill may cost
PACES = [("5 MB/s", 2_500_000, 1.6, 2_500_000 + 2 * (4 * SOCKET + 256 * 1024)),
         ("full speed", None, 0.25, 32 * MIB)]


@pytest.mark.parametrize("pace,rate,longest,bound", PACES, ids=[p[0] for p in PACES])
def test_a_kill_costs_half_a_second_of_bytes_and_shows_nothing_wrong(
        source, hostler, tmp_path, pace, rate, longest, bound):
    weights = 7_000_000 if rate else 24_000_000
    wanted = [source.make(repo_of(i), weights=weights, shards=3, seed=i) for i in range(LANES)]
    source.serve(rate=rate, sndbuf=SOCKET)
    lanes = [Lane(source, hostler, tmp_path, i, wanted[i], bound) for i in range(LANES)]
    each = -(-KILLS // 2 // LANES)
    with concurrent.futures.ThreadPoolExecutor(LANES) as pool:
        kills = list(pool.map(lambda lane: lane.run(each, longest), lanes))
    assert sum(kills) >= KILLS // 2
