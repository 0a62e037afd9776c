"""Everything at once: starts, stops, kills and readers on one volume, in an order that a seed decides."""
import contextlib
import fcntl
import json
import os
import pathlib
import random
import signal
import subprocess
import time

import pytest
from conftest import ROOT, sha256_of
from volume import HuggingFace, Ollama, claimed_bytes, hub_folder, wait_until

PATIENT = ["--takeover", "1s", "-j", "2", "--give-up", "60s"]
KILLED = -signal.SIGKILL
PIECE = 1 << 18         # of which a journal has one checksum


def tear(volume, chance):
    """Of what killed ones have staged, half of the pieces become what they never were, as when a host goes down before its
    disk has what a journal says. Not under a living one's hands: his file is locked by him. While it is locked by us, nobody
    goes on in it."""
    for part in sorted(pathlib.Path(volume).rglob("*.part")):
        with contextlib.suppress(FileNotFoundError, BlockingIOError), open(part, "r+b") as file:
            size = os.fstat(file.fileno()).st_size
            if size == 0:           # just made, and perhaps not locked yet
                continue
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if part.stat().st_ino == os.fstat(file.fileno()).st_ino:        # it is not published since
                for at in range(0, size, PIECE):
                    file.seek(at + chance.randrange(min(PIECE, size - at)))
                    file.write(chance.randbytes(chance.randrange(2)))


class Storm:
    """Six pulls of overlapping models, each stopped, let go, killed and started again."""

    JOBS = [["hf:org/a"], ["hf:org/a", "hf:org/b"], ["hf:org/b", "ollama:org/o"], ["ollama:org/o", "ollama:org/o:twin"],
            ["ollama:org/o:twin", "hf:org/a"], ["hf:org/b"]]

    def __init__(self, start, volume, seed):
        self.start, self.volume, self.random = start, volume, random.Random(seed)
        self.live = [start(*job) for job in self.JOBS]
        self.stopped, self.ends, self.told = set(), set(), []

    def again(self, i, *more):
        self.live[i] = self.start(*self.JOBS[i], *more)
        self.stopped.discard(i)

    def end(self, i):
        got = self.live[i].finish(90)
        self.ends.add(got.rc)
        self.told.append(got.stderr)

    def step(self):
        i, chance = self.random.randrange(len(self.live)), self.random.random()
        child = self.live[i]
        if child.process.poll() is not None:
            self.end(i)
            self.again(i, *self.random.choice([[], ["--force"], ["--update"]]))
        elif i in self.stopped:
            child.signal(signal.SIGCONT)
            self.stopped.discard(i)
        elif chance < 0.6:
            child.signal(signal.SIGSTOP)
            self.stopped.add(i)
        elif chance < 0.75:
            child.signal(signal.SIGKILL)
            self.end(i)
            tear(self.volume, self.random)
            self.again(i)

    def calm(self):
        for i in self.stopped:
            self.live[i].signal(signal.SIGCONT)
        for i in range(len(self.live)):
            self.end(i)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_storm_ends_in_the_right_bytes_and_every_pull_that_was_let_live_ends_well(models, hub, registry, front, hostler,
                                                                                   volume, seed):
    hf, ollama = HuggingFace(models, hub), Ollama(registry, front)
    first, second = hf.make("org/a", 9_000_000, 3, seed=1), hf.make("org/b", 6_000_000, 2, seed=2)
    wanted = ollama.make("org/o", 9_000_000, 2, seed=2)
    hf.serve(rate=1_500_000, sndbuf=65536)
    ollama.serve(rate=1_500_000, sndbuf=65536)
    how = {"hub": hf.origin, "env": {"OLLAMA_REGISTRY": ollama.origin.url}}
    storm = Storm(lambda *job: hostler.start_pull(*job, *PATIENT, **how), volume, seed)
    for _ in range(60):
        storm.step()
        time.sleep(storm.random.uniform(0.01, 0.15))        # for things to happen meanwhile; nothing rests on how many
    storm.calm()
    assert storm.ends <= {0, KILLED}, "\n".join(storm.told)
    got = hostler.pull("hf:org/a", "hf:org/b", "ollama:org/o", "ollama:org/o:twin", *PATIENT, **how)
    assert got.rc == 0, got.stderr
    hf.assert_complete(volume, "org/a", first)
    hf.assert_complete(volume, "org/b", second)
    ollama.assert_complete(volume, "org/o", wanted)


