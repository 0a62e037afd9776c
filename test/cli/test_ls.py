"""`hostler ls` and `hostler du`: what is on the volume, whoever wrote it. doc/commands.md is the promise."""
import hashlib
import json
import os
import re
import shutil
import time

import pytest
from conftest import ROOT, let_through
from registry import make_model
from volume import hub_folder, wait_until

pytestmark = pytest.mark.sanitize

REPO = "org/tiny"
HOUR_NS = 3600 * 10**9


def ls(hostler, volume, *args, rc=0, **how):
    got = hostler("ls", *args, "--volume", volume, **how)
    assert got.rc == rc, got.stderr
    return got


def document(hostler, volume, command="ls", *args, rc=0, **how):
    got = hostler(command, "--json", *args, "--volume", volume, **how)
    assert got.rc == rc, got.stderr
    return json.loads(got.stdout)


def rows(hostler, volume, *args, **how):
    """{(model, first name or None): its object}"""
    return {(m["model"], m["names"][0] if m["names"] else None): m
            for m in document(hostler, volume, "ls", *args, **how)["models"]}


def arrived(hostler, volume):
    """bytes of what is on its way, by the lease of who fetches it"""
    return sum(m["arriving"]["bytes"] for m in document(hostler, volume)["models"] if m["arriving"])


def age(folder, hours):
    """as if every blob in it had been read that long ago; what else stat tells of it stays"""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            os.utime(path, ns=(time.time_ns() - hours * HOUR_NS, path.stat().st_mtime_ns))


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class OllamaStore:
    """A store as Ollama itself writes it."""

    def __init__(self, root):
        self.root, self.blobs = root, root / "blobs"
        self.blobs.mkdir(parents=True)

    def blob(self, data):
        path = self.blobs / f"sha256-{sha256(data)}"
        path.write_bytes(data)
        return {"digest": f"sha256:{sha256(data)}", "size": len(data)}

    def add(self, name, weights, *more, host="registry.ollama.ai", space="library"):
        """name "llava:7b"; gives the manifest's ID"""
        model, tag = name.split(":")
        layers = [{"mediaType": "application/vnd.ollama.image.model", **self.blob(weights)}]
        layers += [{"mediaType": "application/vnd.ollama.image.license", **self.blob(m)} for m in more]
        config = {"mediaType": "application/vnd.docker.container.image.v1+json",
                  **self.blob(json.dumps({"model_format": "gguf", "of": name}).encode())}
        text = json.dumps({"schemaVersion": 2, "config": config, "layers": layers,
                           "mediaType": "application/vnd.docker.distribution.manifest.v2+json"})
        path = self.root / "manifests" / host / space / model / tag
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return sha256(text.encode())


@pytest.fixture
def ollama(volume):
    return OllamaStore(volume / "ollama")


# ------------------------------------------------------------------ what people see

def test_the_table_word_for_word(hub, models, hostler, volume, ollama):
    models.small(REPO, weights=1_000_000)
    assert hostler.pull(f"hf:{REPO}", hub=hub()).rc == 0
    commit = next((hub_folder(volume) / "models--org--tiny" / "snapshots").iterdir()).name
    llava = ollama.add("llava:7b", b"w" * 2_000_000, b"licence")
    llama = ollama.add("llama3.2:latest", b"v" * 300, b"licence")
    age(hub_folder(volume), 50)
    age(ollama.root, 3)
    size = sum(p.stat().st_size for p in (hub_folder(volume) / "models--org--tiny" / "blobs").iterdir())
    assert 1_000_000 <= size < 1_010_000
    assert ls(hostler, volume).stdout == (
        "MODEL            REVISION           SIZE  STATE     LAST USED\n"
        f"hf:org/tiny      main {commit[:7]}     1.0 MB  verified  2 days ago\n"
        f"ollama:llama3.2  {llama[:12]}      356 B  complete  3 hours ago\n"
        f"ollama:llava:7b  {llava[:12]}     2.0 MB  complete  3 hours ago\n"
        "\n3 models, 3.0 MB\n")


