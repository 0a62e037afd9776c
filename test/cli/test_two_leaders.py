"""Two who believe to hold one lease: the first was paused past its time, was replaced, and wakes.

From then on its origin gives it wrong bytes. Whatever it still does, what readers see stays right;
on mounts where flock works, where it lies and where there is none; and whether its own clock went on
while it was paused (then it knows) or stood still with it, as in a virtual machine (then only a look
at the lease tells it).
"""
import concurrent.futures
import itertools
import signal
import threading
import time

from conftest import SLOW, lock_environment, safetensors_bytes, with_preload
from volume import assert_complete, assert_no_leftovers, assert_nothing_wrong, wait_until

MIB = 1 << 20
SOCKET = 64 << 10
LOCKS = ("work", "do nothing", "missing")
CLOCKS = ("goes on", "stops")
CASES = list(itertools.product(LOCKS, CLOCKS))


class Pair:
    """The paused one and its successor, on a volume of their own, each with its hub over the same files."""

    def __init__(self, hostler, tmp_path, models, number, takeover):
        locks, clock = CASES[number]
        self.name = f"locks {locks}, clock {clock}"
        self.hostler, self.takeover = hostler, takeover
        self.repo, self.volume = f"org/model{number}", tmp_path / f"volume{number}"
        self.volume.mkdir()
        self.weights = f"weights{number}.safetensors"       # what tells this model's requests from the others'
        models.make(self.repo, {"config.json": "{}", self.weights: safetensors_bytes(16_000_000, number)})
        self.wanted = models.files(self.repo)
        self.env = lock_environment(locks)
        self.paused_env = with_preload({**self.env, "CLOCKS_STOP": 1}, "clocks") if clock == "stops" else self.env

    def start(self, host, origin, env):
        return self.hostler.start_pull(f"hf:{self.repo}", "--takeover", self.takeover, "-j", "1", hub=origin,
                                       volume=self.volume,
                                       env={"HOSTLER_HOST": host, "HOSTLER_TEST_RCVBUF": SOCKET, **env})

    def received(self, origin):
        time.sleep(0.02)        # all pairs ask the same two hubs, again and again
        return sum(r["sent"] for r in origin.log("cdn", settle=False) if r["note"] == self.weights)

    def replace(self):
        """the first is stopped on its way, the second has taken over and is fetching"""
        self.paused = self.start("paused", self.bad, self.paused_env)
        wait_until(lambda: self.received(self.bad) > 4 * MIB)
        self.paused.signal(signal.SIGSTOP)
        self.successor = self.start("successor", self.good, self.env)
        wait_until(lambda: self.received(self.good) > 0, timeout=30)

    def spoil(self):
        """as of now each answer of the paused one's origin has wrong bytes in it"""
        self.bad.fault("corrupt", len=5000, port="cdn", times=-1, match=self.weights)

    def watch(self, child):
        """looks at what readers see as long as it runs"""
        while child.process.poll() is None:
            assert_nothing_wrong(self.volume, self.repo, self.wanted)
            time.sleep(0.1)

    def finish(self, child, status):
        got = child.finish()
        assert got.rc == status, f"{got.rc}: {got.stderr}"
        assert_nothing_wrong(self.volume, self.repo, self.wanted)
        return got

    def check(self):
        assert_complete(self.volume, self.repo, self.wanted)
        assert_no_leftovers(self.volume, self.repo)


def all_cases(models, hub, hostler, tmp_path, play, takeover="1s"):
    """plays each case on a volume of its own, all at the same time: they mostly wait"""
    pairs = [Pair(hostler, tmp_path, models, i, takeover) for i in range(len(CASES))]
    bad, good = (hub("--rate", 6_000_000, "--sndbuf", SOCKET) for _ in range(2))
    for pair in pairs:
        pair.bad, pair.good = bad, good
    with concurrent.futures.ThreadPoolExecutor(len(pairs)) as pool:
        ended = [(pair.name, pool.submit(play, pair)) for pair in pairs]
    failed = [f"{name}: {future.exception()!r}" for name, future in ended if future.exception() is not None]
    assert not failed, "\n".join(failed)


def test_who_wakes_to_wrong_bytes_spoils_nothing(models, hub, hostler, tmp_path):
    def play(pair):
        pair.replace()
        pair.spoil()
        pair.paused.signal(signal.SIGCONT)
        pair.watch(pair.successor)
        pair.finish(pair.successor, 0)
        pair.finish(pair.paused, 0)
        pair.check()

    all_cases(models, hub, hostler, tmp_path, play)


def test_who_wakes_and_holds_the_lease_again_says_what_its_origin_gives(models, hub, hostler, tmp_path):
    def play(pair):
        pair.replace()
        pair.spoil()
        pair.successor.kill()
        pair.paused.signal(signal.SIGCONT)
        got = pair.finish(pair.paused, 6)
        assert pair.weights in got.stderr
        pair.finish(pair.start("last", pair.good, pair.env), 0)
        pair.check()

    all_cases(models, hub, hostler, tmp_path, play)


def test_a_paused_holder_does_not_publish_what_was_carried_away_from_it(models, hub, hostler, tmp_path):
    """It wakes, perhaps with a clock that stood still, gets the rest at once and has every hash right, over a
    file out of which its successor has taken what was there."""
    together = threading.Barrier(len(CASES))

    def play(pair):
        pair.replace()
        together.wait(60 * SLOW)
        pair.bad.set(rate=None)
        pair.paused.signal(signal.SIGCONT)
        pair.watch(pair.successor)
        pair.finish(pair.successor, 0)
        pair.finish(pair.paused, 0)
        pair.check()

    all_cases(models, hub, hostler, tmp_path, play, takeover="3s")
