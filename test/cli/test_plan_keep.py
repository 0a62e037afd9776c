"""What runs stays where it is: a worker tells which GPUs it holds, and a plan goes by that."""
import json
import pathlib
import re
import signal

import pytest
from conftest import hostler_binary
from coordinating import Coordinator
from volume import wait_until

pytestmark = pytest.mark.sanitize

MISTRAL = "mistralai/Mistral-7B-Instruct-v0.2"
TOTAL, RESERVED = 24564, 440
FREE = TOTAL - RESERVED
UUIDS = [f"GPU-{i}aaaaaaa-0000-0000-0000-000000000001" for i in range(3)]


class Cards:
    """GPUs that are all alike, of which so many MiB are in use; the environment in which the driver says so"""
    def __init__(self, folder, count):
        self.path = folder / "scenario"
        self.use(*[0] * count)
        self.env = {"LD_LIBRARY_PATH": str(pathlib.Path(hostler_binary()).parent / "test/tools"), "FAKE_NVML": str(self.path)}

    def text(self, *used):
        return "".join(f"gpu {uuid} 8.9 {TOTAL} {RESERVED} {TOTAL - RESERVED - mib} NVIDIA GeForce RTX 4090\n"
                       for uuid, mib in zip(UUIDS, used))

    def use(self, *used):
        self.path.write_text(self.text(*used))

    def engine(self, *used):
        """a command that takes memory until so much is in use, is ready then, and stays"""
        after = self.path.with_name("after-" + "-".join(map(str, used)))
        after.write_text(self.text(*used))
        return "sh", "-c", f"cp {after} {self.path}; touch {self.ready}; exec sleep 1000"

    @property
    def ready(self):
        return self.path.with_name("ready")


@pytest.fixture
def origin(models, hub):
    models.small(MISTRAL, weights=300_000)
    return hub()


@pytest.fixture
def worker(hostler, volume, tmp_path, origin):
    """worker(cards, used, ...) is one of type vllm that runs, and whose engine has taken that"""
    running = []

    def start(cards, used, *words, id="w", env=None):
        runtime = tmp_path / f"runtime-{id}"
        runtime.mkdir()
        cards.ready.unlink(missing_ok=True)
        child = hostler.start("run", "--worker", "vllm", "--volume", volume, "--ready-cmd", f"test -e {cards.ready}", *words, "--",
                              *cards.engine(*used), hub=origin,
                              env={**cards.env, "HOSTLER_RUNTIME_DIR": str(runtime), "WORKER_ID": id, **(env or {})})
        running.append(child)
        child.out.wait_for("running", 60)
        return child

    yield start
    for child in running:
        child.signal(signal.SIGKILL)
        child.finish()


def marks(volume):
    return sorted(found.group(0) for path in (volume / ".hostler/uses").glob("use-*")
                  for found in [re.search(r"gpu:[^\s\"]*", path.read_text())] if found)


@pytest.fixture
def plan(hostler, volume):
    def make(cards, *words):
        got = hostler("plan", *words, "--volume", volume, "--json", "--offline", env=cards.env)
        assert got.stdout, got.stderr
        return got.rc, json.loads(got.stdout)

    return make


def codes(item):
    return [reason["code"] for reason in item["reasons"]]


def test_it_stays_where_it_is_and_what_it_holds_is_free_for_it(tmp_path, worker, volume, plan):
    cards = Cards(tmp_path, 2)
    child = worker(cards, (0, 21000))
    wait_until(lambda: marks(volume))
    assert re.fullmatch(rf"gpu:{UUIDS[1]}:21000:[0-9a-f]{{8}}:vllm", marks(volume)[0])
    rc, said = plan(cards, "vllm")
    assert (rc, said["items"][0]["verdict"], said["items"][0]["gpus"]) == (0, "fit", [UUIDS[1]])
    assert "stays" in codes(said["items"][0])
    assert said["ledger"][1]["capacity_mib"] == FREE, "all that is in use is its own"
    assert said["ledger"][1]["running"] == [{"worker": "vllm", "mib": 21000}]
    # A second one of that type finds the other GPU.
    rc, said = plan(cards, "vllm", "vllm", "--spread")
    assert [item["gpus"] for item in said["items"]] == [[UUIDS[1]], [UUIDS[0]]]
    # A model alone is beside all that runs.
    rc, said = plan(cards, "mistral-7b-instruct", "--pin", f"mistral-7b-instruct={UUIDS[1]}")
    assert said["ledger"][1]["capacity_mib"] == FREE - 21000
    child.signal(signal.SIGTERM)
    child.finish()
    assert marks(volume) == []
    cards.use(0, 0)
    rc, said = plan(cards, "vllm")
    assert (rc, said["items"][0]["gpus"]) == (0, [UUIDS[0]]) and "stays" not in codes(said["items"][0])