def test_an_empty_volume_has_no_models_and_a_missing_one_is_exit_2(hostler, volume):
    assert ls(hostler, volume).stdout == "MODEL  REVISION       SIZE  STATE  LAST USED\n\n0 models, 0 B\n"
    assert document(hostler, volume) == {"volume": str(volume), "bytes": 0, "models": [], "problems": []}
    assert hostler("du", "--volume", volume).stdout == "total: 0 B\n"
    for command in ("ls", "du"):
        got = hostler(command, "--volume", volume / "missing")
        assert (got.rc, got.stdout) == (2, "")
        assert got.stderr == (f"hostler: {volume}/missing: no such directory\n"
                              "hint: mount the volume there, or name another directory: --volume ~/models\n")


def test_words_choose_models_and_q_prints_what_pull_takes(hub, models, hostler, volume, ollama):
    for repo in (REPO, "org/other"):
        models.small(repo, weights=1000)
    assert hostler.pull("hf:org/tiny", "hf:org/other", hub=hub()).rc == 0
    ollama.add("llava:7b", b"1")
    ollama.add("llava:13b", b"2")
    ollama.add("tiny:latest", b"3", host="registry.example:5000", space="team")
    assert ls(hostler, volume, "-q").stdout.split() == [
        "hf:org/other", "hf:org/tiny", "ollama:llava:13b", "ollama:llava:7b", "ollama:registry.example:5000/team/tiny"]
    assert ls(hostler, volume, "-q", "org/tiny", "ollama:llava:7b").stdout.split() == ["hf:org/tiny", "ollama:llava:7b"]
    assert ls(hostler, volume, "-q", "ollama:llava").stdout.split() == ["ollama:llava:13b", "ollama:llava:7b"]
    assert ls(hostler, volume, "-q", "ollama:registry.example:5000/team/tiny").stdout.split() == [
        "ollama:registry.example:5000/team/tiny"]
    assert ls(hostler, volume, "-q", "hf:org/tiny@main").stdout == "hf:org/tiny\n"
    got = ls(hostler, volume, "-q", "hf:org/tiny@v9", rc=3)
    assert (got.stdout, got.stderr) == ("", f"hostler: hf:org/tiny@v9 is not on {volume}\n")
    stores = document(hostler, volume, "du", "org/tiny")["stores"]
    assert [m["model"] for store in stores for m in store["models"]] == ["hf:org/tiny"]


def shape(value):
    """keys and types; lists by what their first element is"""
    if isinstance(value, dict):
        return {k: shape(v) for k, v in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


@pytest.mark.parametrize("command", ["ls", "du"])
def test_the_documents_have_the_shape_that_the_page_shows(hub, models, hostler, volume, command):
    page = (ROOT / "doc/commands.md").read_text()
    shown = json.loads(re.search(rf"^`{command}`[^`]*```json\n(.*?)```", page, re.S | re.M).group(1))
    models.small(REPO, weights=4_000_000)
    if command == "ls":
        child = hostler.start_pull(f"hf:{REPO}", "--limit-rate", "200k", hub=hub(),
                                   env={"HOSTLER_HOST": "gpu-3"})
        wait_until(lambda: any(m["arriving"] and m["arriving"]["bps"] for m in document(hostler, volume)["models"]))
        (one,) = document(hostler, volume)["models"]
        child.kill()
        assert set(one) == set(shown["models"][0])
        assert shape(one["arriving"]) == shape(shown["models"][0]["arriving"])
    assert hostler.pull(f"hf:{REPO}", hub=hub()).rc == 0
    found = document(hostler, volume, command)
    if command == "ls":
        (one,) = found["models"]
        assert (one["why"], one["arriving"], one["in_use"]) == (None, None, [])
        one.update({k: shown["models"][0][k] for k in ("why", "arriving", "in_use")})
    found["problems"], shown["problems"] = [], []
    assert shape(found) == shape(shown)


# ------------------------------------------------------------------ caches that others wrote

def test_sizes_refs_and_states_are_those_of_the_client(hub, models, hostler, volume, tmp_path, reader):
    models.small(REPO, weights=500_000)
    models.small("org/two", weights=700_000, shards=3)
    second = models.small(REPO, weights=500_000, seed=1, folder=tmp_path / "v1",
                          more={"README.md": "another", "extra/deep/file.txt": "x"})
    origin = hub()
    origin.move(REPO, "v1.0", folder=second)
    for repo, revision in ((REPO, "main"), (REPO, "v1.0"), ("org/two", None)):
        reader.snapshot(repo, revision, hub=origin)
    scan = reader.scan()
    found = document(hostler, volume)
    assert found["bytes"] == scan["size_on_disk"]
    assert {(m["model"][3:], m["revision"], *m["names"], m["bytes"], m["files"]) for m in found["models"]} == {
        (repo, commit, *v["refs"], v["bytes"], len(v["files"]))
        for repo, revisions in scan["repos"].items() for commit, v in revisions.items()}
    assert {m["state"] for m in found["models"]} == {"complete"}
    used = hub_folder(volume) / "models--org--two" / "blobs"
    newest = max(int(p.stat().st_atime) for p in used.iterdir())
    shown = next(m["last_used"] for m in found["models"] if m["model"] == "hf:org/two")
    assert shown == time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(newest))


