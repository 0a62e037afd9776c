"""What a volume holds, as its readers see it: for tests that kill, fill and break things."""
import hashlib
import os
import pathlib
import stat
import struct
import time

from conftest import SLOW, sha256_of


def hub_folder(volume):
    return pathlib.Path(volume) / "huggingface" / "hub"


def visible(volume, repo):
    """path -> file of each name that a reader can reach in any snapshot of the repo"""
    top = hub_folder(volume) / f"models--{repo.replace('/', '--')}" / "snapshots"
    return {p.relative_to(top).as_posix(): p for p in sorted(top.glob("*/**/*")) if not p.is_dir()}


def git_blob_id(path):
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def assert_nothing_wrong(volume, repo, wanted):
    """no reader-visible name has wrong bytes: snapshots, and every blob against its own name"""
    for name, path in visible(volume, repo).items():
        path_in_repo = name.split("/", 1)[1]
        assert path.exists(), f"{name} leads nowhere"
        assert path_in_repo in wanted, f"{name} is not a file of {repo}"
        assert path.read_bytes() == wanted[path_in_repo].read_bytes(), f"{name} has wrong bytes"
    for blob in hub_folder(volume).glob("models--*/blobs/*"):
        digest = sha256_of(blob) if len(blob.name) == 64 else git_blob_id(blob)
        assert digest == blob.name, f"{blob} is not what it is called"


def assert_complete(volume, repo, wanted):
    """one snapshot with every file of it, right to the last byte"""
    assert_nothing_wrong(volume, repo, wanted)
    assert {name.split("/", 1)[1] for name in visible(volume, repo)} == set(wanted)


def assert_no_leftovers(volume, repo):
    """no staging, journal, lease or temporary file is left of a finished pull"""
    private = hub_folder(volume) / f"models--{repo.replace('/', '--')}" / ".hostler"
    left = sorted(p.name for p in private.rglob("*")) if private.exists() else []
    receipts = pathlib.Path(volume) / ".hostler"
    left += sorted(p.name for p in receipts.rglob("tmp-*"))
    assert left == [], f"left behind: {left}"


def everything(top):
    """path -> kind, mode, bytes or link of all that lies beneath: to compare before and after"""
    found = {}
    for path in [top, *sorted(top.rglob("*"))]:
        st = path.lstat()
        what = {stat.S_IFLNK: lambda p: os.readlink(p), stat.S_IFREG: sha256_of}.get(stat.S_IFMT(st.st_mode))
        found[path.relative_to(top).as_posix()] = (oct(st.st_mode), what(path) if what else None)
    return found


def changes(before, after):
    """the paths that differ between two of everything()"""
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def wait_until(holds, timeout=20):
    """looks again and again until it holds"""
    end = time.monotonic() + timeout * SLOW
    while not holds():
        assert time.monotonic() < end, "what was waited for did not come"
        time.sleep(0.005)


def claimed_bytes(folder):
    """what the journals in a staging folder claim of the parts beside them (doc/volume.md, Journals)"""
    claimed = 0
    for journal in pathlib.Path(folder).glob("*.journal"):
        if journal.with_suffix(".part").exists():
            records = journal.read_bytes()[64:]
            spans = [struct.unpack_from("<QI", records, at) for at in range(0, len(records) - 23, 24)]
            claimed += sum(dict(spans).values())
    return claimed


class HuggingFace:
    """A source and its layout, for tests that run over each of SOURCES: `models.files(repo)` are what it serves."""
    name = "hf"
    assert_nothing_wrong = staticmethod(assert_nothing_wrong)
    assert_complete = staticmethod(assert_complete)
    assert_no_leftovers = staticmethod(assert_no_leftovers)

    @staticmethod
    def reference(repo):
        return f"hf:{repo}"

    @staticmethod
    def staging(volume, repo):
        return hub_folder(volume) / f"models--{repo.replace('/', '--')}" / ".hostler"

    @staticmethod
    def published_bytes(volume, repo):
        blobs = hub_folder(volume) / f"models--{repo.replace('/', '--')}" / "blobs"
        return sum(p.stat().st_size for p in blobs.glob("*") if "." not in p.name)

    @staticmethod
    def sent(origin, repo):
        """bytes of the repo's files that the origin gave to the network so far"""
        link = f"/{hashlib.md5(repo.encode()).hexdigest()[:24]}/"       # how the stand-in's CDN names a repo
        return sum(r["sent"] for r in origin.log(settle=False)
                   if r["port"] == "cdn" and link in r["path"]
                   or f"/{repo}/" in r["path"] and ("/resolve/" in r["path"] or "/resolve-cache/" in r["path"]))


SOURCES = [HuggingFace]
