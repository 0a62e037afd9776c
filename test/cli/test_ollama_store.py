"""Ollama's store on the volume, by the built program: shared blobs, crowds, kills, what others left there."""
import os
import random
import time

import pytest
from conftest import sha256_of
from registry import expected, make_model, store
from test_ollama import BLOBS, HOME, at

LIMIT = "--limit-rate"


def leftovers(volume):
    """what is left in folders of ours, and temporary files of receipts"""
    ours = [p.as_posix() for p in (volume / "ollama" / ".hostler").rglob("*")]
    return ours + [p.as_posix() for p in (volume / ".hostler").rglob("tmp-*")]


def assert_nothing_wrong(volume):
    """every blob is what it is called, and a manifest names only blobs that are there"""
    top = volume / "ollama"
    for blob in top.glob("blobs/*"):
        assert f"sha256-{sha256_of(blob)}" == blob.name
    for manifest in top.glob("manifests/*/*/*/*"):
        for part in manifest.read_text().split('"sha256:')[1:]:
            assert (top / f"blobs/sha256-{part[:64]}").is_file(), f"{manifest} names what is not there"


def test_a_manifest_that_was_removed_comes_back_without_a_request(registry, front, hostler, volume):
    there = registry()
    tiny = there.push("library/tiny:latest", make_model())
    before = front(there)
    assert hostler.pull("ollama:tiny", env=at(before)).rc == 0
    asked = len(before.requests())
    whole = store(volume)
    (volume / "ollama/manifests" / HOME / "tiny/latest").unlink()
    got = hostler.pull("ollama:tiny", env=at(before))
    assert got.rc == 0, got.stderr
    assert len(before.requests()) == asked
    assert store(volume) == whole == expected({f"{HOME}/tiny/latest": tiny})
    assert leftovers(volume) == []


@pytest.mark.sanitize
def test_a_store_that_ollama_filled_is_complete_offline_after_one_look(hostler, volume):
    tiny = make_model(size=2_000_000)
    for name, data in expected({f"{HOME}/tiny/latest": tiny}).items():
        path = volume / "ollama" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    got = hostler.pull("ollama:tiny", "--offline")
    assert got.rc == 0, got.stderr
    weights = volume / "ollama/models/tiny/latest"
    assert os.readlink(weights) == f"../../blobs/sha256-{tiny.layers[0].hex}"
    assert hostler.pull("ollama:tiny", "--offline").rc == 0


@pytest.mark.sanitize
def test_models_pulled_at_once_fetch_what_they_share_once(registry, front, hostler, volume):
    there = registry()
    first = there.push("library/first:latest", make_model(size=6_000_000, seed=3))
    second = there.push("library/second:latest", make_model(share=first.layers[:1], projector=2_000_000))
    before = front(there)
    running = [hostler.start_pull(f"ollama:{name}", LIMIT, "4M", env=at(before))
               for name in ("first", "second", "first", "second")]
    for got in [child.finish() for child in running]:
        assert got.rc == 0, got.stderr
    assert store(volume) == expected({f"{HOME}/first/latest": first, f"{HOME}/second/latest": second})
    for blob in [*first.layers, *second.layers]:
        if blob.size > 1 << 20:     # smaller ones have no lease of their own
            assert before.bytes_sent(BLOBS + blob.hex) == blob.size
    assert leftovers(volume) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_kills_leave_nothing_wrong_and_nothing_behind(registry, front, hostler, volume, seed):
    there = registry()
    tiny = there.push("library/tiny:latest", make_model(size=5_000_000, projector=1_500_000))
    before, rng = front(there), random.Random(seed)
    for _ in range(8):
        child = hostler.start_pull("ollama:tiny", LIMIT, "12M", env=at(before))
        time.sleep(rng.uniform(0, 0.8))
        child.kill()
        assert_nothing_wrong(volume)
    got = hostler.pull("ollama:tiny", env=at(before))
    assert got.rc == 0, got.stderr
    assert_nothing_wrong(volume)
    assert store(volume) == expected({f"{HOME}/tiny/latest": tiny})
    # what a run left that was killed after its receipt was written goes with the next that holds the lease
    got = hostler.pull("ollama:tiny", "--force", env=at(before))
    assert got.rc == 0, got.stderr
    assert leftovers(volume) == []
