"""What an operator sees of `hostler pull`: empty, complete, half full, moved, damaged, read-only, stopped."""
import json
import os
import re
import shutil
import signal
import stat
import subprocess

import pytest
from conftest import SLOW, let_through
from volume import assert_complete, assert_no_leftovers, claimed_bytes, hub_folder, visible, wait_until

REPO = "org/model"


def repo_folder(volume):
    return hub_folder(volume) / "models--org--model"


def blob_of(volume, path):
    (pointer,) = repo_folder(volume).glob(f"snapshots/*/{path}")
    return pointer.resolve()


@pytest.fixture
def filled(models, hub, hostler):
    """a hub with one small model that has been pulled; its counters are at zero"""
    models.small(REPO)
    origin = hub()
    got = hostler.pull(f"hf:{REPO}", hub=origin)
    assert got.rc == 0, got.stderr
    origin.reset()
    return origin


# ------------------------------------------------------------------ empty and complete

@pytest.mark.sanitize
def test_an_empty_volume_is_filled_with_each_byte_once(models, hub, hostler, volume):
    models.small(REPO, shards=3, more={"1_Pooling/config.json": "{}", "empty.txt": ""})
    origin = hub()
    got = hostler.pull(f"hf:{REPO}", hub=origin)
    assert got.rc == 0, got.stderr
    assert_complete(volume, REPO, models.files(REPO))
    assert_no_leftovers(volume, REPO)
    assert origin.bytes_sent("cdn") == models.bytes(REPO, lfs=True)
    assert not [r for r in origin.log() if r["method"] == "HEAD"]


@pytest.mark.sanitize
def test_the_second_start_asks_nobody_and_says_how_sure_it_is(filled, hostler):
    got = hostler.pull(f"hf:{REPO}", hub=filled)
    commit = filled.commit(REPO)
    assert got.rc == 0
    assert filled.requests() == 0
    assert f"revision {commit[:7]}, not checked for newer (--update)" in got.stderr


def test_update_asks_once_and_fetches_what_moved(models, filled, hostler, volume, tmp_path):
    same = hostler.pull(f"hf:{REPO}", "--update", hub=filled)
    assert same.rc == 0 and filled.requests() == 1
    newer = models.small(REPO, seed=2, folder=tmp_path / "newer")
    commit = filled.move(REPO, "main", folder=newer)
    assert hostler.pull(f"hf:{REPO}", hub=filled).rc == 0
    assert (repo_folder(volume) / "refs/main").read_text() != commit
    got = hostler.pull(f"hf:{REPO}", "--update", hub=filled)
    assert got.rc == 0, got.stderr
    assert (repo_folder(volume) / "refs/main").read_text() == commit
    names = {n.split("/", 1)[1] for n in visible(volume, REPO) if n.startswith(commit)}
    assert names == set(models.files(REPO, folder=newer))


def test_the_commit_of_a_branch_that_is_there_costs_no_request(filled, hostler, volume):
    commit = filled.commit(REPO)
    for _ in range(2):
        got = hostler.pull(f"hf:{REPO}@{commit}", hub=filled)
        assert got.rc == 0, got.stderr
    assert filled.requests() == 0
    assert (repo_folder(volume) / f"trees/{commit}.json").is_file()


def test_another_selection_costs_only_the_difference(models, hub, hostler, volume):
    models.small(REPO, more={"pytorch_model.bin": os.urandom(50_000), "extra/notes.txt": "notes"})
    origin = hub()
    assert hostler.pull(f"hf:{REPO}", "--include", "*.json", hub=origin).rc == 0
    assert not list(repo_folder(volume).glob("snapshots/*/*.safetensors"))
    before = origin.bytes_sent("cdn")
    assert before == 0
    assert hostler.pull(f"hf:{REPO}", hub=origin).rc == 0
    weights = models.files(REPO)["model.safetensors"].stat().st_size
    assert origin.bytes_sent("cdn") == weights
    origin.reset()
    assert hostler.pull(f"hf:{REPO}", "--all-files", hub=origin).rc == 0
    assert origin.bytes_sent("cdn") == 50_000
    assert [r for r in origin.log("api") if "/revision/" in r["path"] or "/tree/" in r["path"]] == []
    assert_complete(volume, REPO, models.files(REPO))
    origin.reset()
    for args in ([], ["--include", "*.json"], ["--all-files"]):
        assert hostler.pull(f"hf:{REPO}", *args, hub=origin).rc == 0
    assert origin.requests() == 0


