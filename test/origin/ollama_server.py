#!/usr/bin/env python3
"""Stand-in for a running Ollama: the part of its API that provisioning uses (Python stdlib, threaded).

GET /api/version, GET /api/tags, POST /api/show, POST /api/pull (a stream of JSON lines), and HEAD or GET / .
Models are told to it, nothing is ever fetched: a pull plays the lines that a real one says while it fetches,
`--tick` seconds apart (a real one: 0.06), `--steps` a digest, and lists the model afterwards.

Models
  --model NAME=SIZE[,SIZE...]   what its registry has: the sizes of the digests (K M G as in the stand-in hub)
  --listed NAME                 one of them that it has already
Control  GET /__ctl/state  GET /__ctl/log?since=N  GET /__ctl/idle?timeout=S  POST /__ctl/reset
         POST /__ctl/set {...} with any of
  ready         "yes" | "silent" (accepts, never answers) | "503" | "other" (answers, as no Ollama does)
  silent_for    seconds that it stays "silent" from now on, then "yes"
  blind         true: lists nothing, as one that reads another store
  moved         NAME: the tag leads to another manifest from now on
  partial       true: lists its models, and /api/show answers 404 (blobs are missing)
  tags          text that it answers GET /api/tags with, in place of its list; "" for the list again
  tags_faults   how many answers to GET /api/tags are cut from now on, after the first `tags_after`
  faults        list of faults, one for each pull in turn; when they are used up all goes well
Faults of a pull, {"at": line, "do": what, ...}: after so many lines of the stream
  error (text=)  endless (one line without an end)  garbage  array  wrong_type  cut (reset)  end (no success)
  stall (silence until the client goes)  still (the same line again and again until the client goes)
  back (completed starts again at 0, once)  status (before the stream: code=, body=)  forget (success, not listed)
  mlx (digests are "sha256:model")  slow (seconds=, silence while it verifies)  bare (digest lines without status)
On start one JSON line with its URL goes to stdout.
"""
import argparse
import hashlib
import json
import select
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from faults import parse_size
from record import Log


class Gone(Exception):
    """the connection is finished, nothing more to answer"""


def digest_of(text):
    return hashlib.sha256(text.encode()).hexdigest()


