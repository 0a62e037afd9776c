"""Volumes as network filesystems and poor ones show them, played by test/tools/oddfs.c: attributes that
come late, no links, no locks or locks that lie, a full disk that is told at close. Two mounts of one
folder are two hosts."""
import concurrent.futures
import os
import re
import signal
import subprocess

import pytest
from conftest import lock_environment, safetensors_bytes, sha256_of
from registry import expected, make_model, store
from volume import (assert_complete, assert_no_leftovers, assert_nothing_wrong, changes, claimed_bytes, everything,
                    hub_folder, visible, wait_until)

REPO = "org/model"
MIB = 1 << 20
KINDS = {
    "NFS": ["late=60", "no-fallocate", "locks=none"],
    "no locks": ["locks=missing"],
    "no symlinks": ["no-symlink"],
    "no links": ["no-symlink", "no-link", "no-fallocate"],
    "poor in all": ["late=60", "no-symlink", "no-link", "no-fallocate", "locks=missing"],
}


def pull(source, wanted, hostler, volume, host, *more, which=slice(None)):
    """which of the model's references: Ollama's model has two here, which share their large blobs"""
    return hostler.start_pull(*source.references(wanted, REPO)[which], "--takeover", "1s", *more, volume=volume,
                              **source.how({"HOSTLER_HOST": host}))


def assert_links_are_what_can_be(kind, place):
    """Ollama's links for people are files that hold a path where there are no links"""
    for link in (p for p in (place / "ollama/models").rglob("*") if not p.is_dir()):
        assert link.is_symlink() == ("no-symlink" not in KINDS[kind]), f"{kind}: {link}"


def test_any_filesystem_is_filled_and_found_filled_by_all_hosts(source, hostler, oddfs, tmp_path):
    wanted = source.make(REPO, weights=9_000_000, shards=2, seed=2)
    source.serve()
    folders = {kind: tmp_path / kind for kind in KINDS}
    for folder in folders.values():
        folder.mkdir()
    first = {kind: oddfs(folders[kind], *options) for kind, options in KINDS.items()}
    second = {kind: oddfs(folders[kind], *options) for kind, options in KINDS.items()}

    def play(kind):
        got = pull(source, wanted, hostler, first[kind], "one").finish()
        assert got.rc == 0, f"{kind}: {got.stderr}"

    with concurrent.futures.ThreadPoolExecutor(len(KINDS)) as pool:
        list(pool.map(play, KINDS))
    assert source.sent_large(REPO, wanted) == len(KINDS) * source.large(wanted)
    asked = source.asked()
    for kind, folder in folders.items():
        for place in (folder, first[kind], second[kind]):
            source.assert_complete(place, REPO, wanted)
            source.assert_no_files_left(place, REPO)
            assert_links_are_what_can_be(kind, place)
        for host, place in (("one", first[kind]), ("two", second[kind])):
            got = pull(source, wanted, hostler, place, host).finish()
            assert got.rc == 0 and " Complete " in got.stderr, f"{kind}, host {host}: {got.stderr}"
    assert source.asked() == asked