def test_the_default_selection_leaves_out_second_copies_of_the_weights(models, hub, hostler, volume):
    models.small(REPO, more={"pytorch_model.bin": os.urandom(5000), "onnx/model.onnx": os.urandom(5000),
                             "2_Dense/pytorch_model.bin": os.urandom(5000)})
    assert hostler.pull(f"hf:{REPO}", hub=hub()).rc == 0
    names = {n.split("/", 1)[1] for n in visible(volume, REPO)}
    assert names == set(models.files(REPO)) - {"pytorch_model.bin", "onnx/model.onnx"}


def test_force_fetches_again_and_replaces_by_rename(models, filled, hostler, volume):
    before = blob_of(volume, "model.safetensors").stat().st_ino
    assert hostler.pull(f"hf:{REPO}", "--force", hub=filled).rc == 0
    assert filled.bytes_sent("cdn") == models.bytes(REPO, lfs=True)
    assert blob_of(volume, "model.safetensors").stat().st_ino != before
    assert_complete(volume, REPO, models.files(REPO))


def test_revisions_of_all_kinds_are_pulled_and_named(models, hub, hostler, volume, tmp_path):
    models.small(REPO)
    origin = hub()
    folder = models.small(REPO, seed=9, folder=tmp_path / "other")
    commit = origin.move(REPO, "refs/pr/1", folder=folder)
    origin.move(REPO, "v1.0", folder=folder)
    for revision in ("refs/pr/1", "v1.0", commit):
        got = hostler.pull(f"hf:{REPO}@{revision}", hub=origin)
        assert got.rc == 0, got.stderr
    assert (repo_folder(volume) / "refs/refs/pr/1").read_bytes() == commit.encode()
    assert (repo_folder(volume) / "refs/v1.0").read_bytes() == commit.encode()
    assert not (repo_folder(volume) / f"refs/{commit}").exists()
    assert origin.bytes_sent("cdn") == folder.joinpath("model.safetensors").stat().st_size


# ------------------------------------------------------------------ half full, moved, damaged

def test_a_file_that_two_models_share_is_fetched_once(models, hub, hostler, volume):
    models.small(REPO, weights=2_000_000)
    models.small("org/copy", weights=2_000_000, more={"only/here.txt": "here"})
    origin = hub()
    assert hostler.pull(f"hf:{REPO}", hub=origin).rc == 0
    assert hostler.pull("hf:org/copy", hub=origin).rc == 0
    assert origin.bytes_sent("cdn") == models.bytes(REPO, lfs=True)
    assert_complete(volume, "org/copy", models.files("org/copy"))


def test_a_volume_that_was_copied_elsewhere_is_hashed_once_and_nothing_is_fetched(models, filled, hostler, volume, tmp_path):
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-R", str(volume), str(copy)], check=True)
    first = hostler.pull(f"hf:{REPO}", hub=filled, volume=copy)
    assert first.rc == 0, first.stderr
    assert filled.bytes_sent() == 0
    filled.reset()
    again = hostler.pull(f"hf:{REPO}", "--json", hub=filled, volume=copy)
    assert [e["event"] for e in again.events()] == ["present", "done"]
    assert_complete(copy, REPO, models.files(REPO))


