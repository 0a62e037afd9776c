"""A worker type whose models lie in two stores: the guide's own gpu-worker, from stand-ins that hold its names."""
import os

import pytest
from conftest import hostler_binary
from registry import expected, make_model, store
from volume import assert_complete

MISTRAL = "mistralai/Mistral-7B-Instruct-v0.2"
TAGS = {"llava": "7b", "llama3.2": "latest", "nomic-embed-text": "latest"}


@pytest.fixture
def origins(models, hub, registry):
    """the environment that leads to both, and what each store shall hold"""
    models.small(MISTRAL, weights=3_000_000, shards=3)
    there = registry()
    pushed = {f"registry.ollama.ai/library/{name}/{tag}": there.push(f"library/{name}:{tag}", make_model(2_000_000, seed=i))
              for i, (name, tag) in enumerate(TAGS.items())}
    env = {"HF_ENDPOINT": hub().url, "OLLAMA_REGISTRY": there.url}
    return env, models.files(MISTRAL), expected(pushed)


@pytest.mark.sanitize
def test_a_worker_type_fills_both_stores_and_the_next_start_asks_nobody(origins, hostler, volume):
    env, files, blobs = origins
    got = hostler.pull("gpu-worker", env=env)
    assert got.rc == 0, got.stderr
    assert "Done 4 models" in got.stderr
    assert_complete(volume, MISTRAL, files)
    assert store(volume) == blobs
    again = hostler.pull("gpu-worker", env={"HF_ENDPOINT": "http://127.0.0.1:9", "OLLAMA_REGISTRY": "http://127.0.0.1:9"})
    assert again.rc == 0, again.stderr
    assert "Done 4 models, nothing fetched" in again.stderr


def test_a_warm_start_of_both_stores_opens_no_socket_and_loads_no_library(origins, hostler, volume, tmp_path):
    env, _, _ = origins
    assert hostler.pull("gpu-worker", env=env).rc == 0
    trace = tmp_path / "trace"
    got = hostler.pull("gpu-worker", env=env, wrap=["strace", "-f", "-e", "trace=socket,openat", "-o", trace])
    assert got.rc == 0, got.stderr
    said = trace.read_text()
    assert "socket(" not in said
    assert not [line for line in said.splitlines() if any(name in line for name in ("libcurl", "libcrypto", "libjansson"))]


def test_the_guides_script_by_its_name_fills_both_stores(origins, hostler, volume, tmp_path):
    env, files, blobs = origins
    script = tmp_path / "download-models.sh"
    os.symlink(hostler_binary(), script)
    got = hostler("gpu-worker", argv0=str(script), env={**env, "MODEL_CACHE_DIR": volume})
    assert got.rc == 0, got.stderr
    assert "Downloading" in got.stdout
    assert_complete(volume, MISTRAL, files)
    assert store(volume) == blobs