def test_a_snapshot_that_lacks_files_of_the_clients_listing_is_partial(hub, models, hostler, volume, new_reader):
    models.small(REPO, weights=5000)
    snapshot = new_reader.snapshot(REPO, hub=hub())
    (snapshot / "config.json").unlink()
    assert rows(hostler, volume)["hf:org/tiny", "main"]["why"] == "5 of 6 files"
    weights = (snapshot / "model.safetensors").resolve()
    weights.write_bytes(b"short")
    one = rows(hostler, volume)["hf:org/tiny", "main"]
    assert (one["state"], one["why"]) == ("damaged", "model.safetensors has 5 bytes of 5000")
    weights.unlink()
    assert rows(hostler, volume)["hf:org/tiny", "main"]["why"] == "4 of 6 files"
    assert "partial, 4 of 6 files" in ls(hostler, volume).stdout


def test_what_other_clients_leave_half_done_is_seen_without_a_listing(hub, models, hostler, volume, new_reader):
    models.small(REPO, weights=5000)
    snapshot = new_reader.snapshot(REPO, hub=hub())
    repo = snapshot.parents[1]
    shutil.rmtree(repo / "trees")
    assert rows(hostler, volume)["hf:org/tiny", "main"]["state"] == "complete"
    incomplete = repo / "blobs" / f"{'ab' * 32}.12345678.incomplete"
    incomplete.write_bytes(b"x" * 100_000)
    one = rows(hostler, volume)["hf:org/tiny", "main"]
    assert (one["state"], one["why"]) == ("partial", "another program has not ended its download")
    (store,) = document(hostler, volume, "du")["stores"]
    assert store["partial_bytes"] == store["models"][0]["partial_bytes"] == incomplete.stat().st_blocks * 512
    incomplete.unlink()
    (snapshot / "config.json").resolve().unlink()
    assert rows(hostler, volume)["hf:org/tiny", "main"]["why"] == "5 of 6 files"
    (repo / "refs" / "refs" / "pr").mkdir(parents=True)
    (repo / "refs" / "refs" / "pr" / "7").write_text("c" * 40)
    one = rows(hostler, volume)["hf:org/tiny", "refs/pr/7"]
    assert (one["state"], one["why"], one["revision"]) == ("partial", "no snapshot", "c" * 40)


def test_copies_without_links_and_absolute_links_are_complete_too(hub, models, hostler, volume, new_reader):
    models.small(REPO, weights=5000, more={"a/b/c.txt": "deep"})
    snapshot = new_reader.snapshot(REPO, hub=hub())
    for path in sorted(p for p in snapshot.rglob("*") if p.is_symlink()):
        target = path.resolve()
        path.unlink()
        path.symlink_to(target)
    one = rows(hostler, volume)["hf:org/tiny", "main"]
    assert (one["state"], one["files"]) == ("complete", 7)
    shutil.copytree(snapshot, snapshot.parent / "copy")
    shutil.rmtree(snapshot)
    (snapshot.parent / "copy").rename(snapshot)
    shutil.rmtree(snapshot.parents[1] / "blobs")
    assert rows(hostler, volume)["hf:org/tiny", "main"] == one | {
        "last_used": rows(hostler, volume)["hf:org/tiny", "main"]["last_used"]}


