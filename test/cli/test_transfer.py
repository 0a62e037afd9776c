"""The transfer engine by itself (build/test/tools/fetch): origins odder than the stand-in hub can be,
resuming, the rate, few buffers. The faults that the hub knows are in test_faults.py, by the program."""
import dataclasses
import hashlib
import json
import os
import pathlib
import random
import re
import signal
import socket
import ssl
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from conftest import SLOW, Running, hostler_binary, sha256_of

MIB = 1 << 20
FETCH = pathlib.Path(hostler_binary()).parent / "test" / "tools" / "fetch"
PATIENCE = {"give_up_ms": 1500, "first_byte_ms": 700, "stall_ms": 700, "connect_ms": 1000}


@dataclasses.dataclass
class Fetched:
    files: dict       # name -> its line
    totals: dict
    said: str         # stderr
    folder: pathlib.Path

    def ok(self):
        return all(f["ok"] for f in self.files.values())

    def message(self):
        return " | ".join(f'{f.get("message", "ok")} ({f.get("hint", "")})' for f in self.files.values())


class Fetch:
    """Runs the driver on the files of a hub's repo."""

    def __init__(self, folder):
        self.folder = folder

    def files(self, origin, repo="org/m"):
        url = f"{origin.url}/api/models/{repo}/tree/main?recursive=true"
        with urllib.request.urlopen(url, context=ssl._create_unverified_context()) as answer:
            tree = json.load(answer)
        return [f'{origin.url}/{repo}/resolve/main/{e["path"]} {e["size"]} '
                f'{e.get("lfs", {}).get("oid") or e["oid"]} {e["path"]}' for e in tree]

    def start(self, lines, env=None, **options):
        argv = [str(FETCH)]
        for name, value in {**PATIENCE, **options}.items():
            argv += ["-o", f"{name}={value}"]
        given = self.folder / "list"
        given.write_text("".join(line + "\n" for line in lines))
        argv = ["sh", "-c", 'exec "$@" <"$0"', str(given), *argv, str(self.folder / "out")]
        clean = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        return Running(argv, {**clean, **(env or {})})

    def result(self, child, timeout=60):
        got = child.finish(timeout)
        lines = [json.loads(line) for line in got.stdout.splitlines()]
        files = {line["name"]: line for line in lines if "name" in line}
        return Fetched(files, lines[-1] if lines else {}, got.stderr, self.folder / "out")

    def __call__(self, lines, env=None, **options):
        return self.result(self.start(lines, env, **options))


@pytest.fixture
def fetch(tmp_path):
    return Fetch(tmp_path)


def right(got, lines):
    """every file of the list is there with its digest"""
    for line in lines:
        _, size, digest, name = line.split(" ")
        path = got.folder / name
        assert path.stat().st_size == int(size)
        if len(digest) == 64:
            assert sha256_of(path) == digest
        else:
            content = path.read_bytes()
            assert hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() == digest


@pytest.fixture
def served(hub):
    """a hub with one file of 8 MiB"""
    return hub("--synth", "org/m:model.safetensors=8M,1")


class Odd(ThreadingHTTPServer):
    """One file of random bytes, served as oddly as a test wants: `serve` is asked for each request."""
    daemon_threads = True

    def __init__(self, size, serve):
        super().__init__(("127.0.0.1", 0), OddHandler)
        self.content, self.serve = random.Random(7).randbytes(size), serve
        self.seen, self.parallel, self.lock = [], 0, threading.Lock()
        self.thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def line(self, name="file.bin"):
        digest = hashlib.sha256(self.content).hexdigest()
        return f"http://127.0.0.1:{self.server_port}/{name} {len(self.content)} {digest} {name}"


class OddHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        with self.server.lock:
            self.server.seen.append((self.path, dict(self.headers)))
            self.server.parallel += 1
            parallel = self.server.parallel
        try:
            self.server.serve(self, len(self.server.seen), parallel)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with self.server.lock:
                self.server.parallel -= 1

    def send(self, status, body=b"", headers=(), cut=None):
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if cut is None else body[:cut])
        if cut is not None:
            self.close_connection = True

    def send_range(self, **more):
        first, last = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"]).groups()
        whole = self.server.content
        first, end = int(first), int(last) + 1 if last else len(whole)
        self.send(206, whole[first:end], [("Content-Range", f"bytes {first}-{end - 1}/{len(whole)}")], **more)


@pytest.fixture
def odd():
    running = []

    def start(size, serve):
        running.append(Odd(size, serve))
        return running[-1]

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def test_a_stream_without_ranges_that_is_cut_goes_on_behind_what_is_there(odd, fetch):
    def serve(request, number, parallel):
        request.send(200, request.server.content, cut=3 * MIB * number if number < 3 else None)

    server = odd(8 * MIB, serve)
    got = fetch([server.line()])
    assert got.ok(), got.message()
    right(got, [server.line()])
    assert len(server.seen) == 3


