"""Volumes as network filesystems and poor ones show them, played by test/tools/oddfs.c: attributes that
come late, no links, no locks or locks that lie, a full disk that is told at close. Two mounts of one
folder are two hosts."""
import concurrent.futures
import os
import re
import signal
import subprocess

import pytest
from conftest import lock_environment, sha256_of
from volume import assert_complete, assert_no_leftovers, assert_nothing_wrong, hub_folder, wait_until

REPO = "org/model"
MIB = 1 << 20
KINDS = {
    "NFS": ["late=60", "no-fallocate", "locks=none"],
    "no locks": ["locks=missing"],
    "no symlinks": ["no-symlink"],
    "no links": ["no-symlink", "no-link", "no-fallocate"],
    "poor in all": ["late=60", "no-symlink", "no-link", "no-fallocate", "locks=missing"],
}


def pull(hostler, volume, origin, host, *more):
    return hostler.start_pull(f"hf:{REPO}", "--takeover", "1s", *more, volume=volume, hub=origin,
                              env={"HOSTLER_HOST": host})


def test_any_filesystem_is_filled_and_found_filled_by_all_hosts(models, hub, hostler, oddfs, tmp_path):
    models.small(REPO, weights=9_000_000, shards=2, more={"sub/a.txt": "a"})
    wanted, origin = models.files(REPO), hub()
    folders = {kind: tmp_path / kind for kind in KINDS}
    for folder in folders.values():
        folder.mkdir()
    first = {kind: oddfs(folders[kind], *options) for kind, options in KINDS.items()}
    second = {kind: oddfs(folders[kind], *options) for kind, options in KINDS.items()}

    def play(kind):
        got = pull(hostler, first[kind], origin, "one").finish()
        assert got.rc == 0, f"{kind}: {got.stderr}"
        return got

    with concurrent.futures.ThreadPoolExecutor(len(KINDS)) as pool:
        list(pool.map(play, KINDS))
    assert origin.bytes_sent("cdn") == len(KINDS) * models.bytes(REPO, lfs=True)
    origin.reset()
    for kind, folder in folders.items():
        for place in (folder, first[kind], second[kind]):
            assert_complete(place, REPO, wanted)
            assert_no_leftovers(place, REPO)
        for host, place in (("one", first[kind]), ("two", second[kind])):
            got = pull(hostler, place, origin, host).finish()
            assert got.rc == 0 and " Complete " in got.stderr, f"{kind}, host {host}: {got.stderr}"
    assert origin.requests() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_two_hosts_fetch_each_byte_once(models, hub, hostler, oddfs, volume, kind):
    models.small(REPO, weights=24_000_000, shards=2)
    origin = hub("--rate", 12_000_000)
    mounts = [oddfs(volume, *KINDS[kind]) for _ in range(2)]
    hosts = [pull(hostler, mounts[i % 2], origin, f"host{i}") for i in range(6)]
    for child in hosts:
        got = child.finish()
        assert got.rc == 0, got.stderr
    assert_complete(volume, REPO, models.files(REPO))
    assert_no_leftovers(volume, REPO)
    assert origin.bytes_sent("cdn") == models.bytes(REPO, lfs=True)


def test_a_host_that_looked_before_finds_what_another_has_fetched_since(models, hub, hostler, oddfs, volume):
    """it remembers that nothing was there, and its mount goes on saying so"""
    models.small(REPO, weights=3_000_000, shards=2)
    origin = hub()
    early, other = (oddfs(volume, *KINDS["NFS"]) for _ in range(2))
    assert pull(hostler, early, origin, "early", "--dry-run").finish().rc == 0
    assert pull(hostler, early, origin, "early", "--offline").finish().rc == 3
    assert pull(hostler, other, origin, "other").finish().rc == 0
    before = origin.bytes_sent("cdn")
    got = pull(hostler, early, origin, "early").finish()
    assert got.rc == 0, got.stderr
    assert_complete(early, REPO, models.files(REPO))
    assert_no_leftovers(volume, REPO)
    assert origin.bytes_sent("cdn") == before


