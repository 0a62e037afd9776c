"""The real readers of the cache: huggingface_hub, the newest and one before its shared blob store, and the
libraries that open a model. What they need is in doc/huggingface-cache.md."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest
from conftest import ReaderError
from volume import assert_complete, assert_no_leftovers

REPO = "org/model"
FOLDER = "models--org--model"

# A client whose transfers by Xet give the bytes of a file; all before and after them is its own code.
XET_CODE = """
import json, shutil, sys
import huggingface_hub, huggingface_hub.file_download
source, arguments = json.load(sys.stdin)

def xet_get(*, incomplete_path, **more):
    shutil.copyfile(source, incomplete_path)
    print("by xet")

huggingface_hub.file_download.xet_get = xet_get
print(huggingface_hub.snapshot_download(**arguments))
"""


def download_by_xet(reader, hub, source, **arguments):
    """snapshot_download with Xet switched on: True if a file came by it"""
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "HF_ENDPOINT": hub.url,
           "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    done = subprocess.run([reader.python, "-c", XET_CODE], env=env, capture_output=True, text=True, timeout=120,
                          input=json.dumps([str(source), {k: str(v) for k, v in arguments.items()}]))
    assert done.returncode == 0, done.stderr
    return "by xet" in done.stdout


def assert_same(snapshot, wanted):
    """the snapshot folder holds exactly these files with these bytes"""
    found = {p.relative_to(snapshot).as_posix() for p in snapshot.rglob("*") if not p.is_dir()}
    assert found == set(wanted)
    for name, path in wanted.items():
        assert (snapshot / name).read_bytes() == path.read_bytes(), name


def downloads(hub):
    """the files that were asked for, by their last name"""
    return sorted({r["path"].split("?")[0].rsplit("/", 1)[-1] for r in hub.log() if "/resolve/" in r["path"]})


@pytest.fixture
def revisions(models, tmp_path, hub):
    """a hub with org/model at main, v1.0 and refs/pr/1, and {revision: its files}"""
    models.small(REPO, more={"1_Pooling/config.json": "{}", "empty.txt": ""})
    others = {}
    for seed, revision in ((2, "v1.0"), (3, "refs/pr/1")):
        folder = tmp_path / f"revision{seed}"
        models.small(REPO, seed=seed, folder=folder)
        others[revision] = folder
    origin = hub(*[arg for r, folder in others.items() for arg in ("--rev", f"{REPO}@{r}={folder}")])
    files = {r: models.files(REPO, folder) for r, folder in others.items()}
    return origin, {"main": models.files(REPO), **files}


def test_branch_tag_and_pull_request_load_offline(revisions, hostler, reader):
    origin, wanted = revisions
    for revision, files in wanted.items():
        got = hostler.pull(f"hf:{REPO}@{revision}", hub=origin)
        assert got.rc == 0, got.stderr
    for revision, files in wanted.items():
        assert_same(reader.snapshot(REPO, revision), files)
        for name in ("config.json", "model.safetensors"):
            where = reader.call("hf_hub_download", repo_id=REPO, filename=name, revision=revision, cache_dir=reader.cache)
            assert pathlib.Path(where).read_bytes() == files[name].read_bytes()
            assert reader.call("try_to_load_from_cache", repo_id=REPO, filename=name, revision=revision,
                               cache_dir=reader.cache) == where
    found = reader.scan()
    assert found["warnings"] == []
    refs = {ref: commit for commit, v in found["repos"][REPO].items() for ref in v["refs"]}
    assert refs == {r: origin.commit(REPO, r) for r in wanted}


def test_a_commit_of_a_whole_repo_loads_offline(revisions, hostler, reader):
    origin, wanted = revisions
    commit = origin.commit(REPO, "v1.0")
    got = hostler.pull(f"hf:{REPO}@{commit}", hub=origin)
    assert got.rc == 0, got.stderr
    assert_same(reader.snapshot(REPO, commit), wanted["v1.0"])
    assert not (reader.cache / FOLDER / "refs").exists()
    # The branch that leads there is a name that nobody asked for.
    with pytest.raises(ReaderError):
        reader.snapshot(REPO, "v1.0")
    # A repo that was pulled by its branch answers by commit too.
    assert hostler.pull(f"hf:{REPO}", hub=origin).rc == 0
    assert_same(reader.snapshot(REPO, origin.commit(REPO)), wanted["main"])
    assert reader.scan()["warnings"] == []


def test_a_commit_pulled_with_the_readers_own_patterns_loads_with_them(revisions, hostler, reader):
    origin, wanted = revisions
    commit = origin.commit(REPO)
    got = hostler.pull(f"hf:{REPO}@{commit}", "--include", "*.json", "--exclude", "tokenizer*", hub=origin)
    assert got.rc == 0, got.stderr
    patterns = {"allow_patterns": ["*.json"], "ignore_patterns": ["tokenizer*"]}
    some = {n: p for n, p in wanted["main"].items() if n.endswith(".json") and not n.startswith("tokenizer")}
    assert_same(reader.snapshot(REPO, commit, **patterns), some)
    with pytest.raises(ReaderError):        # and more than that it does not believe to be there
        reader.snapshot(REPO, commit)


def test_a_selection_by_branch_loads_without_patterns(models, hub, hostler, reader):
    """the default selection leaves the second weights format out: readers know no listing that would miss it"""
    models.small(REPO, more={"pytorch_model.bin": b"x" * 1000})
    origin = hub()
    got = hostler.pull(f"hf:{REPO}", hub=origin)
    assert got.rc == 0, got.stderr
    files = models.files(REPO)
    del files["pytorch_model.bin"]
    assert_same(reader.snapshot(REPO), files)
    assert reader.scan()["warnings"] == []


@pytest.mark.sanitize
def test_a_cache_that_a_reader_began_is_completed(models, hub, hostler, reader, volume):
    models.small(REPO)
    origin = hub()
    reader.snapshot(REPO, hub=origin, allow_patterns=["*.json"])
    origin.reset()
    got = hostler.pull(f"hf:{REPO}", hub=origin)
    assert got.rc == 0, got.stderr
    assert downloads(origin) == ["LICENSE", "README.md", "model.safetensors"]
    assert origin.bytes_sent("cdn") == models.bytes(REPO, lfs=True)
    assert_complete(volume, REPO, models.files(REPO))
    assert_no_leftovers(volume, REPO)
    assert_same(reader.snapshot(REPO), models.files(REPO))
    assert reader.scan()["warnings"] == []


def test_a_cache_that_a_reader_filled_is_hashed_and_not_fetched(models, hub, hostler, reader):
    models.small(REPO)
    origin = hub()
    reader.snapshot(REPO, hub=origin)
    origin.reset()
    got = hostler.pull(f"hf:{REPO}", hub=origin)
    assert got.rc == 0, got.stderr
    assert downloads(origin) == []
    # Its listing, readable by its own uid only, has been opened to the other users of the volume.
    listing = reader.cache / FOLDER / "trees" / f"{origin.commit(REPO)}.json"
    assert listing.stat().st_mode & 0o777 == 0o666 & ~current_umask()
    origin.reset()
    assert hostler.pull(f"hf:{REPO}", hub=origin).rc == 0
    assert origin.requests() == 0


def current_umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_damaged_file_of_a_readers_cache_is_fetched_again(models, hub, hostler, reader, volume):
    models.small(REPO)
    origin = hub()
    origin.fault("corrupt", port="cdn", after=1000)
    reader.snapshot(REPO, hub=origin)       # which does not notice
    origin.clear_faults()
    origin.reset()
    got = hostler.pull(f"hf:{REPO}", hub=origin)
    assert got.rc == 0, got.stderr
    assert "model.safetensors" in got.stderr
    assert downloads(origin) == ["model.safetensors"]
    assert_complete(volume, REPO, models.files(REPO))


def test_a_readers_cache_is_used_offline_without_a_receipt(models, hub, hostler, reader):
    models.small(REPO)
    origin = hub()
    reader.snapshot(REPO, hub=origin)
    origin.reset()
    got = hostler.pull(f"hf:{REPO}", "--offline", hub=origin)
    assert got.rc == 0, got.stderr
    assert origin.requests() == 0
    # and says what is missing where something is
    (reader.cache / FOLDER / "snapshots" / origin.commit(REPO) / "config.json").resolve().unlink()
    got = hostler.pull(f"hf:{REPO}", "--offline", hub=origin)
    assert got.rc == 3
    assert "config.json" in got.stderr
    assert origin.requests() == 0


def test_a_reader_completes_what_we_began_and_fetches_nothing_twice(models, hub, hostler, reader):
    models.small(REPO)
    origin = hub()
    assert hostler.pull(f"hf:{REPO}", "--include", "*.json", "--include", "*.md", hub=origin).rc == 0
    origin.reset()
    assert_same(reader.snapshot(REPO, hub=origin), models.files(REPO))
    assert downloads(origin) == ["LICENSE", "model.safetensors"]
    origin.reset()
    assert hostler.pull(f"hf:{REPO}", hub=origin).rc == 0
    assert downloads(origin) == []
    assert reader.scan()["warnings"] == []


def test_a_complete_model_costs_an_online_reader_one_request(models, hub, hostler, reader):
    models.small(REPO)
    origin = hub()
    assert hostler.pull(f"hf:{REPO}", hub=origin).rc == 0
    origin.reset()
    assert_same(reader.snapshot(REPO, hub=origin), models.files(REPO))
    assert origin.requests() == 1
    reader.snapshot(REPO, origin.commit(REPO), hub=origin)
    assert origin.requests() == 1


def test_plain_files_of_a_reader_without_links_are_used_where_they_are(models, hub, hostler, reader):
    models.small(REPO)
    origin = hub()
    snapshot = reader.snapshot(REPO, hub=origin, env={"HF_HUB_DISABLE_SYMLINKS": "1"})
    assert not (snapshot / "config.json").is_symlink()
    origin.reset()
    got = hostler.pull(f"hf:{REPO}", hub=origin)
    assert got.rc == 0, got.stderr
    assert downloads(origin) == []
    assert_same(reader.snapshot(REPO), models.files(REPO))
    origin.reset()
    assert hostler.pull(f"hf:{REPO}", hub=origin).rc == 0
    assert origin.requests() == 0


def test_a_copy_that_followed_all_links_is_used_and_not_fetched(models, hub, hostler, reader, volume):
    models.small(REPO)
    origin = hub()
    assert hostler.pull(f"hf:{REPO}", hub=origin).rc == 0
    top = reader.cache / FOLDER
    shutil.copytree(top / "snapshots", volume / "copied")
    shutil.rmtree(top)
    shutil.copytree(volume / "copied", top / "snapshots")
    origin.reset()
    got = hostler.pull(f"hf:{REPO}", hub=origin)
    assert got.rc == 0, got.stderr
    assert downloads(origin) == []
    assert_same(reader.snapshot(REPO), models.files(REPO))


# ------------------------------------------------------------------ views

def test_the_views_of_vllm_and_of_old_transformers_load(revisions, hostler, reader, volume):
    origin, wanted = revisions
    old = volume / "huggingface"
    got = hostler.pull(f"hf:{REPO}", hub=origin, env={"TRANSFORMERS_CACHE": old})
    assert got.rc == 0, got.stderr
    for root in (volume / "vllm", old):
        assert_same(reader.snapshot(REPO, cache_dir=root), wanted["main"])
    assert_same(volume / "vllm" / REPO, wanted["main"])
    # A volume that is mounted elsewhere: nothing in it names its own place.
    elsewhere = volume.rename(volume.with_name("elsewhere"))
    assert_same(elsewhere / "vllm" / REPO, wanted["main"])
    assert_same(reader.snapshot(REPO, cache_dir=elsewhere / "vllm"), wanted["main"])


@pytest.mark.parametrize("kept", [True, False], ids=["with our blobs link", "without"])
def test_a_reader_online_in_a_view_writes_plain_files_because_of_our_link(models, hub, hostler, new_reader, volume, kept):
    """vllm --download-dir online: without the link the client makes a shared store in the view root, and what it
    links there dangles in the hub cache"""
    models.small(REPO)
    origin = hub("--xet")
    weights = models.files(REPO)["model.safetensors"]
    assert hostler.pull(f"hf:{REPO}", "--include", "*.json", hub=origin).rc == 0
    view = volume / "vllm"
    if not kept:
        (view / "blobs").unlink()
    assert download_by_xet(new_reader, origin, weights, repo_id=REPO, cache_dir=view)
    blob = next((new_reader.cache / FOLDER / "blobs").glob("?" * 64))
    assert blob.is_symlink() != kept
    if not kept:
        assert not blob.exists(), "the client has changed: our link in the view root may be needless"
        return
    assert not (view / "blobs" / ".huggingface-shared-blobs").exists()
    assert_same(new_reader.snapshot(REPO), models.files(REPO))
    assert_same(new_reader.snapshot(REPO, cache_dir=view), models.files(REPO))


# ------------------------------------------------------------------ the shared blob store

def test_the_shared_blob_store_is_read_reused_and_respected(models, hub, hostler, new_reader):
    models.small(REPO)
    models.small("org/twin")
    origin = hub("--xet")
    weights = models.files(REPO)["model.safetensors"]
    assert download_by_xet(new_reader, origin, weights, repo_id=REPO, cache_dir=new_reader.cache)
    store = new_reader.cache / "blobs"
    blob = next((new_reader.cache / FOLDER / "blobs").glob("?" * 64))
    assert blob.is_symlink() and blob.exists()
    before = {p.relative_to(store): p.lstat().st_mtime_ns for p in store.rglob("*") if p.is_file()}
    origin.reset()
    for repo in (REPO, "org/twin"):
        got = hostler.pull(f"hf:{repo}", hub=origin)
        assert got.rc == 0, got.stderr
    assert origin.bytes_sent("cdn") == 0
    assert blob.is_symlink()
    assert {p.relative_to(store): p.lstat().st_mtime_ns for p in store.rglob("*") if p.is_file()} == before
    # Ours is a file of its own, which outlives the client's cleaning of what it links itself.
    twin = next((new_reader.cache / "models--org--twin" / "blobs").glob("?" * 64))
    assert not twin.is_symlink()
    for repo in (REPO, "org/twin"):
        assert_same(new_reader.snapshot(repo), models.files(repo))
    assert new_reader.scan()["warnings"] == []


def test_the_shared_blob_store_is_left_alone_where_it_is_switched_off(models, hub, hostler, new_reader):
    models.small(REPO)
    models.small("org/twin")
    origin = hub("--xet")
    weights = models.files(REPO)["model.safetensors"]
    assert download_by_xet(new_reader, origin, weights, repo_id=REPO, cache_dir=new_reader.cache)
    shutil.rmtree(new_reader.cache / FOLDER)        # so that it could come from nowhere else
    origin.reset()
    got = hostler.pull("hf:org/twin", hub=origin, env={"HF_HUB_DISABLE_SHARED_BLOBS": "1"})
    assert got.rc == 0, got.stderr
    assert origin.bytes_sent("cdn") == models.bytes("org/twin", lfs=True)


# ------------------------------------------------------------------ both at once

def test_a_reader_and_a_pull_at_the_same_moment_both_end_well(models, hub, hostler, reader, volume):
    models.small(REPO, weights=6_000_000, shards=3)
    origin = hub("--rate", 4_000_000)
    child = hostler.start_pull(f"hf:{REPO}", hub=origin)
    child.err.wait_for("Downloading", 20)
    assert_same(reader.snapshot(REPO, hub=origin), models.files(REPO))
    got = child.finish()
    assert got.rc == 0, got.stderr
    assert_complete(volume, REPO, models.files(REPO))
    assert_same(reader.snapshot(REPO), models.files(REPO))
    assert reader.scan()["warnings"] == []


# ------------------------------------------------------------------ a real model

def test_the_small_real_model_is_pulled_and_opened(minilm, hub, hostler, reader, volume):
    import safetensors.numpy
    import tokenizers

    repo = "sentence-transformers/all-MiniLM-L6-v2"
    origin = hub("--repo", f"{repo}={minilm}")
    got = hostler.pull(f"hf:{repo}", hub=origin)
    assert got.rc == 0, got.stderr
    snapshot = reader.snapshot(repo)
    assert snapshot == (volume / "vllm" / repo).resolve()
    tensors = safetensors.numpy.load_file(snapshot / "model.safetensors")
    assert tensors["embeddings.word_embeddings.weight"].shape == (30522, 384)
    tokens = tokenizers.Tokenizer.from_file(str(snapshot / "tokenizer.json")).encode("A hostler readies engines.")
    assert tokens.tokens[:2] == ["[CLS]", "a"]
    config = json.loads((snapshot / "config.json").read_text())
    assert config["hidden_size"] == 384