def test_blobs_in_the_clients_shared_store_count_once(hub, models, hostler, volume, new_reader):
    data = os.urandom(300_000)
    for repo in ("org/a", "org/b"):
        models.make(repo, {"config.json": repo, "model.safetensors": data})
        new_reader.snapshot(repo, hub=hub())
    xet, etag, top = "ab" + "cd" * 31, sha256(data), hub_folder(volume)
    (top / "blobs" / "ab").mkdir(parents=True)
    (top / "blobs" / ".huggingface-shared-blobs").write_text("1\n")
    (top / "blobs" / "ab" / xet).write_bytes(data)
    for repo in ("a", "b"):
        blob = top / f"models--org--{repo}" / "blobs" / etag
        blob.unlink()
        blob.symlink_to(f"../../blobs/ab/{xet}")
    found = document(hostler, volume)
    assert [(m["state"], m["bytes"]) for m in found["models"]] == [("complete", 300_005)] * 2
    assert found["bytes"] == 300_000 + 2 * 5
    (store,) = document(hostler, volume, "du")["stores"]
    once = (top / "blobs" / "ab" / xet).stat().st_blocks * 512
    assert [m["shared_bytes"] for m in store["models"]] == [once, once]
    assert (store["shared_bytes"], store["unused_bytes"]) == (once, 0)
    (top / "blobs" / ".huggingface-shared-blobs").unlink()
    assert {m["state"] for m in document(hostler, volume)["models"]} == {"damaged"}


# ------------------------------------------------------------------ ours

def test_du_is_what_the_disk_says(hub, models, hostler, volume, ollama):
    models.small(REPO, weights=500_000)
    assert hostler.pull(f"hf:{REPO}", hub=hub()).rc == 0
    top = hub_folder(volume)
    unused = top / "models--org--tiny" / "blobs" / ("e" * 64)
    unused.write_bytes(b"u" * 50_000)
    ollama.add("llava:7b", b"w" * 200_000, b"shared" * 10_000)
    ollama.add("llava:13b", b"v" * 100_000, b"shared" * 10_000)
    (ollama.blobs / f"sha256-{'a' * 64}-partial").write_bytes(b"p" * 30_000)
    (ollama.blobs / f"sha256-{'b' * 64}").write_bytes(b"o" * 20_000)

    def on_disk(*paths):
        files = {p.stat().st_ino: p.stat().st_blocks * 512 for q in paths for p in [q, *q.rglob("*")]
                 if p.is_file() and not p.is_symlink()}
        return sum(files.values())

    found = document(hostler, volume, "du")
    hf, other = found["stores"]
    assert (hf["store"], other["store"]) == ("hf_cache", "ollama_store")
    assert hf["disk_bytes"] == on_disk(top)
    assert hf["models"][0]["disk_bytes"] == on_disk(top / "models--org--tiny")
    assert hf["unused_bytes"] == hf["models"][0]["unused_bytes"] == on_disk(unused)
    assert other["disk_bytes"] == on_disk(ollama.root)
    shared = on_disk(ollama.blobs / f"sha256-{sha256(b'shared' * 10_000)}")
    assert other["shared_bytes"] == shared
    assert [m["shared_bytes"] for m in other["models"]] == [shared, shared]
    assert other["partial_bytes"] == on_disk(ollama.blobs / f"sha256-{'a' * 64}-partial")
    assert other["no_model"]["unused_bytes"] == on_disk(ollama.blobs / f"sha256-{'b' * 64}")
    models_and_rest = sum(m["disk_bytes"] for m in [*other["models"], other["no_model"]])
    assert models_and_rest - shared == other["disk_bytes"]
    assert found["disk_bytes"] == hf["disk_bytes"] + other["disk_bytes"]
    said = hostler("du", "--volume", volume).stdout
    assert re.sub(r"[\d.]+ GB free", "N free", said) == (
        f"{top}: {size(hf['disk_bytes'])}, N free\n"
        "  MODEL          ON DISK     SHARED    PARTIAL     UNUSED\n"
        + line("hf:org/tiny", hf["models"][0]) + line("(no model)", hf["no_model"], 11) +
        f"{ollama.root}: {size(other['disk_bytes'])}, N free\n"
        "  MODEL               ON DISK     SHARED    PARTIAL     UNUSED\n"
        + "".join(line(m["model"], m, 16) for m in other["models"]) + line("(no model)", other["no_model"], 16) +
        f"total: {size(found['disk_bytes'])}\n")


def size(n):
    for unit, step in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n >= step:
            return f"{n / step:.1f} {unit}" if n / step < 100 else f"{n / step:.0f} {unit}"
    return f"{n} B"


def line(name, sums, width=11):
    return f"  {name:{width}}  " + "  ".join(f"{size(sums[k]):>9}" for k in (
        "disk_bytes", "shared_bytes", "partial_bytes", "unused_bytes")) + "\n"


