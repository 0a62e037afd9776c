"""What a volume holds, as its readers see it: for tests that kill, fill and break things."""
import hashlib
import os
import pathlib
import stat
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
