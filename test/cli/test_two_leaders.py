"""Of each source: two who believe to hold one lease: the first was paused past its time, was replaced, and wakes.

From then on its origin gives it wrong bytes. Whatever it still does, what readers see stays right;
on mounts where flock works, where it lies and where there is none; and whether its own clock went on
while it was paused (then it knows) or stood still with it, as in a virtual machine (then only a look
at the lease tells it).
"""
import concurrent.futures
import copy
import itertools
import re
import signal
import threading
import time

from conftest import SLOW, lock_environment, with_preload
from volume import wait_until

MIB = 1 << 20
SOCKET = 64 << 10
LOCKS = ("work", "do nothing", "missing")
CLOCKS = ("goes on", "stops")
CASES = list(itertools.product(LOCKS, CLOCKS))


def repo_of(number):
    return f"org/model{number}"


class Pair:
    """The paused one and its successor, on a volume of their own, each with an origin of its own that serves the
    same. `bad` and `good` are those origins, as sources."""

    def __init__(self, bad, good, hostler, tmp_path, number, takeover):
        locks, clock = CASES[number]
        self.name = f"locks {locks}, clock {clock}"
        self.source, self.bad, self.good, self.hostler, self.takeover = good, bad, good, hostler, takeover
        self.repo, self.volume = repo_of(number), tmp_path / f"volume{number}"
        self.volume.mkdir()
        self.env = lock_environment(locks)
        self.paused_env = with_preload({**self.env, "CLOCKS_STOP": 1}, "clocks") if clock == "stops" else self.env

    def start(self, host, origin, env, which=slice(None)):
        """which of the model's references: where there are two, they share their large blob"""
        return self.hostler.start_pull(
            *self.source.references(self.wanted, self.repo)[which], "--takeover", self.takeover, "-j", "1", volume=self.volume,
            **origin.how({"HOSTLER_HOST": host, "HOSTLER_TEST_RCVBUF": SOCKET, **env}))

    def received(self, origin):
        time.sleep(0.02)        # all pairs ask the same two origins, again and again
        return origin.sent(self.repo)

    def replace(self):
        """the first is stopped on its way, the second has taken over and is fetching"""
        self.paused = self.start("paused", self.bad, self.paused_env, slice(0, 1))
        wait_until(lambda: self.received(self.bad) > 4 * MIB)
        self.paused.signal(signal.SIGSTOP)
        self.successor = self.start("successor", self.good, self.env, slice(-1, None))
        wait_until(lambda: self.received(self.good) > MIB, timeout=30)

    def watch(self, child):
        """looks at what readers see as long as it runs"""
        while child.process.poll() is None:
            self.source.assert_nothing_wrong(self.volume, self.repo, self.wanted)
            time.sleep(0.1)

    def finish(self, child, status):
        got = child.finish()
        assert got.rc == status, f"{got.rc}: {got.stderr}"
        self.source.assert_nothing_wrong(self.volume, self.repo, self.wanted)
        return got

    def check(self):
        self.source.assert_complete(self.volume, self.repo, self.wanted)
        self.source.assert_no_files_left(self.volume, self.repo)


def all_cases(source, hostler, tmp_path, play, takeover="1s"):
    """plays each case on a volume of its own, all at the same time: they mostly wait"""
    wanted = [source.make(repo_of(i), weights=16_000_000, seed=i) for i in range(len(CASES))]
    bad, good = (copy.copy(source) for _ in range(2))
    for origin in (bad, good):
        origin.serve(rate=6_000_000, sndbuf=SOCKET)
    pairs = [Pair(bad, good, hostler, tmp_path, i, takeover) for i in range(len(CASES))]
    for pair, files in zip(pairs, wanted):
        pair.wanted = files
    with concurrent.futures.ThreadPoolExecutor(len(pairs)) as pool:
        ended = [(pair.name, pool.submit(play, pair)) for pair in pairs]
    failed = [f"{name}: {future.exception()!r}" for name, future in ended if future.exception() is not None]
    assert not failed, "\n".join(failed)


def test_who_wakes_to_wrong_bytes_spoils_nothing(source, hostler, tmp_path):
    def play(pair):
        pair.replace()
        pair.bad.spoil(pair.repo, pair.wanted)
        pair.paused.signal(signal.SIGCONT)
        pair.watch(pair.successor)
        pair.finish(pair.successor, 0)
        pair.finish(pair.paused, 0)
        pair.check()

    all_cases(source, hostler, tmp_path, play)


def test_who_wakes_and_holds_the_lease_again_says_what_its_origin_gives(source, hostler, tmp_path):
    def play(pair):
        pair.replace()
        pair.bad.spoil(pair.repo, pair.wanted)
        pair.successor.kill()
        pair.paused.signal(signal.SIGCONT)
        got = pair.finish(pair.paused, 6)
        assert re.search(r": model\S*: its digest is [0-9a-f]{64}, it should be [0-9a-f]{64}$", got.stderr, re.M), got.stderr
        pair.finish(pair.start("last", pair.good, pair.env), 0)
        pair.check()

    all_cases(source, hostler, tmp_path, play)


def test_a_paused_holder_does_not_publish_what_was_carried_away_from_it(source, hostler, tmp_path):
    """It wakes, perhaps with a clock that stood still, gets the rest at once and has every hash right, over a
    file out of which its successor has taken what was there."""
    together = threading.Barrier(len(CASES))

    def play(pair):
        pair.replace()
        together.wait(60 * SLOW)
        pair.bad.hasten()
        pair.paused.signal(signal.SIGCONT)
        pair.watch(pair.successor)
        pair.finish(pair.successor, 0)
        pair.finish(pair.paused, 0)
        pair.check()

    all_cases(source, hostler, tmp_path, play, takeover="3s")