def test_a_download_is_shown_with_its_host_and_a_killed_one_with_what_it_left(hub, models, hostler, volume):
    models.small(REPO, weights=8_000_000)
    origin = hub("--rate", 300_000)
    child = hostler.start_pull(f"hf:{REPO}", "-j", "4", hub=origin, env={"HOSTLER_HOST": "gpu-3"})
    wait_until(lambda: arrived(hostler, volume) > 1_000_000)
    (one,) = document(hostler, volume)["models"]
    total = models.bytes(REPO)
    assert (one["model"], one["names"], one["revision"], one["state"]) == ("hf:org/tiny", ["main"], None, "downloading")
    assert (one["arriving"]["host"], one["arriving"]["total"]) == ("gpu-3", total)
    assert re.search(r"^hf:org/tiny  main  +0 B  downloading on gpu-3, \d\.\d MB of 8\.0 MB  -$",
                     ls(hostler, volume).stdout, re.M)
    child.kill()
    (one,) = document(hostler, volume)["models"]
    assert (one["state"], one["arriving"]["host"]) == ("partial", None)
    assert 1_000_000 < one["arriving"]["bytes"] < one["arriving"]["total"] <= total
    assert re.search(r"^hf:org/tiny  main  +0 B  partial, \d\.\d MB of 8\.0 MB  -$", ls(hostler, volume).stdout, re.M)
    (store,) = document(hostler, volume, "du")["stores"]
    assert store["partial_bytes"] >= 8_000_000
    origin.set(rate=0)
    assert hostler.pull(f"hf:{REPO}", hub=origin).rc == 0
    (one,) = document(hostler, volume)["models"]
    assert (one["state"], one["arriving"], one["bytes"]) == ("verified", None, total)


def test_verified_is_by_our_records_and_a_selection_is_whole(hub, models, hostler, volume):
    models.small(REPO, weights=5000, more={"pytorch_model.bin": "left out"})
    assert hostler.pull(f"hf:{REPO}", "--include", "*.json", hub=hub()).rc == 0
    one = rows(hostler, volume)["hf:org/tiny", "main"]
    assert (one["state"], one["files"]) == ("verified", 3)
    blob = next(p for p in (hub_folder(volume) / "models--org--tiny" / "snapshots").rglob("config.json")).resolve()
    os.utime(blob)                       # somebody wrote there
    assert rows(hostler, volume)["hf:org/tiny", "main"]["state"] == "complete"
    shutil.rmtree(volume / ".hostler")
    assert rows(hostler, volume)["hf:org/tiny", "main"]["state"] == "complete"


def test_two_revisions_share_blobs_and_main_comes_first(hub, models, hostler, volume, tmp_path):
    models.small(REPO, weights=500_000)
    other = models.small(REPO, weights=500_000, folder=tmp_path / "other", more={"README.md": "of a branch"})
    origin = hub()
    commit = origin.move(REPO, "a-branch", folder=other)
    for name in ("hf:org/tiny@a-branch", "hf:org/tiny", f"hf:org/tiny@{commit}"):
        assert hostler.pull(name, hub=origin).rc == 0
    found = document(hostler, volume)
    assert [m["names"] for m in found["models"]] == [["main"], ["a-branch"]]
    both = {p.name: p.stat().st_size for p in (hub_folder(volume) / "models--org--tiny" / "blobs").iterdir()}
    assert found["bytes"] == sum(both.values()) < sum(m["bytes"] for m in found["models"])
    assert {m["state"] for m in found["models"]} == {"verified"}
    assert len(ls(hostler, volume, f"hf:org/tiny@{commit}").stdout.splitlines()) == 2


# ------------------------------------------------------------------ Ollama

def test_an_ollama_model_is_judged_by_its_manifest(hostler, volume, ollama):
    identity = ollama.add("llava:7b", b"w" * 1000, b"licence")
    one = rows(hostler, volume)["ollama:llava:7b", None]
    assert (one["revision"], one["state"], one["files"], one["store"]) == (identity, "complete", 3, "ollama_store")
    blob = ollama.blobs / f"sha256-{sha256(b'w' * 1000)}"
    blob.write_bytes(b"w" * 999)
    assert rows(hostler, volume)["ollama:llava:7b", None]["why"] == "model has 999 bytes of 1000"
    blob.unlink()
    one = rows(hostler, volume)["ollama:llava:7b", None]
    assert (one["state"], one["why"]) == ("partial", "2 of 3 files")
    blob.symlink_to("/etc/passwd")
    one = rows(hostler, volume)["ollama:llava:7b", None]
    assert (one["state"], one["why"]) == ("damaged", "model is a link that leads astray, or no file")