def test_a_host_that_lets_one_connection_through_gets_one_stream(odd, fetch):
    def serve(request, number, parallel):
        if parallel > 1:
            request.send(403)
        elif "Range" in request.headers:
            time.sleep(0.05)
            request.send_range()
        else:
            request.send(200, request.server.content)

    def entry(request, number, parallel):
        request.send(302, headers=[("Location", f"http://127.0.0.1:{server.server_port}/signed?n={number}")])

    server = odd(24 * MIB, serve)
    hub = odd(1, entry)
    line = f"http://127.0.0.1:{hub.server_port}/f " + server.line().partition(" ")[2]
    got = fetch([line])
    assert got.ok(), got.message()
    right(got, [line])


def test_the_token_stays_with_its_origin(odd, fetch):
    def bytes_(request, number, parallel):
        if "Authorization" in request.headers:
            return request.send(400)
        request.send_range() if "Range" in request.headers else request.send(200, request.server.content)

    def entry(request, number, parallel):
        if request.headers.get("Authorization") != "Bearer secret":
            return request.send(401)
        if request.path == "/f":
            return request.send(307, headers=[("Location", "/renamed")])
        request.send(302, headers=[("Location", f"http://localhost:{server.server_port}/signed")])

    server = odd(5 * MIB, bytes_)
    hub = odd(1, entry)
    line = f"http://127.0.0.1:{hub.server_port}/f " + server.line().partition(" ")[2]
    got = fetch([line], auth="Bearer secret")
    assert got.ok(), got.message()
    assert [path for path, _ in hub.seen] == ["/f", "/renamed"]
    assert server.seen and all("Authorization" not in headers for _, headers in server.seen)
    assert all(headers["Accept-Encoding"] == "identity" for _, headers in server.seen + hub.seen)


def test_a_redirect_that_comes_home_from_elsewhere_does_not_bring_the_token_back(odd, fetch):
    def entry(request, number, parallel):
        if request.path == "/f":
            return request.send(302, headers=[("Location", f"http://localhost:{away.server_port}/x")])
        request.send(200, request.server.content)

    def back(request, number, parallel):
        request.send(302, headers=[("Location", f"http://127.0.0.1:{hub.server_port}/home")])

    hub = odd(1000, entry)
    away = odd(1, back)
    got = fetch([hub.line("f")], auth="Bearer secret")
    assert got.ok(), got.message()
    assert [h.get("Authorization") for _, h in hub.seen] == ["Bearer secret", None]
    assert [h.get("Authorization") for _, h in away.seen] == [None]


def test_redirects_without_an_end_are_counted(odd, fetch):
    def entry(request, number, parallel):
        request.send(302, headers=[("Location", f"/{number}")])

    hub = odd(1000, entry)
    got = fetch([hub.line()])
    assert got.files["file.bin"]["code"] == 5
    assert "the redirects do not end" in got.message()
    assert len(hub.seen) == 11


@pytest.mark.parametrize("location", [None, "ftp://127.0.0.1/x", "http://[::1", "http://user@127.0.0.1/x"])
def test_a_redirect_to_nowhere_is_final(location, odd, fetch):
    hub = odd(1000, lambda request, number, parallel:
              request.send(302, headers=[("Location", location)] if location else []))
    got = fetch([hub.line()])
    assert "it redirects without a proper address" in got.message()
    assert len(hub.seen) == 1


def test_plain_http_beyond_loopback_is_refused_before_anything_is_asked(odd, fetch):
    hub = odd(1000, lambda request, number, parallel:
              request.send(302, headers=[("Location", "http://example.com/x")]))
    got = fetch([hub.line()])
    assert got.files["file.bin"]["code"] == 5
    assert re.search(r"example\.com would be asked by plain http .*--insecure-http example\.com", got.message())


def test_a_size_that_the_origin_denies_is_named(odd, fetch):
    def serve(request, number, parallel):
        request.send(416, headers=[("Content-Range", f"bytes */{3 * MIB}")])

    server = odd(8 * MIB, serve)
    got = fetch([server.line()])
    assert "the file is 3145728 bytes there, 8388608 in the listing" in got.message()
    assert len(server.seen) == 2


def test_a_whole_file_of_another_size_is_named(odd, fetch):
    server = odd(1000, lambda request, number, parallel: request.send(200, b"x" * 999))
    got = fetch([server.line()])
    assert "wrong total: the file is 999 bytes there, 1000 in the listing" in got.message()
    assert len(server.seen) == 2


@pytest.mark.parametrize("header", ["", "bytes", "bytes 0-5/*", "bytes 5-2/8388608", "bytes 0-99999999/99999999",
                                    "lines 0-1/2"])
