"""Who runs against whom: each contender is a command and what it leaves behind, timed with its sync.

A measurement is wall seconds (the sync of what was written included), CPU seconds and peak resident
memory of the contender's own processes, as wait4(2) gives them.
"""
import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time


@dataclasses.dataclass
class Measured:
    wall: float
    cpu: float
    rss: int    # bytes


def run(argv, env=None, sync=None):
    """Runs one command to its end; `sync` is a folder whose filesystem is synced inside the time.

    time(1) stands between, because a process begins with the peak memory of the one that forked it.
    """
    with tempfile.NamedTemporaryFile("r") as usage:
        began = time.perf_counter()
        done = subprocess.run(["time", "-q", "-o", usage.name, "-f", "%U %S %M", *map(str, argv)], env=env,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        if sync is not None:
            subprocess.run(["sync", "-f", str(sync)], check=True)
        wall = time.perf_counter() - began
        if done.returncode != 0:
            raise SystemExit(f"{argv[0]} ended with {done.returncode}:\n{done.stderr.decode(errors='replace')[-2000:]}")
        user, system, peak = usage.read().split()
    return Measured(wall, float(user) + float(system), int(peak) * 1024)


def emptied(folder):
    shutil.rmtree(folder, ignore_errors=True)
    pathlib.Path(folder).mkdir(parents=True)
    return folder


def environment(**more):
    env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": "/nonexistent"}
    env.update({k: str(v) for k, v in more.items()})
    return env


def trust(origin):
    certificate = getattr(origin, "certificate", None)
    return {"SSL_CERT_FILE": certificate, "CURL_CA_BUNDLE": certificate} if certificate else {}


def hostler(program, origin, volume, *models, fresh=True, options=(), **env):
    if fresh:
        emptied(volume)
    return run([program, "pull", *[m if ":" in m else f"hf:{m}" for m in models], "--volume", volume, "--progress", "none", *options],
               env=environment(HF_ENDPOINT=origin.url, LOG_FILE="/dev/null", **trust(origin), **env))


def aria2c(origin, repo, path, sha, folder):
    emptied(folder)
    return run(["aria2c", "-q", "-x16", "-s16", f"--checksum=sha-256={sha}", "-d", folder, "-o", "file",
                origin.cdn_url(repo, path)], env=environment(), sync=folder)


HUB = """
import sys
from huggingface_hub import snapshot_download
snapshot_download(sys.argv[1], cache_dir=sys.argv[2])
"""


def hub(python, origin, repo, folder):
    """huggingface_hub without Xet"""
    emptied(folder)
    env = environment(HF_ENDPOINT=origin.url, HF_HUB_DISABLE_XET=1, HF_HUB_DISABLE_PROGRESS_BARS=1,
                      HF_HUB_DISABLE_TELEMETRY=1, HF_HOME=folder)
    return run([python, "-c", HUB, repo.name, folder], env=env, sync=folder)


def receive(origin, repo, path):
    """one stage alone"""
    return receive_url(origin.cdn_url(repo, path), (repo.folder / path).stat().st_size, **trust(origin))


def receive_url(url, size, **env):
    """four connections, thrown away"""
    part = size // 4
    argv = ["curl", "-s", "--fail", "-Z"]
    for i in range(4):
        argv += ["-r", f"{i * part}-{size - 1 if i == 3 else (i + 1) * part - 1}", "-o", "/dev/null", url]
        argv += ["--next", "-s", "--fail"] if i < 3 else []
    return run(argv, env=environment(**env))


def sha256(path):
    """one stage alone: the file's pages are in the cache"""
    return run(["openssl", "dgst", "-sha256", path], env=environment())


def write(source, folder):
    """one stage alone: past the page cache, then synced"""
    emptied(folder)
    return run(["dd", f"if={source}", f"of={folder}/file", "bs=4M", "oflag=direct", "conv=fsync"],
               env=environment())


def python_of(root):
    python = pathlib.Path(root) / ".venv" / "bin" / "python"
    if not python.exists():
        sys.exit(f"{python} is missing: run `make check` once, it makes it")
    return python


class Hub:
    """The stand-in hub: slow, far or grudging by its arguments."""

    def __init__(self, root, *arguments):
        argv = [sys.executable, str(pathlib.Path(root) / "test/origin/hub_origin.py"), *map(str, arguments)]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE)
        self.url = json.loads(self.process.stdout.readline())["api"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Registry:
    """Debian's docker-registry on a free port, with what is pushed to it."""

    url = "http://127.0.0.1:9"      # nobody asks a Hub here

    def __init__(self, work):
        work.mkdir(parents=True, exist_ok=True)
        (work / "config.yml").write_text(f"version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {work}/data}}}}\n"
                                         "http: {addr: '127.0.0.1:0'}\n")
        self.log = open(work / "log", "w+b")
        self.process = subprocess.Popen(["docker-registry", "serve", work / "config.yml"],
                                        stdout=subprocess.DEVNULL, stderr=self.log)
        while not (found := re.search(rb"listening on (127\.0\.0\.1:\d+)", (work / "log").read_bytes())):
            if self.process.poll() is not None:
                raise SystemExit("docker-registry ended: " + (work / "log").read_text())
            time.sleep(0.05)
        self.registry = "http://" + found.group(1).decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.log.close()