def test_a_broken_manifest_is_damaged_and_harms_no_other(hostler, volume, ollama):
    ollama.add("good:latest", b"1")
    folder = ollama.root / "manifests" / "registry.ollama.ai" / "library" / "bad"
    folder.mkdir()
    (folder / "json").write_text("[" * 100_000)
    (folder / "large").write_bytes(b" " * (5 << 20))
    (folder / "link").symlink_to("../good/latest")
    (folder / "astray").symlink_to("/etc/passwd")
    (folder / "pipe").mkdir()
    os.mkfifo(folder / "fifo")
    found = {m["model"]: (m["state"], m["why"]) for m in document(hostler, volume)["models"]}
    assert found["ollama:good"] == ("complete", None)
    assert found["ollama:bad:json"][0] == found["ollama:bad:large"][0] == "damaged"
    assert found["ollama:bad:json"][1].startswith("its manifest is broken: ")
    assert found["ollama:bad:link"] == ("complete", None)      # within the store, where Ollama follows it
    assert found["ollama:bad:astray"] == ("damaged", "its manifest is a link that leads out of the store")
    assert len(found) == 5


def test_a_pulled_ollama_model_is_verified_and_one_on_its_way_names_itself(registry, hostler, volume):
    there = registry()
    tiny = there.push("library/tiny:latest", make_model(size=8_000_000, projector=2_000_000))
    total = sum(b.size for b in tiny.blobs.values())
    child = hostler.start_pull("ollama:tiny", "--limit-rate", "2M",
                               env={"OLLAMA_REGISTRY": there.url, "HOSTLER_HOST": "gpu-3"})
    wait_until(lambda: arrived(hostler, volume) > 2_000_000)
    (one,) = document(hostler, volume)["models"]
    assert (one["model"], one["state"], one["arriving"]["host"], one["arriving"]["total"]) == (
        "ollama:tiny", "downloading", "gpu-3", total)
    child.kill()
    (one,) = document(hostler, volume)["models"]
    assert (one["model"], one["state"], one["arriving"]["host"]) == ("ollama:tiny", "partial", None)
    assert 1_000_000 < one["arriving"]["bytes"] < one["arriving"]["total"] <= total
    assert re.search(r"^ollama:tiny  - +0 B  partial, \d\.\d MB of \d+\.\d MB  -$", ls(hostler, volume).stdout, re.M)
    (store,) = document(hostler, volume, "du")["stores"]
    assert store["models"][0]["partial_bytes"] >= one["arriving"]["total"]
    assert hostler.pull("ollama:tiny", env={"OLLAMA_REGISTRY": there.url}).rc == 0
    (one,) = document(hostler, volume)["models"]
    assert (one["state"], one["bytes"], one["files"], one["arriving"]) == ("verified", total, len(tiny.blobs), None)
    assert one["revision"] == sha256(tiny.manifest)
    assert document(hostler, volume, "du")["stores"][0]["partial_bytes"] == 0


# ------------------------------------------------------------------ hostile volumes

def test_names_with_controls_are_escaped_in_every_form(hostler, volume, ollama):
    folder = hub_folder(volume) / "models--org--a\n\x1b[2Jb"
    (folder / "snapshots" / ("a" * 40)).mkdir(parents=True)
    (folder / "snapshots" / ("a" * 40) / "x\x07y").symlink_to("/etc")
    (folder / "refs").mkdir()
    (folder / "refs" / "v\r1").write_text("a" * 40)
    ollama.add("x\x1b]0;owned\x07:latest", b"1")
    got = ls(hostler, volume)
    for stream in (got.stdout, got.stderr, hostler("du", "--volume", volume).stdout, ls(hostler, volume, "-q").stdout):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", stream)
    assert re.search(r"^hf:org/a\\n\\x1b\[2Jb +v\\r1 aaaaaaa ", got.stdout, re.M)
    assert r"damaged, x\x07y is a link that leads astray" in got.stdout
    assert "hf:org/a\n\x1b[2Jb" in {m["model"] for m in document(hostler, volume)["models"]}