def test_a_part_without_a_proper_content_range_is_not_taken(header, odd, fetch):
    def serve(request, number, parallel):
        request.send(206, b"y" * 4096, [("Content-Range", header)] if header else [])

    server = odd(8 * MIB, serve)
    got = fetch([server.line()])
    assert not got.ok()
    assert got.totals["received"] <= 4 * 4096


def test_headers_without_end_are_refused(odd, fetch):
    def serve(request, number, parallel):
        request.send(200, request.server.content, [(f"X-{i}", "x" * 1000) for i in range(90)])

    server = odd(1000, serve)
    got = fetch([server.line()])
    assert "its headers are longer than they may be" in got.message()


def test_nobody_listens(fetch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    got = fetch([f"http://127.0.0.1:{port}/x 1000 {'0' * 64} x"])
    assert got.files["x"]["code"] == 5
    assert re.search(r"127\.0\.0\.1:\d+: cannot connect: Connection refused; no progress for 1s", got.message())


def test_a_name_that_does_not_resolve(fetch):
    got = fetch([f"https://no-such-host.invalid/x 1000 {'0' * 64} x"])
    assert got.files["x"]["code"] == 5
    assert re.search(r"no-such-host\.invalid: the name does not resolve", got.message())


def test_a_certificate_that_does_not_verify_is_final_and_names_its_issuer(hub, certificates, fetch):
    origin = hub("--synth", "org/m:model.safetensors=1M,1", "--tls-cert", certificates / "server.pem",
                 "--tls-key", certificates / "server.key")
    got = fetch([f"{origin.url}/org/m/resolve/main/model.safetensors 1048576 {'0' * 64} x"], give_up_ms=30000)
    assert got.files["x"]["code"] == 5
    assert re.search(r"does not verify.*issued by .*Test Authority.*HOSTLER_EXTRA_CA", got.message())
    assert got.totals["seconds"] < 5 * SLOW


def test_a_certificate_of_a_named_authority_is_fine(hub, certificates, fetch):
    origin = hub("--synth", "org/m:model.safetensors=1M,1", "--tls-cert", certificates / "server.pem",
                 "--tls-key", certificates / "server.key")
    lines = fetch.files(origin)
    got = fetch(lines, ca_file=certificates / "ca.pem")
    assert got.ok(), got.message()
    right(got, lines)


def test_a_proxy_that_wants_credentials_is_named_without_them(proxy, served, fetch):
    lines = fetch.files(served)
    asking = proxy("--credentials", "me:word")
    got = fetch(lines, env={"http_proxy": asking.url.replace("://", "://me:wrong@")})
    assert got.files["model.safetensors"]["code"] == 5
    assert re.search(r"the proxy that http_proxy names wants credentials \(407\)", got.message())
    assert "wrong" not in got.message()
    got = fetch(lines, env={"http_proxy": asking.url.replace("://", "://me:word@")})
    assert got.ok(), got.message()


def test_a_second_run_fetches_only_what_is_missing(served, fetch):
    lines = fetch.files(served)
    served.set(rate=4_000_000)
    child = fetch.start(lines)
    served_enough(served, 3 * MIB)
    child.signal(signal.SIGTERM)
    first = fetch.result(child)
    assert first.files["model.safetensors"]["code"] == 130
    assert first.totals["seconds"] < 20 * SLOW
    served.set(rate=None)
    second = fetch(lines)
    assert second.ok(), second.message()
    right(second, lines)
    assert first.totals["received"] + second.totals["received"] <= 8 * MIB + 65536
    assert second.totals["received"] < 6 * MIB


def served_enough(origin, least):
    """waits until the hub has sent so many bytes of bodies"""
    deadline = time.monotonic() + 30 * SLOW
    while origin.control("state")["totals"]["cdn"]["bytes"] < least:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_staged_bytes_that_were_changed_are_fetched_again(served, fetch):
    lines = fetch.files(served)
    kept = 3 * MIB
    served.fault("close", abs=1, after=kept, port="cdn", times=-1)      # no byte of the file behind that comes
    first = fetch(lines)
    assert not first.ok()
    assert first.totals["received"] == kept
    served.clear_faults()
    with open(first.folder / "model.safetensors", "r+b") as staged:
        staged.seek(300_000)
        staged.write(b"not what was written")
    second = fetch(lines)
    assert second.ok(), second.message()
    right(second, lines)
    assert 8 * MIB - kept < second.totals["received"] <= 8 * MIB - kept + 256 * 1024


def test_the_rate_is_kept(served, fetch):
    lines = fetch.files(served)
    got = fetch(lines, limit_rate_bps=4_000_000)
    assert got.ok(), got.message()
    assert 8 * MIB / 4_000_000 * 0.9 < got.totals["seconds"] < 8 * MIB / 4_000_000 * 1.5 * SLOW


def test_few_buffers_are_enough(hub, fetch):
    origin = hub(*(f"--synth=org/m:{i}.safetensors=4M,{i}" for i in range(6)))
    lines = fetch.files(origin)
    got = fetch(lines, buffer_bytes=1)
    assert got.ok(), got.message()
    right(got, lines)


def test_a_late_range_stops_nobody(served, fetch):
    lines = fetch.files(served)
    served.fault("throttle", rate=200_000, port="cdn", times=1)
    got = fetch(lines, buffer_bytes=2 * MIB)
    assert got.ok(), got.message()
    right(got, lines)


class Moody:
    """Answers of which every third is bad in some way, but of one file never more than two in a row: whether it
    comes in the end does not hang on luck, nor on how fast this machine is."""
    KINDS = ["fine"] * 6 + ["cut", "reset", "503", "403", "whole", "range"]
    PATIENCE = {"give_up_ms": 600_000, "first_byte_ms": 60_000, "stall_ms": 60_000, "connect_ms": 60_000}

    def __init__(self, seed):
        self.dice, self.bad, self.lock = random.Random(seed), 0, threading.Lock()

    def next(self, kinds):
        with self.lock:
            kind = self.dice.choice(kinds) if self.bad < 2 else "fine"
            self.bad = 0 if kind == "fine" else self.bad + 1
            return kind, self.dice.random()

    def bytes(self, request, number, parallel):
        whole, headers = request.server.content, request.headers
        kind, where = self.next(self.KINDS)
        if kind == "503":
            return request.send(503)
        if kind == "403" and "Range" in headers:
            return request.send(403)
        if kind == "reset":
            request.close_connection = True
            return None
        cut = int(where * len(whole)) if kind == "cut" else None
        if "Range" not in headers or kind == "whole":
            return request.send(200, whole, cut=cut)
        if kind == "range":
            return request.send(206, whole[:10], [("Content-Range", f"bytes 0-9/{len(whole)}")])
        return request.send_range(cut=cut)

    def entry(self, server):
        def serve(request, number, parallel):
            if self.next(["fine"] * 9 + ["502"])[0] == "502":
                return request.send(502)
            return request.send(302, headers=[("Location", f"http://localhost:{server.server_port}/s?{number}")])
        return serve


@pytest.mark.parametrize("seed", range(4))
def test_an_origin_that_fails_at_random_gives_the_right_bytes_in_the_end(seed, odd, fetch):
    """a third of all answers is bad in some way; sizes of one byte to ten megabytes, few buffers"""
    dice = random.Random(seed)
    sizes = [1, 1000, 256 * 1024, 256 * 1024 + 1] + [int(2 ** dice.uniform(10, 23.3)) for _ in range(12)]
    lines = []
    for i, size in enumerate(sizes):
        moody = Moody((seed << 8) + i)
        server = odd(size, moody.bytes)
        hub = odd(1, moody.entry(server))
        lines.append(f"http://127.0.0.1:{hub.server_port}/f " + server.line(f"f{i}").partition(" ")[2])
    got = fetch(lines, **Moody.PATIENCE, buffer_bytes=dice.choice([1, 3 * MIB, 16 * MIB]))
    assert got.ok(), got.message()
    right(got, lines)


def test_connections_that_a_host_punishes_are_closed_and_not_opened_again(hub, fetch):
    """the crawl ends only when they are closed: to wait for their ends would take hours"""
    origin = hub("--synth", "org/m:model.safetensors=48M,1", "--rate", "10M", "--grudge", "6,2K")
    lines = fetch.files(origin)
    got = fetch(lines, give_up_ms=60000, stall_ms=60000)
    assert got.ok(), got.message()
    right(got, lines)
    assert len({r["conn"] for r in origin.log("cdn")}) <= 12


def test_a_network_that_is_cut_for_all_at_once_is_one_failure(odd, fetch):
    """eight connections that break in the same moment: the wait after it is that of a first failure"""
    together, broken = threading.Barrier(8), threading.Event()

    def serve(request, number, parallel):
        if broken.is_set():
            request.send_range()
            return
        request.send_range(cut=100_000)
        request.wfile.flush()
        together.wait(30)
        broken.set()
        request.connection.shutdown(socket.SHUT_RDWR)

    server = odd(64 * MIB, serve)
    got = fetch([server.line()], connections=8, give_up_ms=60000)
    assert got.ok(), got.message()
    waits = [float(number) * (0.001 if unit == "ms" else 1)
             for number, unit in re.findall(r"trying again in ([\d.]+)(ms|s)", got.said)]
    assert len(waits) <= 8 and max(waits, default=0) < 2, got.said