READER = r"""
import hashlib, json, os, sys
from huggingface_hub import hf_hub_download, snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError
cache, truth, stop = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
names = sorted(next(iter(truth.values())))
wrong, reads, there = [], 0, False
last = False
while not last:
    last = os.path.exists(stop)         # one more look after the last pull
    try:
        if reads % 2:
            top = snapshot_download("org/m", cache_dir=cache, local_files_only=True)
            files = [os.path.join(folder, name) for folder, _, names_ in os.walk(top) for name in names_]
            if {os.path.relpath(f, top) for f in files} != set(truth[os.path.basename(top)]):
                wrong.append("torn: " + top)
        else:
            files = [hf_hub_download("org/m", names[reads // 2 % len(names)], cache_dir=cache, local_files_only=True)]
        for file in files:
            commit, name = file.split("/snapshots/")[1].split("/", 1)
            if hashlib.sha256(open(file, "rb").read()).hexdigest() != truth[commit][name]:
                wrong.append(file)
        there = True
    except LocalEntryNotFoundError as e:
        if there:                       # once, and so for ever
            wrong.append("gone: " + str(e))
    reads += 1
print(json.dumps({"reads": reads, "wrong": wrong}))
"""


@pytest.mark.parametrize("venv", [".venv", ".venv-old"])
def test_who_reads_meanwhile_never_sees_a_torn_snapshot_or_a_wrong_byte(models, hub, hostler, volume, tmp_path, venv):
    folders = [models.small("org/m", weights=1_500_000, shards=3, seed=seed, folder=tmp_path / f"revision{seed}")
               for seed in (1, 2, 3)]
    models.small("org/m", weights=1_500_000, shards=3, seed=1)
    origin = hub("--rate", "8000000")
    truth = {origin.move("org/m", "main", folder=folder):
             {name: sha256_of(path) for name, path in models.files("org/m", folder).items()} for folder in folders}
    stop, order = tmp_path / "stop", random.Random(5)
    reader = subprocess.Popen([ROOT / venv / "bin/python", "-c", READER, hub_folder(volume), json.dumps(truth), stop],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "HF_HUB_OFFLINE": "1"})
    for turn in range(16):
        origin.move("org/m", "main", commit=order.choice(list(truth)))
        child = hostler.start_pull("hf:org/m", *order.choice([["--update"], ["--force"], ["--update", "--force"], []]),
                                   "--takeover", "1s", hub=origin)
        if turn % 2:
            time.sleep(order.uniform(0.01, 0.3))
            child.signal(signal.SIGKILL)
        got = child.finish()
        assert got.rc in (0, KILLED), got.stderr
        tear(volume, order)
    stop.touch()
    said = reader.communicate(timeout=60)[0]
    seen = json.loads(said) if said.startswith("{") else said
    assert seen["wrong"] == [] and seen["reads"] > 0, seen


def test_a_volume_that_becomes_read_only_in_the_middle_is_told_and_goes_on_when_it_is_writable(source, hostler, tmp_path):
    volume = tmp_path / "disk"
    volume.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200M", "none", volume], capture_output=True).returncode != 0:
        pytest.skip("nobody may mount here (a container without CAP_SYS_ADMIN)")
    try:
        wanted = source.make("org/m", weights=12_000_000, shards=3, seed=2)
        source.serve(rate=1_500_000, sndbuf=65536)
        refs = source.references(wanted, "org/m")
        child = hostler.start_pull(*refs, "-j", "3", "--give-up", "20s", volume=volume, **source.how())
        wait_until(lambda: claimed_bytes(volume) > 1_000_000)
        busy = subprocess.run(["mount", "-o", "remount,ro", volume], capture_output=True).returncode != 0
        if busy:                                        # files are open for writing: the kernel refuses
            child.signal(signal.SIGKILL)
            child.finish()
            subprocess.run(["mount", "-o", "remount,ro", volume], check=True)
        got = hostler.pull(*refs, volume=volume, **source.how())
        assert got.rc != 0 and "read-only" in got.stderr.lower(), got.stderr
        source.assert_nothing_wrong(volume, "org/m", wanted)
        subprocess.run(["mount", "-o", "remount,rw", volume], check=True)
        source.hasten()
        got = hostler.pull(*refs, "--takeover", "1s", volume=volume, **source.how())
        assert got.rc == 0, got.stderr
        source.assert_complete(volume, "org/m", wanted)
    finally:
        subprocess.run(["umount", "--lazy", volume], check=True)