def test_planted_links_lead_nowhere(hostler, volume, tmp_path):
    outside = tmp_path / "outside"
    for name in ("blobs", "refs", "snapshots", ".hostler"):
        (outside / name).mkdir(parents=True)
        (outside / name / "secret").write_text("a" * 40)
    top = hub_folder(volume)
    top.mkdir(parents=True)
    (top / "models--org--whole").symlink_to(outside)
    (top / "models--org--loop").symlink_to("models--org--loop")
    (top / "blobs").symlink_to(outside)
    for name in ("blobs", "refs", "snapshots", ".hostler"):
        repo = top / f"models--org--{name.strip('.')}"
        for part in {"blobs", "refs", "snapshots"} - {name}:
            (repo / part).mkdir(parents=True)
        (repo / name).symlink_to(outside / name)
    loops = top / "models--org--loops" / "snapshots" / ("a" * 40)
    loops.mkdir(parents=True)
    (loops / "again").symlink_to("..")
    (top / "models--org--loops" / "snapshots" / ("b" * 40)).symlink_to("a" * 40)
    (volume / "ollama").mkdir()
    for name in ("blobs", "manifests", ".hostler"):
        (volume / "ollama" / name).symlink_to(outside)
    found = document(hostler, volume)
    assert {(m["model"], m["state"], m["why"]) for m in found["models"]} == {
        ("hf:org/whole", "damaged", "its folder is a link, which is not followed"),
        ("hf:org/loop", "damaged", "its folder is a link, which is not followed"),
        ("hf:org/loops", "damaged", "again is a link that leads astray"),
        ("hf:org/loops", "damaged", "its snapshot is a link, which is not followed")}
    assert "secret" not in json.dumps(found)
    assert document(hostler, volume, "du")["disk_bytes"] == 0


def test_many_entries_and_deep_folders_are_listed_in_time(hostler, volume):
    repo = hub_folder(volume) / "models--org--many"
    snapshot = repo / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (repo / "blobs").mkdir()
    for i in range(10_000):
        (repo / "blobs" / f"{i:064x}").touch()
        (snapshot / f"{i}").symlink_to(f"../../blobs/{i:064x}")
    deep = snapshot
    for _ in range(70):
        deep = deep / "d"
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")
    got = hostler("ls", "--json", "--volume", volume, timeout=10)
    one = json.loads(got.stdout)["models"][0]
    assert (got.rc, one["files"]) == (0, 10_000)
    assert (one["state"], one["why"]) == ("damaged", "d/" * 64 + "d lies too deep")


def test_a_folder_that_may_not_be_read_is_told_and_the_rest_is_listed(root, hub, models, hostler, volume, ollama):
    for repo in (REPO, "org/shut", "org/blind"):
        models.small(repo, weights=1000)
        assert hostler.pull(f"hf:{repo}", hub=hub()).rc == 0
    ollama.add("llava:7b", b"1")
    top = hub_folder(volume)
    (top / "models--org--shut").chmod(0o700)
    (top / "models--org--blind" / "blobs").chmod(0o700)
    let_through(volume)
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    got = hostler("ls", "--volume", volume, wrap=as_nobody, env={"LOG_FILE": "/dev/null"})
    assert got.rc == 9
    assert re.sub(r"main [0-9a-f]{7}|[0-9a-f]{12}", "R", got.stdout) == (
        "MODEL            REVISION           SIZE  STATE       LAST USED\n"
        "hf:org/blind     R          -  unreadable  -\n"
        "hf:org/shut      -                     -  unreadable  -\n"
        "hf:org/tiny      R     1.2 kB  verified    now\n"
        "ollama:llava:7b  R       43 B  complete    now\n"
        "\n4 models, 1.3 kB\n")
    assert f"{top}/models--org--shut: cannot be opened: Permission denied" in got.stderr
    assert f"{top}/models--org--blind/blobs: cannot be listed: Permission denied" in got.stderr
    assert f"hostler: {volume}: 2 places could not be looked at, the rest is listed" in got.stderr


def test_without_a_listing_the_index_tells_of_a_shard_that_is_missing(hub, models, hostler, volume, new_reader):
    models.small(REPO, weights=900_000, shards=3)
    snapshot = new_reader.snapshot(REPO, hub=hub())
    shutil.rmtree(snapshot.parents[1] / "trees")
    assert document(hostler, volume)["models"][0]["state"] == "complete"
    (snapshot / "model-00002-of-00003.safetensors").unlink()
    (one,) = document(hostler, volume)["models"]
    count = len(models.files(REPO))
    assert (one["state"], one["why"]) == ("partial", f"{count - 1} of {count} files")
