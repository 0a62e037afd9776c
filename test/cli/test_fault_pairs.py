"""Every fault of an origin after every other: the outcome is computed from what each of the two is.

One file a pair, each on an origin of its own that has the two faults up its sleeve: the first strikes the
first request that it can strike, the second the first one after that. Many pairs go through one run of the
engine (build/test/tools/fetch), several runs at once; all origins live on one event loop.
"""
import asyncio
import concurrent.futures
import dataclasses
import hashlib
import random
import re
import socket
import threading

import pytest

from conftest import SLOW
from test_transfer import Fetch, right

# Two requests of one connection: the first for a MiB, the second for the rest.
SIZE, FIRST = 1_200_000, 1 << 20
CONTENT = random.Random(1).randbytes(SIZE)
DIGEST = hashlib.sha256(CONTENT).hexdigest()
A_RUN = 8               # files that one run has under way at once
RUNS, LANES = 8, 2
PATIENCE = {"first_byte_ms": 400, "stall_ms": 400, "connect_ms": 5000, "hash_threads": A_RUN, "connections": 1, "fixed": 1}
# What never ends is given up after a while; what ends is never given up, however slow this machine is.
GIVE_UP_MS = {True: 3000, False: 120_000}


@dataclasses.dataclass(frozen=True)
class Fault:
    """How one answer is bad, and what that means."""
    do: object                  # called as do(answer), sends what it sends
    where: str = "bytes"        # or "entry": the canonical URL, which redirects to the bytes
    status: int = 0             # 0: it is tried again. Else final at once, with this exit status
    says: str = ""              # of the last word: a pattern
    for_ever: bool = False      # it strikes every request from then on, until patience ends
    resolves: bool = False      # the canonical URL is asked again
    twice: bool = False         # two in a row are final
    restarts: bool = False      # wrong bytes: the file comes once more, and the second time is final
    completes: bool = False     # all of the file comes with it


def status(code, reason="x", headers=(), body=b""):
    async def do(answer):
        await answer.head(code, [*headers, ("Content-Length", len(body))], reason)
        await answer.send(body)
    return do


async def drop(answer):
    raise ConnectionError


async def reset(answer):
    await answer.part()
    await answer.send(answer.body()[:300_000])
    answer.reset()


async def cut(answer):
    await answer.part()
    await answer.send(answer.body()[:300_000])
    raise ConnectionError


async def cut_headers(answer):
    await answer.send(b"HTTP/1.1 206 Partial Content\r\nContent-Len")
    raise ConnectionError


async def hang(answer):
    await answer.gone()


async def stall(answer):
    await answer.part()
    await answer.send(answer.body()[:300_000])
    await answer.gone()


async def slow(answer):
    await asyncio.sleep(0.1)
    await answer.fine()


async def another_range(answer):
    await answer.part(shift=4096)
    await answer.send(answer.body()[4096:])


async def no_content_range(answer):
    await answer.head(206, [("Content-Length", len(answer.body()))])
    await answer.send(answer.body())


async def another_total(answer):
    await answer.part(total=SIZE + 7)
    await answer.send(answer.body())


async def too_short(answer):
    await answer.part(less=1000)
    await answer.send(answer.body()[:-1000])


async def no_length(answer):
    await answer.part(length=False)
    await answer.send(answer.body())
    raise ConnectionError


async def whole(answer):
    await answer.head(200, [("Content-Length", SIZE)])
    await answer.send(CONTENT)


async def flipped(answer):
    """in what brings the last byte, so that the digest is looked at before anything else is asked"""
    if answer.end < SIZE:
        answer.origin.spare()
        return await answer.fine()
    await answer.part_or_whole()
    await answer.send(answer.body()[:-1] + bytes([CONTENT[-1] ^ 1]))


def loop(answer):
    return status(302, headers=[("Location", f"http://127.0.0.1:{answer.origin.port}{answer.path}")])(answer)