@pytest.mark.sanitize
@pytest.mark.parametrize("damage", ["flipped", "cut", "gone", "emptied"])
def test_a_damaged_blob_is_found_and_fetched_again(models, filled, hostler, volume, damage):
    blob = blob_of(volume, "model.safetensors")
    data = bytearray(blob.read_bytes())
    data[1000] ^= 1
    blob.unlink()
    if damage == "flipped":
        blob.write_bytes(data)
    elif damage == "cut":
        blob.write_bytes(data[:5000])
    elif damage == "emptied":
        blob.touch()
    got = hostler.pull(f"hf:{REPO}", hub=filled)
    assert got.rc == 0, got.stderr
    assert filled.bytes_sent("cdn") == models.bytes(REPO, lfs=True)
    assert_complete(volume, REPO, models.files(REPO))


def test_views_that_somebody_broke_are_mended_without_the_network(filled, hostler, volume):
    for link in ("vllm/models--org--model", "vllm/org/model", "vllm/blobs"):
        (volume / link).unlink()
    (volume / "vllm/org/model").symlink_to("nowhere")
    got = hostler.pull(f"hf:{REPO}", hub=filled)
    assert got.rc == 0, got.stderr
    assert filled.requests() == 0
    assert (volume / "vllm/org/model/config.json").is_file()
    assert (volume / "vllm/models--org--model/refs/main").is_file()
    assert os.readlink(volume / "vllm/blobs") == "../huggingface/hub/blobs"


def test_a_model_that_was_removed_by_hand_comes_back(models, filled, hostler, volume):
    shutil.rmtree(repo_folder(volume))
    got = hostler.pull(f"hf:{REPO}", hub=filled)
    assert got.rc == 0, got.stderr
    assert_complete(volume, REPO, models.files(REPO))


def test_links_are_relative_so_that_the_volume_can_be_mounted_anywhere(filled, volume, tmp_path):
    moved = tmp_path / "elsewhere"
    volume.rename(moved)
    for link in moved.rglob("*"):
        if link.is_symlink():
            assert not os.readlink(link).startswith("/"), link
    assert (moved / "vllm/org/model/model.safetensors").is_file()


# ------------------------------------------------------------------ offline, read-only, odd volumes

@pytest.mark.sanitize
def test_offline_says_exactly_what_is_missing(models, filled, hostler, volume):
    blob_of(volume, "model.safetensors").unlink()
    got = hostler.pull(f"hf:{REPO}", "--offline", hub=filled)
    assert got.rc == 3
    assert "1 of its files are not on" in got.stderr and "model.safetensors" in got.stderr
    assert filled.requests() == 0
    unknown = hostler.pull("hf:org/unknown", env={"HF_HUB_OFFLINE": "1"}, hub=filled)
    assert unknown.rc == 3
    assert re.search(r"hostler: hf:org/unknown is not on the volume \S+, and we are offline\n"
                     r"hint: pull it once with a network", unknown.stderr), unknown.stderr
    assert filled.requests() == 0


def test_a_volume_that_cannot_be_written_serves_what_is_complete(root, filled, hostler, volume):
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    let_through(volume)
    got = hostler.pull(f"hf:{REPO}", hub=filled, wrap=as_nobody, env={"LOG_FILE": "/dev/null"})
    assert got.rc == 0, got.stderr
    assert f"{volume} cannot be written" in got.stderr
    missing = hostler.pull("hf:org/other", hub=filled, wrap=as_nobody, env={"LOG_FILE": "/dev/null"})
    assert missing.rc == 4, missing.stderr
    blob_of(volume, "model.safetensors").unlink()
    got = hostler.pull(f"hf:{REPO}", hub=filled, wrap=as_nobody, env={"LOG_FILE": "/dev/null"})
    assert got.rc == 9, got.stderr
    line, hint = re.search(r"^hostler: (.*)\nhint: (.*)$", got.stderr, re.M).groups()
    assert line == (f"hf:{REPO}: {volume}: cannot be written, and 1 of its files are missing there: Permission denied "
                    "(uid 65534; owned by root:root, mode 0755)")
    assert hint == f"sudo chown -R 65534:65534 {volume}, or run as uid 0"


