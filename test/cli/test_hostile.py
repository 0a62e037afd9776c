"""Origins made to do harm: what a server may say, where a token goes, what a crash leaves.

Whatever it is, a pull ends soon, with a status that fits, and leaves the volume as it was. What may be planted
in a store is in test_planted.py.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading

import pytest
from test_hf_mirror import COMMIT, LFS, Origin, entry, hub_of, origin
from test_pull import let_through
from volume import changes, everything, wait_until

__all__ = ["origin"]        # the fixture
REPO = "org/model"
TOKEN = "hf_" + "s3cretThatNobodyElseMaySee"

# ------------------------------------------------------------------ said by an origin

def deep(levels):
    return "[" * levels + "]" * levels


def hub_that(revision=None, tree=None, resolve=None):
    """a hub of one model of which one answer is as given: (status, headers, body)"""
    listing = hub_of([entry(size=5, lfs=LFS)])

    def answer(path):
        for part, given in (("/revision/", revision), ("/tree/", tree), ("/resolve/", resolve)):
            if part in path and given is not None:
                return given
        return listing(path)

    return answer


def listed(*paths):
    return hub_of([entry(path) for path in paths])


# Whole answers. What comes at it, and the status that fits.
CONTROLS = [chr(i) for i in [*range(1, 32), 127, 128, 159]]
LONG = {"a segment of 256": "a" * 256, "5,000 characters": "a" * 5000, "5,000 in folders": "/".join(["a" * 99] * 50),
        "2,500 folders": "a/" * 2500 + "a"}
UPWARDS = ["..", "../x", "a/../../x", "a/..", "..\\x", "a\\..\\..\\x", "/x", "//x", "a//x", "./x", "a/./x", "a/", "C:/x", "c:x"]
ORIGINS = {
    **{f"the path {path!r}": (listed(path), 10) for path in UPWARDS},
    **{f"a name with the control {ord(c):#x}": (listed(f"a{c}b"), 10) for c in CONTROLS},
    **{name: (listed(path), 10) for name, path in LONG.items()},
    "a name with NUL": (listed("a\0b"), 5),
    "a name that is no UTF-8": (hub_of(json.dumps([entry("aXb")]).encode().replace(b"X", b"\xff")), 5),
    "half a surrogate": (hub_of(json.dumps([entry("aXb")]).replace("X", "\\ud800")), 5),
    "a file that is a folder too": (listed("a/b", "a"), 10),
    "a file that is a folder far off": (listed("a", *(f"m{i}" for i in range(500)), "a/b/c/d"), 10),
    "2,000,000 deep listing": (hub_of(deep(2_000_000)), 10),
    "2,000,000 deep revision": (hub_that(revision=(200, {}, deep(2_000_000))), 10),
    "2,000,000 open braces": (hub_of('{"a":' * 2_000_000), 10),
    "100 MB of listing": (hub_of(b"[" + b" " * 100_000_000 + b"]"), 10),
    "100 MB of revision": (hub_that(revision=(200, {}, b'{"sha":"' + b"0" * 100_000_000)), 10),
    "100 MB of a refusal": (hub_that(revision=(404, {"X-Error-Code": "RepoNotFound"}, b"x" * 100_000_000)), 10),
    "a commit that is a path": (hub_that(revision=(200, {}, json.dumps({"sha": "../../../../x"}))), 5),
    "a commit that is a longer one": (hub_that(revision=(200, {}, json.dumps({"sha": COMMIT + "/../x"}))), 5),
    "an ETag that is a path": (hub_that(resolve=(200, {"ETag": '"../../../../x"'}, "12345")), 6),
    "an X-Linked-ETag that is a path": (hub_that(resolve=(302, {"Location": "/bytes", "X-Linked-ETag": '"../../x"'}, "")), 3),
    "an id that is a path": (hub_of([entry(oid="../../../../x" + "0" * 27)]), 10),
    "a digest that is a path": (hub_of([entry(size=5, lfs={**LFS, "oid": "../" * 21 + "x"})]), 10),
    "an Xet hash that is a path": (hub_of([entry(size=5, lfs=LFS, xetHash="../" * 21 + "x")]), 3),
    "1,000,000 headers": (hub_that(revision=(200, {"X-A": ["b"] * 100_000}, "{}")), 10),
    "a header of 10 MB": (hub_that(revision=(200, {"X-A": "b" * 10_000_000}, "{}")), 10),
    "fewer bytes than were said": (hub_that(resolve=(200, {"Content-Length": 3}, "123")), 5),
    "more bytes than were said": (hub_that(resolve=(200, {"Content-Length": 6}, "123456")), 5),
    "other bytes of that size": (hub_that(resolve=(200, {}, "12345")), 6),
    "a range of another file": (hub_that(resolve=(206, {"Content-Range": "bytes 0-4/50"}, "12345")), 5),
    "a range beyond all": (hub_that(resolve=(206, {"Content-Range": f"bytes 0-4/{1 << 70}"}, "12345")), 5),
    "a length beyond all": (hub_that(resolve=(200, {"Content-Length": 1 << 70}, "12345")), 6),
    "a redirect to a file": (hub_that(resolve=(302, {"Location": "file:///etc/passwd"}, "")), 5),
    "a redirect to another scheme": (hub_that(revision=(302, {"Location": "gopher://127.0.0.1/x"}, "")), 10),
}


def test_what_an_origin_says_to_do_harm_is_refused_and_leaves_the_volume_as_it_was(hostler, hub, models, volume, tmp_path):
    """on a volume that holds another model, and this very one of another commit"""
    models.small("org/other", weights=2000)
    models.small("org/bad", weights=2000)
    real = hub()
    got = hostler.pull("hf:org/other", "hf:org/bad", hub=real)
    assert got.rc == 0, got.stderr
    before = everything(volume)

    def play(name):
        answer, _ = ORIGINS[name]
        bad = Origin(answer)
        try:
            return hostler.pull("hf:org/bad", "--update", "--give-up", "1s", "--first-byte", "5s", env={"HF_ENDPOINT": bad.url, "HF_TOKEN": TOKEN})
        finally:
            bad.close()

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        ended = dict(zip(ORIGINS, pool.map(play, ORIGINS)))
    wrong = [f"{name}: {got.rc}, not {ORIGINS[name][1]}, in {got.seconds:.1f} s: {got.stderr}"
             for name, got in ended.items() if got.rc != ORIGINS[name][1] or TOKEN in got.stderr or "\x1b" in got.stderr]
    assert not wrong, "\n".join(wrong)
    assert changes(before, everything(volume)) == []
    assert hostler.pull("hf:org/bad", hub=real).rc == 0
    assert changes(before, everything(volume)) == []


# ------------------------------------------------------------------ where a token goes

class Recorder:
    """Another host, which keeps every byte that it is sent and has nothing to give."""

    def __init__(self):
        self.heard = []
        self.listener = socket.create_server(("127.0.0.2", 0))
        self.host = f"127.0.0.2:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with peer:
                peer.settimeout(5)
                said = b""
                try:
                    while b"\r\n\r\n" not in said and (more := peer.recv(65536)):
                        said += more
                    peer.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                except OSError:
                    pass
                self.heard.append(said)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def recorder():
    one = Recorder()
    yield one
    one.close()


# {other} is the recorder, {hub} is where the token may go.
ELSEWHERE = ["http://{other}/x", "//{other}/x", "http://{hub}@{other}/x", "http://user:{hub}@{other}/x", "HTTP://{other}/x",
             "http:\\\\{other}/x", "/\\{other}/x", " http://{other}/x", "http://{other}\\@{hub}/x", "http://{other}#@{hub}/x",
             "http://{other}?@{hub}/x", "http:/{other}/x", "http:///{other}/x"]
PLACES = ["revision", "tree", "resolve", "bytes"]


@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_takes_no_token_to_another_host(hostler, recorder, tmp_path, status):
    def play(number):
        place, form = PLACES[number % len(PLACES)], ELSEWHERE[number // len(PLACES)]
        listing, hub = hub_of([entry(size=5, lfs=LFS)]), None

        def answer(path):
            if f"/{place}" in path:
                return status, {"Location": form.format(other=recorder.host, hub=hub.url.removeprefix("http://"))}, ""
            return (302, {"Location": "/bytes"}, "") if "/resolve/" in path else listing(path)

        hub, volume = Origin(answer), tmp_path / f"volume{number}"
        volume.mkdir()
        got = hostler.pull("hf:org/bad", "--give-up", "1s", "--json", "--debug", "all", volume=volume,
                           env={"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN})
        hub.close()
        return f"{place}, {form}: {got.stderr}", got, hub.asked

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        ended = list(pool.map(play, range(len(PLACES) * len(ELSEWHERE))))
    for what, got, asked in ended:
        assert got.rc in (3, 4, 5, 6, 10), what
        assert TOKEN not in got.stdout + got.stderr, what
        assert (asked[0][1] or "") == f"Bearer {TOKEN}", "the token's own host did not get it"
    assert len(recorder.heard) >= 2 * len(PLACES), "nobody was led to the other host"
    assert [said for said in recorder.heard if TOKEN.encode() in said or b"uthorization" in said] == []


def test_the_next_page_of_a_listing_is_asked_of_the_hub_alone(hostler, recorder, origin):
    links = {f"page{i}": form.format(other=recorder.host, hub="127.0.0.1") for i, form in enumerate(ELSEWHERE)}

    def tree_headers(path):
        number = int(re.search(r"cursor=(\d+)", path).group(1)) + 1 if "cursor=" in path else 0
        if f"page{number}" not in links:
            return {}
        return {"Link": f'<{links[f"page{number}"]}?cursor={number}>; rel="next"'}

    hub = origin(hub_of([], tree_headers))
    got = hostler.pull("hf:org/bad", env={"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN})
    assert got.rc in (3, 5), got.stderr
    assert len(hub.asked) > len(PLACES), "no next page was asked for"
    assert recorder.heard == []


# ------------------------------------------------------------------ what a crash leaves

@pytest.fixture
def slow_hub(hub, models):
    models.small(REPO, weights=6_000_000)
    return hub("--rate", 2_000_000, "--private", f"{REPO}:{TOKEN}")


def held_back(hostler, slow_hub, folder, **more):
    """a pull in the midst of its download, with the token in its environment and in its requests"""
    child = hostler.start_pull(f"hf:{REPO}", hub=slow_hub, cwd=folder, env={"HF_TOKEN": TOKEN, "LOG_FILE": "/dev/null"}, **more)
    wait_until(lambda: len(slow_hub.log("api", settle=False)) > 4)
    return child


def test_no_crash_leaves_a_token(hostler, slow_hub, tmp_path):
    """A core of a pull that holds one is not written; that of a program that does not is, and has its environment."""
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if not re.fullmatch(r"[\w.%-]+", pattern):
        pytest.skip(f"cores do not go to the working directory here, but to {pattern}")
    folder, control = tmp_path / "ours", tmp_path / "control"
    folder.mkdir()
    control.mkdir()
    all_of_it = ["prlimit", "--core=unlimited"]
    child = held_back(hostler, slow_hub, folder, wrap=all_of_it)
    child.signal(signal.SIGABRT)
    assert child.finish().rc == -signal.SIGABRT
    other = hostler.start("300", wrap=all_of_it, argv0="sleep", cwd=control, env={"HF_TOKEN": TOKEN})
    wait_until(lambda: pathlib.Path(f"/proc/{other.pid}/comm").read_text() == "sleep\n")
    other.signal(signal.SIGABRT)
    other.finish()
    cores = {where: [p for p in where.iterdir() if TOKEN.encode() in p.read_bytes()] for where in (folder, control)}
    assert len(cores[control]) == 1, "this machine writes no cores"
    assert cores[folder] == [] and list(folder.iterdir()) == []


def test_others_of_the_same_uid_cannot_look_into_a_pull_with_a_token(root, hostler, slow_hub, volume, tmp_path):
    os.chown(volume, 4711, 4711)
    let_through(volume)
    as_somebody = ["setpriv", "--reuid=4711", "--regid=4711", "--clear-groups"]
    child = held_back(hostler, slow_hub, "/", wrap=as_somebody)
    for file in ("environ", "mem", "maps"):
        done = subprocess.run([*as_somebody, "head", "-c", "1", f"/proc/{child.pid}/{file}"], capture_output=True, timeout=60)
        assert done.returncode != 0 and b"Permission denied" in done.stderr, file
    assert child.finish().rc == 0, "and it can still do its work"