HTML, GZIP = [("Content-Type", "text/html")], [("Content-Encoding", "gzip")]
NO_PROGRESS = "; no progress for"
FAULTS = {
    "reset": Fault(reset),
    "cut body": Fault(cut),
    "cut headers": Fault(cut_headers),
    "no answer": Fault(drop),
    "no first byte": Fault(hang, resolves=True),
    "stall": Fault(stall, resolves=True),
    "slow": Fault(slow),
    "no length": Fault(no_length),
    "too short": Fault(too_short),
    "500": Fault(status(500)),
    "502": Fault(status(502)),
    "503": Fault(status(503)),
    "503 with a wait": Fault(status(503, headers=[("Retry-After", "1")])),
    "429": Fault(status(429)),
    "408": Fault(status(408)),
    "400 of the link": Fault(status(400), resolves=True),
    "401 of the link": Fault(status(401), resolves=True),
    "403 of the link": Fault(status(403), resolves=True),
    "404 of the link": Fault(status(404), resolves=True),
    "410 of the link": Fault(status(410), resolves=True),
    "416": Fault(status(416), resolves=True, twice=True, status=0, says=r"refuses the range .*416"),
    "another range": Fault(another_range, resolves=True),
    "no Content-Range": Fault(no_content_range, resolves=True),
    "another total": Fault(another_total, resolves=True, twice=True, says="wrong total: the file is 1200007 bytes there"),
    "compressed": Fault(status(200, headers=GZIP, body=b"\x1f\x8b"), resolves=True),
    "portal": Fault(status(200, headers=HTML, body=b"<html>log in"), resolves=True),
    "whole for a part": Fault(whole, completes=True),
    "flipped byte": Fault(flipped, restarts=True, says="its digest is [0-9a-f]{64}, it should be"),
    "entry: 500": Fault(status(500), "entry"),
    "entry: 503": Fault(status(503), "entry"),
    "entry: 429 with RateLimit": Fault(status(429, headers=[("RateLimit", '"resolvers";r=0;t=0')]), "entry"),
    "entry: no answer": Fault(drop, "entry"),
    "entry: no first byte": Fault(hang, "entry"),
    # ---- last words
    "a wait that is too long": Fault(status(429, headers=[("Retry-After", "3600")]), status=5, says="asks to wait 1h00m"),
    "407": Fault(status(407), status=5, says=r"the proxy that .* names wants credentials \(407\)"),
    "entry: 401": Fault(status(401), "entry", status=4, says="it answers 401"),
    "entry: 403": Fault(status(403), "entry", status=4, says="it answers 403"),
    "entry: 404": Fault(status(404), "entry", status=3, says="it answers 404"),
    "entry: 400": Fault(status(400), "entry", status=5, says="it answers 400"),
    "entry: loop": Fault(loop, "entry", status=5, says="the redirects do not end"),
    "entry: redirect to nowhere": Fault(status(302), "entry", status=5, says="it redirects without a proper address"),
    # ---- without an end
    "503 for ever": Fault(status(503), for_ever=True, status=5, says="it answers 503" + NO_PROGRESS),
    "403 of the link for ever": Fault(status(403), for_ever=True, resolves=True, status=5,
                                      says="it answers 403" + NO_PROGRESS),
    "no answer for ever": Fault(drop, for_ever=True, status=5, says="closed without an answer" + NO_PROGRESS),
    "no first byte for ever": Fault(hang, for_ever=True, resolves=True, status=5, says="no byte comes" + NO_PROGRESS),
    "entry: 502 for ever": Fault(status(502), "entry", for_ever=True, status=5, says="it answers 502" + NO_PROGRESS),
}


@dataclasses.dataclass(frozen=True)
class Outcome:
    status: int         # 0: the file comes
    says: str
    struck: int         # how many of the two were met


def outcome(first, second):
    """what comes of the one, and then the other"""
    if first.status:
        return Outcome(first.status, first.says, 1)
    asked_again = second.where == "bytes" or first.where == "entry" or first.resolves
    if first.completes or not asked_again:
        return Outcome(0, "", 1)
    if second.status:
        return Outcome(second.status, second.says, 2)
    if first is second and second.restarts:
        return Outcome(6, second.says, 2)
    if first is second and second.twice:
        return Outcome(5, second.says, 2)
    return Outcome(0, "", 2)


class Answer:
    """One request, and the means to answer it."""

    def __init__(self, origin, writer, path, where, span):
        self.origin, self.writer, self.path, self.where = origin, writer, path, where
        self.ranged = span is not None
        self.start, end = span or (0, SIZE)
        self.end = min(end, SIZE)

    def body(self):
        return CONTENT[self.start:self.end]

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def head(self, code, headers, reason="x"):
        lines = [f"HTTP/1.1 {code} {reason}", *(f"{k}: {v}" for k, v in headers)]
        await self.send(("\r\n".join(lines) + "\r\n\r\n").encode())

    async def part(self, shift=0, total=SIZE, less=0, length=True):
        span = f"bytes {self.start + shift}-{self.end - 1 - less}/{total}"
        size = [("Content-Length", self.end - self.start - shift - less)] if length else []
        await self.head(206, [("Content-Range", span), *size])

    async def part_or_whole(self):
        if self.ranged:
            await self.part()
        else:
            await self.head(200, [("Content-Length", SIZE)])

    async def fine(self):
        if self.where == "entry":
            link = f"http://127.0.0.2:{self.origin.port}/bytes"
            return await status(302, headers=[("Location", link)])(self)
        await self.part_or_whole()
        await self.send(self.body())

    async def gone(self):
        """until the client has had enough"""
        await self.origin.readers[self.writer].read()
        raise ConnectionError

    def reset(self):
        self.writer.transport.abort()
        raise ConnectionError