@pytest.mark.parametrize("kind", KINDS)
def test_two_hosts_fetch_each_byte_once(source, hostler, oddfs, volume, kind):
    """of Ollama two models that share their large blobs, each by half of the hosts"""
    wanted = source.make(REPO, weights=24_000_000, shards=2, seed=2)
    source.serve(rate=12_000_000)
    mounts = [oddfs(volume, *KINDS[kind]) for _ in range(2)]
    hosts = [pull(source, wanted, hostler, mounts[i % 2], f"host{i}", which=(slice(0, 1), slice(-1, None))[i // 3])
             for i in range(6)]
    for child in hosts:
        got = child.finish()
        assert got.rc == 0, got.stderr
    source.assert_complete(volume, REPO, wanted)
    source.assert_no_files_left(volume, REPO)
    assert source.sent_large(REPO, wanted) == source.large(wanted)


def test_a_host_that_looked_before_finds_what_another_has_fetched_since(source, hostler, oddfs, volume):
    """it remembers that nothing was there, and its mount goes on saying so"""
    wanted = source.make(REPO, weights=3_000_000, shards=2)
    source.serve()
    early, other = (oddfs(volume, *KINDS["NFS"]) for _ in range(2))
    assert pull(source, wanted, hostler, early, "early", "--dry-run").finish().rc == 0
    assert pull(source, wanted, hostler, early, "early", "--offline").finish().rc == 3
    assert pull(source, wanted, hostler, other, "other").finish().rc == 0
    before = source.sent_large(REPO, wanted)
    got = pull(source, wanted, hostler, early, "early").finish()
    assert got.rc == 0, got.stderr
    source.assert_complete(early, REPO, wanted)
    source.assert_no_files_left(volume, REPO)
    assert source.sent_large(REPO, wanted) == before


@pytest.mark.parametrize("kind", ["NFS", "poor in all"])
def test_a_host_that_died_is_taken_over_by_another(source, hostler, oddfs, volume, kind):
    """of Ollama by one that pulls another model, of the same blob"""
    wanted = source.make(REPO, weights=16_000_000, seed=2)
    source.serve(rate=1_000_000)
    first, second = (oddfs(volume, *KINDS[kind]) for _ in range(2))
    dead = pull(source, wanted, hostler, first, "dead", "-j", "2", which=slice(0, 1))
    wait_until(lambda: claimed_bytes(volume) > MIB)
    successor = pull(source, wanted, hostler, second, "next", which=slice(-1, None))
    successor.err.wait_for("dead", 20)
    dead.kill()
    source.hasten()
    got = successor.finish()
    assert got.rc == 0, got.stderr
    got = pull(source, wanted, hostler, oddfs(volume, *KINDS[kind]), "last").finish()
    assert got.rc == 0, got.stderr
    source.assert_complete(volume, REPO, wanted)
    source.assert_no_files_left(volume, REPO)
    assert source.sent(REPO) <= source.size(wanted) + 8 * MIB


def test_a_full_disk_that_is_told_late_publishes_nothing(source, hostler, oddfs, volume):
    wanted = source.make(REPO, weights=9_000_000, shards=2)
    source.serve()
    got = pull(source, wanted, hostler, oddfs(volume, "full=5000000", "locks=none"), "one").finish()
    assert got.rc == 7, got.stderr
    source.assert_nothing_wrong(volume, REPO, wanted)
    got = pull(source, wanted, hostler, oddfs(volume, "locks=none"), "two").finish()
    assert got.rc == 0, got.stderr
    source.assert_complete(volume, REPO, wanted)
    source.assert_no_files_left(volume, REPO)


# ------------------------------------------------------------------ filesystems that fold case

FOLDING = {"links": ["fold"], "no symlinks": ["fold", "no-symlink"], "no links": ["fold", "no-symlink", "no-link"]}


def pull_to(hostler, volume, origin, *more):
    return hostler.pull(f"hf:{REPO}", *more, hub=origin, volume=volume)


@pytest.mark.parametrize("kind", FOLDING)
def test_names_that_the_filesystem_takes_for_one_are_refused(models, hub, hostler, oddfs, volume, kind):
    models.small(REPO, more={"Model.safetensors": safetensors_bytes(1_000_000, 2)})
    wanted, origin, mount = models.files(REPO), hub(), oddfs(volume, *FOLDING[kind])
    folder = hub_folder(mount) / "models--org--model"

    def refused():
        got = pull_to(hostler, mount, origin)
        assert got.rc == 10, got.stderr
        assert (f"hf:{REPO}: {folder}: Model.safetensors and model.safetensors are two files of the model, and one name on "
                "this filesystem, which does not tell them apart (it folds case, or forms of Unicode)\n"
                "hint: pull to a volume on another filesystem, or leave one of them out: --exclude "
                "'model.safetensors'\n") in got.stderr
        assert_no_leftovers(mount, REPO)

    refused()
    assert visible(mount, REPO) == {} and not (folder / "refs" / "main").exists()
    got = pull_to(hostler, mount, origin, "--exclude", "model.safetensors")
    assert got.rc == 0, got.stderr
    assert_complete(mount, REPO, {name: path for name, path in wanted.items() if name != "model.safetensors"})
    before = everything(folder / "snapshots")
    refused()
    got = pull_to(hostler, mount, origin, "--exclude", "Model.safetensors")
    assert got.rc == 10 and "Model.safetensors and model.safetensors are two files" in got.stderr, got.stderr
    assert changes(before, everything(folder / "snapshots")) == []


def test_names_that_fold_are_no_matter_where_they_hold_the_same(models, hub, hostler, oddfs, volume):
    models.small(REPO, more={"Model.safetensors": safetensors_bytes(1_000_000, 1), "Sub/a.txt": "a", "sub/b.txt": "b"})
    mount, origin = oddfs(volume, "fold"), hub()
    for _ in range(2):
        got = pull_to(hostler, mount, origin)
        assert got.rc == 0, got.stderr
    assert " Complete " in got.stderr
    top = next((hub_folder(mount) / "models--org--model" / "snapshots").iterdir())
    for name, path in models.files(REPO).items():
        assert (top / name).read_bytes() == path.read_bytes(), name


def test_names_that_differ_only_in_case_are_two_files_elsewhere(models, hub, hostler, volume):
    models.small(REPO, more={"Model.safetensors": safetensors_bytes(1_000_000, 2)})
    got = pull_to(hostler, volume, hub())
    assert got.rc == 0, got.stderr
    assert_complete(volume, REPO, models.files(REPO))
    assert_no_leftovers(volume, REPO)


SPELLINGS = ("main", "Main", "Feature/x", "feature/y", "Feature/z")


@pytest.fixture
def spellings(models, hub, tmp_path):
    """the hub, each of SPELLINGS another revision of the same model there, and revision -> commit"""
    models.small(REPO)
    origin = hub()
    for seed, name in enumerate(SPELLINGS[1:], 2):
        origin.move(REPO, name, folder=models.small(REPO, seed=seed, folder=tmp_path / f"revision{seed}"))
    return origin, {name: origin.commit(REPO, name) for name in SPELLINGS}


def names_of_revisions(volume):
    refs = hub_folder(volume) / "models--org--model" / "refs"
    return {p.relative_to(refs).as_posix(): p.read_text() for p in refs.rglob("*") if p.is_file()}


def revision(name):
    return f"hf:{REPO}@{name}"


def test_names_of_revisions_that_the_filesystem_takes_for_one_are_not_mixed(spellings, hostler, oddfs, volume):
    origin, commits = spellings
    mount = oddfs(volume, "fold")
    folder = hub_folder(mount) / "models--org--model"
    for name, other in (("main", None), ("Main", "refs/main"), ("Feature/x", None), ("feature/y", "refs/Feature"),
                        ("feature/x", "refs/Feature"), ("Feature/z", None)):
        before, sent = everything(volume), origin.bytes_sent("cdn")
        got = hostler.pull(revision(name), hub=origin, volume=mount)
        if other is None:
            assert got.rc == 0, got.stderr
            continue
        assert got.rc == 10, f"{name}: {got.rc}\n{got.stderr}"
        assert (f"{folder}: the name of revision {name} leads to {other}, which is another's: this "
                "filesystem does not tell the two apart (it folds case, or forms of Unicode)\n"
                "hint: pull to a volume on another filesystem, or name the commit instead of the revision; or remove "
                f"{folder}/{other}, if it is needed no longer\n") in got.stderr
        assert changes(before, everything(volume)) == [] and origin.bytes_sent("cdn") == sent
        got = hostler.pull(revision(name), "--offline", "--dry-run", hub=origin, volume=mount)
        assert got.rc == 3, "another's file was read as its own"
    held = {name: commits[name] for name in ("main", "Feature/x", "Feature/z")}
    assert names_of_revisions(volume) == held
    assert hostler.pull(revision(commits["Main"]), hub=origin, volume=mount).rc == 0
    for name in held:
        got = hostler.pull(revision(name), "--offline", hub=origin, volume=mount)
        assert got.rc == 0 and " Complete " in got.stderr, got.stderr
    assert names_of_revisions(volume) == held


def test_names_of_revisions_that_differ_only_in_case_are_two_elsewhere(spellings, hostler, volume):
    origin, commits = spellings
    for name in SPELLINGS:
        assert hostler.pull(revision(name), hub=origin).rc == 0
    assert names_of_revisions(volume) == commits


def test_to_ollama_names_that_differ_in_case_are_one_on_any_filesystem(registry, front, hostler, oddfs, tmp_path):
    """two registries, since one holds no upper case, with another model under the same name of another case"""
    there, models = registry(), [make_model(size=300_000, seed=seed) for seed in (1, 2)]
    there.push("lib/x:latest", models[0])
    there.push("other/x:latest", models[1])
    renamed = front(there)
    for part in ("manifests/latest", *(f"blobs/sha256:{blob}" for blob in models[1].blobs)):
        renamed.say(f"^/v2/Lib/X/{part}", 307, {"Location": f"{there.url}/v2/other/x/{part}"}, times=None)
    for options in ((), ("fold",)):
        folder = tmp_path / f"volume{len(options)}"
        folder.mkdir()
        mount = oddfs(folder, *options)
        for name, url, model in (("lib/x", there.url, models[0]), ("Lib/X", renamed.url, models[1]),
                                 ("lib/x", there.url, models[0])):
            got = hostler.pull(f"ollama:{name}", "--update", volume=mount, env={"OLLAMA_REGISTRY": url})
            assert got.rc == 0, got.stderr
            held = store(mount)
            assert {path: data for path, data in held.items() if path.startswith("manifests/")} == {
                "manifests/registry.ollama.ai/lib/x/latest": model.manifest}
            assert expected({"registry.ollama.ai/lib/x/latest": model}).items() <= held.items()
            weights = mount / "ollama/models/lib+x/latest"
            assert os.readlink(weights) == f"../../blobs/sha256-{model.layers[0].hex}"
            got = hostler.pull(f"ollama:{name}", "--offline", volume=mount)
            assert got.rc == 0 and " Complete " in got.stderr, got.stderr


def test_to_ollama_tags_that_differ_in_case_are_one_on_any_filesystem(registry, hostler, oddfs, tmp_path):
    """a registry tells them apart; as with Ollama itself the one pulled last stands under the name pulled first"""
    there = registry()
    models = {tag: there.push(f"lib/x:{tag}", make_model(size=300_000, seed=seed)) for seed, tag in enumerate(("Q4", "q4"))}
    for options in ((), ("fold",)):
        folder = tmp_path / f"volume{len(options)}"
        folder.mkdir()
        mount = oddfs(folder, *options)
        for tag in ("Q4", "q4", "Q4", "q4"):
            got = hostler.pull(f"ollama:lib/x:{tag}", volume=mount, env={"OLLAMA_REGISTRY": there.url})
            assert got.rc == 0 and " Complete " not in got.stderr, got.stderr
            model, held = models[tag], store(mount)
            assert {path: data for path, data in held.items() if path.startswith("manifests/")} == {
                "manifests/registry.ollama.ai/lib/x/Q4": model.manifest}
            assert expected({"registry.ollama.ai/lib/x/Q4": model}).items() <= held.items()
            assert [p.name for p in (mount / "ollama/models/lib+x").iterdir()] == ["Q4"]
            assert os.readlink(mount / "ollama/models/lib+x/Q4") == f"../../blobs/sha256-{model.layers[0].hex}"
            got = hostler.pull(f"ollama:lib/x:{tag}", "--offline", volume=mount)
            assert got.rc == 0 and " Complete " in got.stderr, got.stderr


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