def test_any_uid_without_a_home_can_fill_a_volume_of_its_own(root, models, hub, hostler, tmp_path):
    models.small(REPO)
    mine = tmp_path / "mine"
    mine.mkdir()
    os.chown(mine, 4711, 4711)
    let_through(mine)
    got = hostler.pull(f"hf:{REPO}", hub=hub(), volume=mine, env={"LOG_FILE": "/dev/null"},
                       wrap=["setpriv", "--reuid=4711", "--regid=4711", "--clear-groups"])
    assert got.rc == 0, got.stderr
    assert_complete(mine, REPO, models.files(REPO))
    assert {p.lstat().st_uid for p in mine.rglob("*")} == {4711}


def test_new_folders_take_group_and_mode_from_the_volume_s_root(root, models, hub, hostler, volume):
    models.small(REPO)
    os.chown(volume, -1, 4242)
    volume.chmod(0o2775)
    assert hostler.pull(f"hf:{REPO}", hub=hub()).rc == 0
    for folder in [p for p in volume.rglob("*") if p.is_dir() and not p.is_symlink()]:
        st = folder.stat()
        assert st.st_gid == 4242 and stat.S_IMODE(st.st_mode) == 0o2775, f"{folder} {oct(st.st_mode)} {st.st_gid}"


def test_a_volume_on_tmpfs_is_warned_of_at_every_pull(models, hub, hostler, tmpfs):
    models.small(REPO)
    origin = hub()
    got = hostler.pull(f"hf:{REPO}", hub=origin, wrap=[*tmpfs("size=64M"), "sh", "-c", '"$@"; "$@"', "sh"])
    assert got.rc == 0, got.stderr
    assert got.stderr.count("is on tmpfs: nothing on it will survive") == 2


def test_two_stores_elsewhere_are_used_where_their_variables_say(models, hub, hostler, volume, tmp_path):
    models.small(REPO)
    env = {"MODEL_CACHE_DIR": volume, "HF_HUB_CACHE": tmp_path / "hub", "VLLM_CACHE": tmp_path / "vllm"}
    got = hostler("pull", f"hf:{REPO}", hub=hub(), env=env)
    assert got.rc == 0, got.stderr
    assert (tmp_path / "hub/models--org--model/refs/main").is_file()
    assert (tmp_path / "vllm/org/model/model.safetensors").is_file()
    assert hostler("pull", f"hf:{REPO}", "--offline", env=env).rc == 0


def test_the_transformers_cache_gets_a_view(models, hub, hostler, volume):
    models.small(REPO)
    env = {"MODEL_CACHE_DIR": volume, "TRANSFORMERS_CACHE": volume / "huggingface"}
    assert hostler("pull", f"hf:{REPO}", hub=hub(), env=env).rc == 0
    assert (volume / "huggingface/models--org--model/refs/main").is_file()


# ------------------------------------------------------------------ what people and programs see

def test_several_models_go_on_when_one_fails_and_the_first_named_decides(models, hub, registry, hostler, volume):
    models.small(REPO)
    origin = hub("--gated", "org/gated")
    models.small("org/gated")
    origin.control("rescan", {})
    env = {"OLLAMA_REGISTRY": registry().url}
    got = hostler.pull("hf:org/nothere", f"hf:{REPO}", "ollama:llava:7b", hub=origin, env=env)
    assert got.rc == 4
    assert_complete(volume, REPO, models.files(REPO))
    assert "Done 1 of 3 models" in got.stderr
    assert hostler.pull("ollama:llava:7b", "hf:org/nothere", hub=origin, env=env).rc == 3