class Origin:
    """One file, and the two faults of its pair: the entry on 127.0.0.1, the bytes on 127.0.0.2."""

    def __init__(self, names):
        self.names, self.left, self.struck, self.readers = names, [FAULTS[n] for n in names], 0, {}
        self.sockets = self.listen()
        self.port = self.sockets[0].getsockname()[1]

    def listen(self):
        while True:
            entry, data = socket.socket(), socket.socket()
            entry.bind(("127.0.0.1", 0))
            try:
                data.bind(("127.0.0.2", entry.getsockname()[1]))
                return entry, data
            except OSError:
                entry.close()
                data.close()

    async def start(self):
        for where, listening in zip(("entry", "bytes"), self.sockets):
            await asyncio.start_server(lambda r, w, where=where: self.serve(r, w, where), sock=listening)

    def line(self, name):
        return f"http://127.0.0.1:{self.port}/{name} {SIZE} {DIGEST} {name}"

    def strike(self, where):
        """the fault that this request meets; None: it is well served"""
        if not self.left or self.left[0].where != where:
            return None
        fault = self.left[0]
        if fault.for_ever:
            self.struck = 3 - len(self.left)
        else:
            self.left.pop(0)
            self.struck += 1
        return fault

    def spare(self):
        """what was about to strike waits for a better moment"""
        self.struck -= 1
        self.left.insert(0, FAULTS[self.names[self.struck]])

    async def serve(self, reader, writer, where):
        self.readers[writer] = reader
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                span = re.search(r"^Range: bytes=(\d+)-(\d*)", head, re.M)
                span = span and (int(span[1]), int(span[2]) + 1 if span[2] else SIZE)
                answer = Answer(self, writer, head.split(" ")[1], where, span)
                fault = self.strike(where)
                await (fault.do(answer) if fault else answer.fine())
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            del self.readers[writer]
            writer.close()


@pytest.fixture
def serve():
    """serve(origins): they answer from now on"""
    events = asyncio.new_event_loop()
    thread = threading.Thread(target=events.run_forever, daemon=True)
    thread.start()

    async def start_all(origins):
        for origin in origins:
            await origin.start()

    yield lambda origins: asyncio.run_coroutine_threadsafe(start_all(origins), events).result(60 * SLOW)
    events.call_soon_threadsafe(events.stop)
    thread.join(10)


def run(serve, folder, pairs, give_up_ms):
    """one run of the engine over some pairs; what was not as computed"""
    folder.mkdir()
    fetch = Fetch(folder)
    origins = {f"f{i}": Origin(pair) for i, pair in enumerate(pairs)}
    serve(origins.values())
    lines = [origin.line(name) for name, origin in origins.items()]
    got = fetch.result(fetch.start(lines, **PATIENCE, give_up_ms=give_up_ms), timeout=120)
    wrong = []
    for line, (name, origin) in zip(lines, origins.items()):
        want = outcome(*(FAULTS[n] for n in origin.names))
        file = got.files[name]
        said = "" if file["ok"] else file["message"]
        if (file.get("code", 0), origin.struck) != (want.status, want.struck) or not re.search(want.says, said):
            wrong.append(f"{' + '.join(origin.names)}: wanted {want}, got {file}, {origin.struck} struck")
        if file["ok"]:
            right(got, [line])
        (got.folder / name).unlink()
    return wrong


@pytest.mark.parametrize("lane", range(LANES))
def test_after_any_two_faults_the_outcome_is_that_of_the_pair(lane, serve, tmp_path):
    pairs = [(a, b) for a in FAULTS for b in FAULTS][lane::LANES]
    jobs = []
    for give_up_ms in GIVE_UP_MS.values():
        some = [p for p in pairs if GIVE_UP_MS[any(FAULTS[n].for_ever for n in p)] == give_up_ms]
        jobs += [(some[i::-(-len(some) // 40)], give_up_ms) for i in range(-(-len(some) // 40))]
    with concurrent.futures.ThreadPoolExecutor(RUNS) as pool:
        wrong = [line for found in pool.map(lambda job: run(serve, tmp_path / str(job[0]), *job[1]), enumerate(jobs))
                 for line in found]
    assert sum(len(some) for some, _ in jobs) == len(pairs) >= 1000
    assert wrong == [], "\n".join(wrong)
