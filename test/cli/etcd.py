"""A real etcd, coordinators that share it, and the workers that talk to them, for tests:

    def test_both_list_whoever_registered_at_one(etcd, coordinators):
        at = coordinators(etcd(), 2)
        at[0].register("w", state="running")
        at[1].wait_for({"w": "running"})

`Relay` stands before etcd, and can go silent. `Fleet` plays many workers.
"""
import base64
import ctypes
import http.client
import json
import os
import random
import select
import shutil
import signal
import socket
import threading
import time
import types
import urllib.parse
import urllib.request

import pytest
from conftest import SLOW, Running
from coordinating import Coordinator, poll

PREFIX = b"/hostler/v1/"


def free_port():
    """not of those that the system gives to connections: who asks such a port while nobody listens there may reach itself"""
    while True:
        port = random.randrange(20000, 32768)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


class Etcd:
    """One member, in a folder of its own; `args` are more of its flags."""

    def __init__(self, folder, *args, scheme="http", context=None, address="127.0.0.1"):
        self.folder, self.args, self.scheme, self.context = folder, args, scheme, context
        folder.mkdir()
        self.port, self.peer = free_port(), free_port()
        self.url = f"{scheme}://{address}:{self.port}"
        self.token = None
        self.start()

    def start(self):
        peer = f"http://127.0.0.1:{self.peer}"
        self.child = Running(
            ["etcd", "--data-dir", str(self.folder / "data"), "--name", "one", "--unsafe-no-fsync",
             "--listen-client-urls", self.url, "--advertise-client-urls", self.url,
             "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
             "--initial-cluster", f"one={peer}", "--logger", "zap", *map(str, self.args)],
            {"PATH": "/usr/bin:/bin"}, cwd=self.folder)
        self.child.err.wait_for("ready to serve client requests|serving (insecure )?client|serving client traffic", 60)

    def ask(self, path, **body):
        headers = {"authorization": self.token} if self.token else {}
        request = urllib.request.Request(f"{self.url}/v3/{path}", data=json.dumps(body).encode(), headers=headers)
        handlers = [urllib.request.ProxyHandler({})]
        if self.context:
            handlers.append(urllib.request.HTTPSHandler(context=self.context))
        with urllib.request.build_opener(*handlers).open(request, timeout=30 * SLOW) as answer:
            return json.loads(answer.read())

    def keys(self):
        """key -> value, parsed, and lease, of all that hostler has written"""
        found = self.ask("kv/range", key=base64.b64encode(PREFIX).decode(),
                         range_end=base64.b64encode(PREFIX[:-1] + b"0").decode())
        return {base64.b64decode(kv["key"]).decode(): (json.loads(base64.b64decode(kv["value"])), kv.get("lease", "0"))
                for kv in found.get("kvs", [])}

    def owners(self):
        """who hears at least one of the workers that live"""
        return {value["owner"] for key, (value, lease) in self.keys().items() if "/workers/" in key and lease != "0"}

    def put(self, key, value):
        self.ask("kv/put", key=base64.b64encode(key.encode()).decode(), value=base64.b64encode(value).decode())

    def delete(self, key):
        self.ask("kv/deleterange", key=base64.b64encode(key.encode()).decode())

    def revision(self):
        return int(self.ask("kv/range", key="AA==")["header"]["revision"])

    def kill(self):
        self.child.kill()

    def wipe(self):
        """as if it had never been"""
        self.kill()
        shutil.rmtree(self.folder / "data")


class Relay:
    """A port before another one of loopback. Silent, it takes bytes and connections and passes nothing on; shut, it
    closes all connections, those that come as well."""

    def __init__(self, port):
        self.behind, self.silent, self.shut, self.ended = port, False, False, False
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.pairs = {}
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _open(self):
        front, _ = self.listener.accept()
        if self.shut:
            front.close()
            return
        try:
            back = socket.create_connection(("127.0.0.1", self.behind))
        except OSError:
            front.close()
            return
        self.pairs[front], self.pairs[back] = back, front

    def _close(self, one):
        for s in (one, self.pairs.pop(one)):
            self.pairs.pop(s, None)
            s.close()

    def _run(self):
        while not self.ended:
            if self.silent:
                time.sleep(0.01)
                continue
            while self.shut and self.pairs:
                self._close(next(iter(self.pairs)))
            ready, _, _ = select.select([self.listener, *self.pairs], [], [], 0.02)
            for s in ready:
                if s is self.listener:
                    self._open()
                elif s in self.pairs:
                    try:
                        data = s.recv(1 << 16)
                        self.pairs[s].sendall(data)
                    except OSError:
                        data = b""
                    if not data:
                        self._close(s)

    def close(self):
        self.ended = True
        self.thread.join()
        for s in [self.listener, *self.pairs]:
            s.close()


class Held:
    """The main thread of a process stands still, and no other does, within a `with`."""

    SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17       # of ptrace(2)

    def __init__(self, pid):
        self.pid = pid

    def _trace(self, request):
        libc = ctypes.CDLL(None, use_errno=True)
        libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        if libc.ptrace(request, self.pid, None, None) < 0:
            raise OSError(ctypes.get_errno(), "ptrace")

    def __enter__(self):
        self._trace(self.SEIZE)
        self._trace(self.INTERRUPT)
        os.waitpid(self.pid, 0)

    def __exit__(self, *_):
        self._trace(self.DETACH)