def test_a_dry_run_tells_all_and_changes_nothing(models, hub, hostler, volume):
    models.small(REPO)
    origin = hub()
    got = hostler.pull(f"hf:{REPO}", "--dry-run", hub=origin)
    assert got.rc == 0, got.stderr
    assert re.search(r"model\.safetensors +1\.0[0-9]* MB +to fetch", got.stdout), got.stdout
    assert "fits" in got.stdout and "access: yes" in got.stdout
    assert list(volume.iterdir()) == []
    assert hostler.pull(f"hf:{REPO}", "--dry-run", hub=origin, volume=volume / "not/there").rc == 0
    assert list(volume.iterdir()) == []
    assert origin.bytes_sent("cdn") <= 1
    document = json.loads(hostler.pull(f"hf:{REPO}", "--dry-run", "--json", hub=origin).stdout)
    assert document["models"][0]["missing_bytes"] == models.bytes(REPO)


def test_a_dry_run_says_that_we_may_not(models, hub, hostler):
    models.small("org/gated")
    got = hostler.pull("hf:org/gated", "--dry-run", hub=hub("--gated", "org/gated"))
    assert got.rc == 4
    assert "org/gated" in got.stderr and "HF_TOKEN" in got.stderr


def test_what_did_not_come_is_not_shown_as_come(models, hub, hostler):
    models.small(REPO)
    origin = hub()
    origin.fault("status", code=404, match="model.safetensors", times=-1, port="api")
    got = hostler.pull(f"hf:{REPO}", "--json", hub=origin)
    assert got.rc == 3
    assert all(e["bytes"] < 1_000_000 for e in got.events("progress"))


