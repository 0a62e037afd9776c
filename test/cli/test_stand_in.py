"""The stand-in hub and the fixtures themselves: what later tests measure with must measure right."""
import json
import urllib.error
import urllib.request

import pytest
import safetensors.numpy
from conftest import sha256_of


def get(url, **headers):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
        return answer.status, answer.read()


def test_a_repo_is_listed_and_served_with_every_byte_counted(models, hub):
    models.small("org/tiny")
    origin = hub()
    sha = origin.commit("org/tiny")
    _, tree = get(f"{origin.url}/api/models/org/tiny/tree/{sha}?recursive=true")
    listed = {e["path"]: e["size"] for e in json.loads(tree)}
    assert listed == {name: p.stat().st_size for name, p in models.files("org/tiny").items()}

    origin.reset()
    for name, path in models.files("org/tiny").items():
        _, body = get(f"{origin.url}/org/tiny/resolve/{sha}/{name}")
        assert body == path.read_bytes()
    assert origin.bytes_sent("cdn") == models.bytes("org/tiny", lfs=True)
    assert origin.requests("cdn") == 1


def test_a_range_is_answered_with_its_bytes_alone(models, hub):
    models.small("org/tiny")
    origin = hub()
    origin.reset()
    status, body = get(f"{origin.url}/org/tiny/resolve/main/model.safetensors", Range="bytes=100-299")
    assert status == 206
    assert body == models.files("org/tiny")["model.safetensors"].read_bytes()[100:300]
    assert [(r["range"], r["sent"]) for r in origin.log("cdn")] == [("bytes=100-299", 200)]


def test_a_fault_strikes_as_often_as_it_was_told_to(models, hub):
    models.small("org/tiny")
    origin = hub()
    origin.fault("status", code=503, match="config.json", times=1)
    with pytest.raises(urllib.error.HTTPError, match="503"):
        get(f"{origin.url}/org/tiny/resolve/main/config.json")
    assert get(f"{origin.url}/org/tiny/resolve/main/config.json")[0] == 200
    assert origin.faults()[0]["hits"] == 1


def test_a_branch_can_move_to_other_files(models, hub, tmp_path):
    models.small("org/tiny")
    origin = hub()
    before = origin.commit("org/tiny")
    after = origin.move("org/tiny", "main", folder=models.small("org/tiny", seed=2, folder=tmp_path / "next"))
    assert after != before
    assert origin.commit("org/tiny") == after


def test_made_weights_are_opened_by_the_real_library(models):
    top = models.small("org/tiny", weights=200_000, shards=2)
    shards = sorted(top.glob("*.safetensors"))
    assert len(shards) == 2
    tensors = [safetensors.numpy.load_file(p)["weight"] for p in shards]
    assert all(p.stat().st_size == 100_000 for p in shards)
    assert sha256_of(shards[0]) != sha256_of(shards[1])
    assert tensors[0].size < 100_000