class Fleet:
    """Workers that register and beat, each at a coordinator of its own choice, at the next one when that fails.

    A few threads play them all, each its own share, over kept connections. In truth all workers of a coordinator that
    stands still would wait for it at once; so once one of a share has waited, the others of it go on without.
    """

    THREADS = 4

    def __init__(self, urls, states, beat_s, patience_s=1.0):
        self.urls, self.beat_s, self.patience_s = list(urls), beat_s, patience_s
        self.states = dict(states)
        self.silent, self.untold, self.ended, self.refused = set(), set(), False, []
        self.instances = {id: f"i{n}" for n, id in enumerate(states)}
        shares = [list(self.states)[i::self.THREADS] for i in range(self.THREADS)]
        self.threads = [threading.Thread(target=self._play, args=(share, i), daemon=True)
                        for i, share in enumerate(shares)]
        for t in self.threads:
            t.start()

    def _post(self, lines, at, path, body):
        """status, None if nobody answers"""
        host = urllib.parse.urlsplit(self.urls[at]).netloc
        for fresh in (False, True):
            c = lines.open.get(at)
            if c is None or fresh:
                c = lines.open[at] = http.client.HTTPConnection(host, timeout=self.patience_s * SLOW)
            try:
                c.request("POST", path, json.dumps(body), {"content-type": "application/json"})
                answer = c.getresponse()
                answer.read()
                return answer.status
            except TimeoutError:
                lines.still[at] = time.monotonic() + self.patience_s * SLOW
                break
            except (OSError, http.client.HTTPException):
                c.close()
        lines.open.pop(at).close()
        return None

    def _beat(self, lines, id, at):
        """where the worker goes on"""
        if lines.still.get(at, 0) > time.monotonic():
            return (at + 1) % len(self.urls)
        body = {"instance": self.instances[id]}
        path, state = f"/v1/workers/{urllib.parse.quote(id, safe='')}/", self.states[id]
        if id in self.untold:
            status = self._post(lines, at, path + "report", {**body, "state": state})
        else:
            status = self._post(lines, at, path + "beat", body)
        if status == 200 and state == self.states[id]:
            self.untold.discard(id)
        if status == 404:
            status = self._post(lines, at, "/v1/workers",
                                {"id": id, "host": "h", "state": self.states[id], **body})
        if status == 200:
            return at
        if status not in (None, 503):
            self.refused.append((id, status))
        return (at + 1) % len(self.urls)

    def _play(self, ids, seed):
        chance = random.Random(seed)
        lines = types.SimpleNamespace(open={}, still={})    # by coordinator: a connection; until when it stands still
        at = {id: (n + seed) % len(self.urls) for n, id in enumerate(ids)}
        due = {id: time.monotonic() + chance.random() * self.beat_s / 2 for id in ids}
        while not self.ended:
            now = time.monotonic()
            for id in ids:
                if self.ended or due[id] > now or id in self.silent:
                    continue
                where = self._beat(lines, id, at[id])
                # one that was refused asks the next coordinator soon
                wait = self.beat_s if where == at[id] else self.beat_s / 5
                at[id], due[id] = where, time.monotonic() + wait * chance.uniform(0.8, 1.2)
            time.sleep(0.01)
        for c in lines.open.values():
            c.close()

    def change(self, states):
        """these are in other states from now on, and say so"""
        self.states.update(states)
        self.untold |= states.keys()

    def silence(self, ids):
        """these beat no more"""
        self.silent |= set(ids)

    def close(self):
        self.ended = True
        for t in self.threads:
            t.join()
        assert not self.refused, f"answers that no living worker should get: {self.refused[:10]}"


@pytest.fixture
def etcd(tmp_path):
    """etcd(*flags) starts an empty one on free ports of loopback"""
    assert shutil.which("etcd"), "etcd is not installed (scripts/packages, group test)"
    running = []

    def start(*args, **how):
        running.append(Etcd(tmp_path / f"etcd-{len(running)}", *args, **how))
        return running[-1]

    yield start
    for one in running:
        one.child.signal(signal.SIGCONT)
        one.kill()


@pytest.fixture
def relay():
    """relay(etcd) stands before it"""
    running = []

    def start(behind):
        running.append(Relay(behind.port))
        return running[-1]

    yield start
    for one in running:
        one.close()


@pytest.fixture
def coordinators(hostler):
    """coordinators(at, n, *flags) starts n of them on what has a url, named c0, c1 ...; asked to, they end at once"""
    running = []

    def start(at, count, *args, **how):
        started = [Coordinator(hostler, "--registry", f"etcd:{at.url}", *args,
                               env={"HOSTLER_HOST": f"c{len(running) + i}"}, **how) for i in range(count)]
        running.extend(started)
        return started

    yield start
    living = [one.child for one in running if one.child.process.poll() is None]
    for child in living:
        child.signal(signal.SIGCONT)
        child.signal(signal.SIGTERM)
    assert [child.finish(10).rc for child in living] == [0] * len(living)


@pytest.fixture
def fleet():
    running = []

    def start(at, states, beat_s, **how):
        running.append(Fleet([c.url for c in at], states, beat_s, **how))
        return running[-1]

    yield start
    for one in running:
        one.close()