def test_what_others_hold_stays_theirs_also_where_a_mark_says_more_than_is_in_use(tmp_path, worker, volume, plan):
    cards = Cards(tmp_path, 1)
    worker(cards, (20000,))
    wait_until(lambda: marks(volume))
    cards.use(12000)                        # it gave much back; and of the rest nobody knows whose it is
    _, said = plan(cards, "vllm")
    assert said["ledger"][0]["capacity_mib"] == FREE and said["items"][0]["verdict"] == "fit"
    _, said = plan(cards, "llava:7b")
    assert said["ledger"][0]["capacity_mib"] == FREE - 12000


def test_of_two_of_a_type_one_is_planned_anew(tmp_path, worker, volume, plan):
    cards = Cards(tmp_path, 3)
    worker(cards, (0, 20000, 0), id="a")
    wait_until(lambda: len(marks(volume)) == 1)
    worker(cards, (0, 20000, 19000), id="b")
    wait_until(lambda: len(marks(volume)) == 2)
    _, said = plan(cards, "vllm")
    assert said["items"][0]["gpus"] == [UUIDS[1]]
    assert [gpu["capacity_mib"] for gpu in said["ledger"]] == [FREE, FREE, FREE - 19000]


def test_where_it_was_planned_the_marks_say_what_the_plan_gave(tmp_path, worker, volume):
    cards = Cards(tmp_path, 2)
    worker(cards, (300, 700), "--plan", "auto")     # another took 700 of a GPU that is not its own
    wait_until(lambda: marks(volume))
    assert len(marks(volume)) == 1 and marks(volume)[0].startswith(f"gpu:{UUIDS[0]}:2")


def test_a_worker_that_takes_no_memory_holds_nothing(tmp_path, worker, hostler, volume, plan):
    cards = Cards(tmp_path, 1)
    at = Coordinator(hostler, "--data-dir", tmp_path / "registry")
    worker(cards, (100,), env={"COORDINATOR_URL": at.url})
    wait_until(lambda: at.workers()[0]["gpus"][0]["used_mib"] == 100)      # it has looked
    assert at.workers()[0]["holds"] == [] and marks(volume) == []
    rc, said = plan(cards, "vllm")
    assert (rc, said["ledger"][0]["running"]) == (0, []) and "stays" not in codes(said["items"][0])


def test_one_that_was_killed_holds_nothing_any_more(tmp_path, worker, volume, plan):
    cards = Cards(tmp_path, 1)
    child = worker(cards, (20000,))
    wait_until(lambda: marks(volume))
    child.signal(signal.SIGKILL)
    child.finish()
    assert marks(volume), "nobody took it away"
    rc, said = plan(cards, "vllm")
    assert said["ledger"][0]["capacity_mib"] == FREE - 20000 and said["ledger"][0]["running"] == []


def test_the_coordinator_knows_it_too(tmp_path, worker, hostler, volume):
    cards = Cards(tmp_path, 2)
    at = Coordinator(hostler, "--data-dir", tmp_path / "registry")
    worker(cards, (0, 21000), id="one", env={"COORDINATOR_URL": at.url, "HOSTLER_HOST": "box"})
    wait_until(lambda: at.workers()[0]["holds"])
    assert at.workers()[0]["holds"] == [{"uuid": UUIDS[1], "mib": 21000, "planned_mib": 0}]
    assert [gpu["used_mib"] for gpu in at.workers()[0]["gpus"]] == [0, 21000], "seen again when it was ready"
    got = hostler("plan", "--fleet", "vllm", "--volume", volume, "--json", "--offline", env={"COORDINATOR_URL": at.url})
    said = json.loads(got.stdout)
    assert (got.rc, said["items"][0]["gpus"], "stays" in codes(said["items"][0])) == (0, [UUIDS[1]], True)


def test_in_a_fleet_what_workers_hold_is_in_use_whoever_told_last(tmp_path, hostler, volume):
    at = Coordinator(hostler, "--data-dir", tmp_path / "registry")
    gpu = {"uuid": UUIDS[0], "name": "NVIDIA GeForce RTX 4090", "total_mib": TOTAL, "reserved_mib": RESERVED, "used_mib": 0, "sm": "8.9"}
    at.register("one", type="ocr", host="box", state="running", gpus=[gpu], holds=[{"uuid": UUIDS[0], "mib": 15000, "planned_mib": 0}])
    at.register("two", type="other", host="box", state="gating", gpus=[gpu])
    got = hostler("plan", "--fleet", "vllm", "--volume", volume, "--json", "--offline", "--no-variants", env={"COORDINATOR_URL": at.url})
    said = json.loads(got.stdout)
    assert (got.rc, said["ledger"][0]["capacity_mib"]) == (11, FREE - 15000)