@pytest.mark.sanitize
@pytest.mark.parametrize("number,status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_within_a_second_and_leaves_all_for_the_next(models, hub, hostler, volume, number, status):
    models.small(REPO, weights=12_000_000)
    origin = hub("--rate", 1_000_000)
    child = hostler.start_pull(f"hf:{REPO}", "-j", "2", hub=origin)
    wait_until(lambda: any(p.stat().st_size > 100 for p in repo_folder(volume).glob(".hostler/*.journal")))
    child.signal(number)
    child.process.wait(1 * SLOW)
    got = child.finish()
    assert got.rc == status, got.stderr
    left = {p.suffix for p in (repo_folder(volume) / ".hostler").iterdir()}
    assert left == {".part", ".journal"}, "the lease is given up, staging stays"
    origin.set(rate=None)
    origin.reset()
    assert hostler.pull(f"hf:{REPO}", hub=origin).rc == 0
    assert origin.bytes_sent("cdn") < models.bytes(REPO, lfs=True)
    assert_complete(volume, REPO, models.files(REPO))


def test_a_signal_ends_a_wait_for_another_within_a_second(models, hub, hostler):
    models.small(REPO, weights=8_000_000)
    origin = hub("--rate", 500_000)
    leader = hostler.start_pull(f"hf:{REPO}", "-j", "2", hub=origin, env={"HOSTLER_HOST": "leader"})
    leader.err.wait_for("Downloading", 20)
    waiter = hostler.start_pull(f"hf:{REPO}", "-j", "2", hub=origin)
    waiter.err.wait_for("leader", 20)
    waiter.signal(signal.SIGTERM)
    waiter.process.wait(1 * SLOW)
    assert waiter.finish().rc == 143
    leader.signal(signal.SIGTERM)
    assert leader.finish().rc == 143


def test_waiting_has_an_end_when_it_is_given_one(models, hub, hostler):
    models.small(REPO, weights=8_000_000)
    origin = hub("--rate", 500_000)
    leader = hostler.start_pull(f"hf:{REPO}", "-j", "2", hub=origin, env={"HOSTLER_HOST": "leader"})
    leader.err.wait_for("Downloading", 20)
    got = hostler.pull(f"hf:{REPO}", "--wait", "1s", hub=origin)
    assert got.rc == 8
    assert re.search(r"hf:org/model: waited 1 s for leader, which is not done yet", got.stderr), got.stderr


def test_wait_for_others_never_fetches(models, hub, hostler, volume):
    models.small(REPO)
    origin = hub()
    waiter = hostler.start_pull(f"hf:{REPO}", "--wait-for-others", hub=origin)
    waiter.err.wait_for(r"hf:org/model", 20)
    assert origin.requests() == 0
    assert hostler.pull(f"hf:{REPO}", hub=origin).rc == 0
    asked = origin.requests()
    assert waiter.finish().rc == 0
    assert origin.requests() == asked
    alone = hostler.pull("hf:org/none", "--wait-for-others", "--wait", "1s", hub=origin)
    assert alone.rc == 8


def test_limit_rate_keeps_to_it(models, hub, hostler):
    models.small(REPO, weights=4_000_000)
    got = hostler.pull(f"hf:{REPO}", "--limit-rate", "2M", hub=hub())
    assert got.rc == 0
    assert got.seconds >= 1.5


def test_nothing_is_left_running_or_lying_about(filled, hostler, volume):
    child = hostler.start_pull(f"hf:{REPO}", "--force", hub=filled, start_new_session=True)
    group = os.getpgid(child.pid)
    assert child.finish().rc == 0
    with pytest.raises(ProcessLookupError):
        os.killpg(group, 0)
    assert_no_leftovers(volume, REPO)
    assert [p.name for p in hostler.folder.iterdir()] == ["log"]


def test_a_volume_that_is_moved_meanwhile_is_not_called_filled(models, hub, hostler, volume):
    models.small(REPO, weights=3_000_000)
    origin = hub()
    origin.fault(action="throttle", rate=200_000, port="cdn", times=-1)
    child = hostler.start_pull(f"hf:{REPO}", hub=origin)
    child.err.wait_for("Downloading", 30)
    volume.rename(volume.with_name("moved"))
    volume.mkdir()
    origin.clear_faults()
    got = child.finish()
    assert got.rc == 9, got.stderr
    assert (f"hostler: {volume} is not the directory any more that was filled: it was moved, removed or unmounted "
            "meanwhile\nhint: mount the volume there again, and pull again\n") in got.stderr


def test_a_volume_that_is_removed_meanwhile_is_told_with_a_way_out(source, hostler, volume):
    wanted = source.make("org/m", weights=12_000_000, shards=3)
    source.serve(rate=500_000, sndbuf=65536)
    child = hostler.start_pull(*source.references(wanted, "org/m"), **source.how())
    wait_until(lambda: claimed_bytes(volume) > 0)
    shutil.rmtree(volume)
    source.hasten()
    got = child.finish()
    assert got.rc == 9, got.stderr
    assert ("hint: it was moved, removed or unmounted meanwhile: mount the volume there again, and pull again\n"
            in got.stderr), got.stderr
    assert not volume.exists()


def test_a_model_larger_than_the_disk_is_refused_before_the_first_byte(models, hub, hostler, tmpfs):
    models.small(REPO, weights=20_000_000)
    origin = hub()
    got = hostler.pull(f"hf:{REPO}", hub=origin, wrap=tmpfs("size=8M"))
    assert got.rc == 7, got.stderr
    assert re.search(r"hf:org/model needs 20\.0 MB more on \S+, where 8\.[0-9]+ MB are free \(filesystem\)\nhint: ",
                     got.stderr), got.stderr
    assert origin.bytes_sent("cdn") == 0


def test_a_model_that_would_leave_nothing_to_spare_is_refused_and_that_is_said(models, hub, hostler, tmpfs):
    models.small(REPO, weights=8_000_000)
    origin = hub()
    got = hostler.pull(f"hf:{REPO}", hub=origin, wrap=tmpfs("size=8M"))
    assert got.rc == 7, got.stderr
    assert re.search(r"hf:org/model needs 8\.0 MB more on \S+/huggingface/hub and a little to spare, where 8\.[0-9]+ MB are free "
                     r"\(filesystem\)\nhint: free space there, use a larger volume, or leave files out \(--exclude\)\n",
                     got.stderr), got.stderr
    assert origin.bytes_sent("cdn") == 0