@pytest.mark.parametrize("kind", ["NFS", "poor in all"])
def test_a_host_that_died_is_taken_over_by_another(models, hub, hostler, oddfs, volume, kind):
    models.small(REPO, weights=16_000_000)
    origin = hub("--rate", 6_000_000)
    dead = pull(hostler, oddfs(volume, *KINDS[kind]), origin, "dead")
    wait_until(lambda: sum(r["sent"] for r in origin.log("cdn", settle=False)) > 4 * MIB)
    successor = pull(hostler, oddfs(volume, *KINDS[kind]), origin, "next")
    successor.err.wait_for("dead", 20)
    dead.kill()
    got = successor.finish()
    assert got.rc == 0, got.stderr
    assert_complete(volume, REPO, models.files(REPO))
    assert_no_leftovers(volume, REPO)
    assert origin.bytes_sent("cdn") <= models.bytes(REPO) + 8 * MIB


def test_a_full_disk_that_is_told_late_publishes_nothing(models, hub, hostler, oddfs, volume):
    models.small(REPO, weights=9_000_000, shards=3)
    origin = hub()
    got = pull(hostler, oddfs(volume, "full=5000000", "locks=none"), origin, "one").finish()
    assert got.rc == 7, got.stderr
    assert_nothing_wrong(volume, REPO, models.files(REPO))
    got = pull(hostler, oddfs(volume, "locks=none"), origin, "two").finish()
    assert got.rc == 0, got.stderr
    assert_complete(volume, REPO, models.files(REPO))
    assert_no_leftovers(volume, REPO)


# ------------------------------------------------------------------ btrfs: files that share their bytes

def own_bytes(*files):
    """(bytes of all files, of which so many are one file's alone)"""
    subprocess.run(["sync", "--file-system", *map(str, files)], check=True, timeout=60)
    said = subprocess.run(["btrfs", "filesystem", "du", "--raw", *map(str, files)], check=True, capture_output=True,
                          text=True, timeout=60).stdout
    rows = [line.split() for line in said.splitlines()[1:]]
    return sum(int(row[0]) for row in rows), sum(int(row[1]) for row in rows)


def test_a_file_of_two_models_is_stored_once(models, hub, hostler, btrfs):
    models.small("org/one", weights=20_000_000)
    models.small("org/two", weights=20_000_000, more={"README.md": "another model, the same weights"})
    origin = hub()
    for repo in ("org/one", "org/two"):
        got = hostler.pull(f"hf:{repo}", hub=origin, volume=btrfs)
        assert got.rc == 0, got.stderr
        assert_complete(btrfs, repo, models.files(repo))
    assert origin.bytes_sent("cdn") == models.bytes("org/one", lfs=True)
    name = sha256_of(models.files("org/one")["model.safetensors"])
    blobs = [hub_folder(btrfs) / f"models--org--{repo}" / "blobs" / name for repo in ("one", "two")]
    assert len({os.stat(blob).st_ino for blob in blobs}) == 2, "a link, where a file of its own was possible"
    total, own = own_bytes(*blobs)
    assert total >= 40_000_000 and own == 0


def test_what_a_paused_holder_staged_is_carried_over_without_being_copied(models, hub, hostler, btrfs, tmp_path):
    models.small(REPO, weights=24_000_000)
    origin, trace = hub("--rate", 10_000_000), tmp_path / "trace"
    env = {"HOSTLER_HOST": "paused", **lock_environment("missing")}
    paused = hostler.start_pull(f"hf:{REPO}", "--takeover", "1s", volume=btrfs, hub=origin, env=env)
    wait_until(lambda: sum(r["sent"] for r in origin.log("cdn", settle=False)) > 8 * MIB)
    paused.signal(signal.SIGSTOP)
    got = hostler.start_pull(f"hf:{REPO}", "--takeover", "1s", volume=btrfs, hub=origin, env={**env, "HOSTLER_HOST": "next"},
                             wrap=["strace", "-f", "-o", trace, "-e", "trace=copy_file_range"]).finish()
    assert got.rc == 0, got.stderr
    paused.signal(signal.SIGCONT)
    assert paused.finish().rc == 0
    assert_complete(btrfs, REPO, models.files(REPO))
    assert_no_leftovers(btrfs, REPO)
    answers = [int(n) for n in re.findall(r"copy_file_range\(.* = (-?\d+)", trace.read_text())]
    assert sum(answers) >= 4 * MIB and min(answers) > 0, "btrfs was not asked to let the files share their bytes"