class World:
    """what its registry has, what it lists, and how it misbehaves"""

    def __init__(self, opt):
        self.opt, self.lock, self.log = opt, threading.Lock(), Log(None)
        self.sizes = {}
        for text in opt.model:
            name, _, sizes = text.partition("=")
            self.sizes[name] = [parse_size(s) for s in sizes.split(",")]
        self.moves = {}                         # how often a model's tag has moved
        self.listed = {name: self.entry(name) for name in opt.listed}
        self.ready, self.silent_until, self.blind, self.partial, self.faults = "yes", 0, False, False, []
        self.tags, self.tags_faults, self.tags_after = "", 0, 0

    def entry(self, name):
        digest = digest_of(f"{name} at {self.moves.get(name, 0)}")
        return {"name": name, "model": name, "modified_at": "2026-01-01T00:00:00Z", "size": sum(self.sizes[name]),
                "digest": digest, "details": {"format": "gguf", "family": "llama"}}

    def state(self):
        with self.lock:
            return "silent" if self.ready == "yes" and time.monotonic() < self.silent_until else self.ready

    def set(self, options):
        with self.lock:
            for key, value in options.items():
                if key == "silent_for":
                    self.silent_until = time.monotonic() + value
                elif key == "moved":
                    self.moves[value] = self.moves.get(value, 0) + 1
                elif key in ("ready", "blind", "partial", "faults", "tags", "tags_faults", "tags_after"):
                    setattr(self, key, value)
                else:
                    raise ValueError(f"unknown option {key}")

    def next_fault(self):
        with self.lock:
            return self.faults.pop(0) if self.faults else {}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    world = None

    def log_message(self, *a):
        pass

    def handle(self):
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    def do_GET(self):
        self.status, self.sent = 0, 0
        self.raw, _, self.query = self.path.partition("?")
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.raw.startswith("/__ctl/"):
            return self.control()
        began, end = time.time(), "ok"
        asked = self.world.log.begin()
        try:
            self.route()
        except Gone:
            end, self.close_connection = "cut", True
        except OSError as e:
            end, self.close_connection = "client:" + type(e).__name__, True
        except Exception as e:                             # a bug here must be seen
            end, self.close_connection = "error:" + repr(e), True
            print("origin error:", repr(e), self.path, file=sys.stderr)
        self.world.log.put({"t": round(began, 3), "asked": asked, "port": "api", "method": self.command,
                            "path": self.raw, "status": self.status, "sent": self.sent, "end": end, "auth": None,
                            "type": self.headers.get("Content-Type"), "body": self.body.decode("utf-8", "replace")})

    do_HEAD = do_POST = do_GET

    # --- answers
    def answer(self, code, doc, kind="application/json; charset=utf-8"):
        data = doc if isinstance(doc, bytes) else json.dumps(doc).encode()
        self.status, self.sent = code, len(data)
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def wait_for_client_to_go(self):
        while select.select([self.connection], [], [], 60)[0] and self.connection.recv(4096):
            pass
        raise Gone

    def route(self):
        state = self.world.state()
        if state == "silent":
            while self.world.state() == "silent":
                if select.select([self.connection], [], [], 0.02)[0]:
                    raise Gone
        elif state == "503":
            return self.answer(503, b"starting", "text/plain")
        elif state == "other":
            return self.answer(404, b"<html>no page</html>", "text/html")
        asked = {("GET", "/"): self.hello, ("GET", "/api/version"): self.version, ("GET", "/api/tags"): self.tags,
                 ("POST", "/api/show"): self.show, ("POST", "/api/pull"): self.pull}
        what = asked.get(("GET" if self.command == "HEAD" else self.command, self.raw))
        if what is None:
            return self.answer(404, b"404 page not found", "text/plain")
        what()

    def hello(self):
        self.answer(200, b"Ollama is running", "text/plain")

    def version(self):
        self.answer(200, {"version": "0.33.0"})

    def tags(self):
        world = self.world
        if world.tags:
            return self.answer(200, world.tags.encode())
        if world.tags_after > 0:
            world.tags_after -= 1
        elif world.tags_faults > 0:
            world.tags_faults -= 1
            raise Gone
        listed = [] if world.blind else list(world.listed.values())
        self.answer(200, {"models": listed})

    def asked_model(self):
        """the name that it knows a model by, whose case does not count; else as it was asked for"""
        name = json.loads(self.body)["model"]
        name = name if ":" in name.rpartition("/")[2] else name + ":latest"
        return next((n for n in self.world.sizes if n.lower() == name.lower()), name)

    def show(self):
        name = self.asked_model()
        if name not in self.world.listed or self.world.partial:
            return self.answer(404, {"error": f"model '{name}' not found"})
        self.answer(200, {"license": "x" * 200000, "details": {"format": "gguf"}, "model_info": {}})

    # --- a pull
    def line(self, doc):
        data = doc if isinstance(doc, bytes) else json.dumps(doc, separators=(",", ":")).encode() + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.sent += len(data)

    def lines(self, name, fault):
        """what a pull that goes well says"""
        yield {"status": "pulling manifest"}
        for number, size in enumerate(self.world.sizes[name]):
            digest = "model" if fault.get("do") == "mlx" else digest_of(f"{name} {number}")
            status = {} if fault.get("do") == "bare" else {"status": f"pulling {digest[:12]}"}
            there = self.world.listed.get(name) == self.world.entry(name)
            for step in [self.world.opt.steps] if there else range(self.world.opt.steps + 1):
                done = size * step // self.world.opt.steps
                progress = {"completed": done} if done else {}
                yield {**status, "digest": "sha256:" + digest, "total": size, **progress}
        yield {"status": "verifying sha256 digest"}
        if fault.get("do") == "slow":
            time.sleep(fault["seconds"])
        yield {"status": "writing manifest"}

    def misbehave(self, fault, last):
        do = fault["do"]
        if do == "error":
            self.line({"error": fault["text"]})
            return True
        if do == "end":
            return True
        if do == "cut":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            raise Gone
        if do == "stall":
            self.wait_for_client_to_go()
        while do in ("still", "endless"):
            self.line(last if do == "still" else b"x" * 4096)
            time.sleep(self.world.opt.tick if do == "still" else 0)
        lines = {"garbage": b"<html>\n", "array": b"[1,2]\n", "wrong_type": {"status": 7},
                 "back": {k: v for k, v in last.items() if k != "completed"}}
        if do in lines:
            self.line(lines[do])
        return False

    def pull(self):
        fault = self.world.next_fault()
        name = self.asked_model()
        if fault.get("do") == "status":
            return self.answer(fault["code"], fault["body"] if isinstance(fault["body"], dict)
                               else fault["body"].encode(), "application/json")
        self.status = 200
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if name not in self.world.sizes:
            self.line({"status": "pulling manifest"})
            self.line({"error": "pull model manifest: file does not exist"})
        elif not self.play(name, fault):
            if fault.get("do") != "forget":
                self.world.listed[name] = self.world.entry(name)
            self.line({"status": "success"})
        self.wfile.write(b"0\r\n\r\n")

    def play(self, name, fault):
        """true if the fault ended it"""
        last = {}
        for count, line in enumerate(self.lines(name, fault)):
            if count == fault.get("at", -1) and self.misbehave(fault, last):
                return True
            self.line(line)
            last = line
            time.sleep(self.world.opt.tick)
        return False

    # --- control
    def control(self):
        world, name = self.world, self.raw[len("/__ctl/"):]
        given = json.loads(self.body) if self.body else {}
        query = parse_qs(self.query)
        if name == "state":
            return self.answer(200, {"listed": sorted(world.listed), "faults": world.faults, "ready": world.state()})
        if name == "log":
            since = int(query.get("since", ["0"])[0])
            return self.answer(200, [r for r in world.log.ring if r["n"] > since])
        if name == "idle":
            return self.answer(200, {"idle": world.log.idle(float(query.get("timeout", ["10"])[0]))})
        if name == "reset":
            world.log.ring.clear()
        elif name == "set":
            world.set(given)
        else:
            return self.answer(404, {"error": name})
        self.answer(200, {})


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--bind", default="127.0.0.1")
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--model", action="append", default=[])
    p.add_argument("--listed", action="append", default=[])
    p.add_argument("--tick", type=float, default=0.005)
    p.add_argument("--steps", type=int, default=4)
    opt = p.parse_args()
    Handler.world = World(opt)
    server = Server((opt.bind, opt.port), Handler)
    print(json.dumps({"url": f"http://{opt.bind}:{server.server_address[1]}"}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
