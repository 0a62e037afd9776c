"""Rows of the coordinator and of `hostler run`: what a fleet costs, how soon it is told, what a start is delayed by."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
import types

import contenders as c

MIB = 1 << 20
TICKS = os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def coordinator(b, *args):
    """(process, port) of a running one"""
    data = c.emptied(b.work / "registry")
    process = subprocess.Popen([b.program, "coordinator", "--listen", "127.0.0.1:0", "--data-dir", data, *map(str, args)],
                               stdout=subprocess.PIPE, text=True, env=c.environment())
    try:
        yield process, int(re.search(r"Listening on http://[^:]+:(\d+)", process.stdout.readline()).group(1))
    finally:
        process.terminate()
        process.wait()


def ask(port, path, body=None):
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    line.request("GET" if body is None else "POST", path, None if body is None else json.dumps(body),
                 {"Content-Type": "application/json"})
    said = line.getresponse().read()
    line.close()
    return json.loads(said)


def cpu_of(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def kib_of(pid, what):
    return int(re.search(rf"^{what}:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M).group(1))


def children_of(pid):
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if stat.read_text().rsplit(")", 1)[1].split()[1] == str(pid):
                found.append(int(stat.parent.name))
    return found


@contextlib.contextmanager
def etcd(b):
    """(process, port) of Debian's, with its own settings but for its folder and its ports"""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        port, peer = (s.getsockname()[1] for s in (one, two))
    clients, peers = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer}"
    with open(b.work / "etcd.log", "wb") as log:
        process = subprocess.Popen(["etcd", "--data-dir", c.emptied(b.work / "etcd"), "--listen-client-urls", clients,
                                    "--advertise-client-urls", clients, "--listen-peer-urls", peers,
                                    "--initial-advertise-peer-urls", peers, "--initial-cluster", f"default={peers}"],
                                   stdout=log, stderr=subprocess.STDOUT)
    try:
        until(lambda: process.poll() is not None or answers(port))
        yield process, port
    finally:
        process.terminate()
        process.wait()


def answers(port):
    with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
        return ask(port, "/health")["health"] == "true"
    return False


def kept_alive(b, process, port, *what):
    """10,000 workers, or leases, of which each is heard of every 5 s: answers' times, of a core, MiB"""
    workers, rate, seconds = 10_000 // b.scale, 2_000 // b.scale, 20 if b.scale == 1 else 5
    tool = subprocess.Popen([b.program.parent / "test/tools/beaters", str(port), str(workers), str(rate), str(seconds), *what],
                            stdout=subprocess.PIPE, text=True)
    tool.stdout.readline()                              # all have registered
    before = cpu_of(process.pid)
    said = json.loads(tool.stdout.readline())           # a little after the last beat, for which no time is reckoned
    share = (cpu_of(process.pid) - before) / seconds * 100
    if said["bad"] or said["late"]:
        print(f"  of {sum(said[k] for k in ('good', 'bad', 'late'))} beats {said['bad']} were refused, and {said['late']} "
              "not sent since the one before had no answer yet", flush=True)
    return types.SimpleNamespace(p99=said["p99_ms"], share=share, memory=kib_of(process.pid, "VmHWM") / 1024,
                                 bad=said["bad"] + said["late"])


def beats(b):
    """10,000 workers that beat every 5 s, and Debian's etcd with as many leases, in one run"""
    print(f"load before: {os.getloadavg()[0]:.2f}", flush=True)
    with coordinator(b) as (process, port):
        ours = kept_alive(b, process, port)
    with etcd(b) as (process, port):
        theirs = kept_alive(b, process, port, "etcd")
    b.row("10,000 workers that beat every 5 s: p99 of an answer", "20 ms or less", ours.p99, ours.p99 <= 20 and ours.bad == 0, "ms")
    b.row("the same: of a core", "25 % or less", ours.share, ours.share <= 25, "%")
    b.row("the same: memory", "64 MiB or less", ours.memory, ours.memory <= 64, "MiB")
    for what, mine, its, unit in (("p99 of an answer", ours.p99, theirs.p99, "ms"), ("of a core", ours.share, theirs.share, "%"),
                                  ("memory", ours.memory, theirs.memory, "MiB")):
        b.row(f"the same, against etcd's JSON gateway with 10,000 leases kept alive so ({its:.3g} {unit}): {what}", "at most 1",
              mine / its, mine <= its)


def start_worker(b, port, *words, models=(), options=(), **env):
    config = b.work / "hostler.yaml"
    config.write_text(json.dumps({"models": {f"m{i}": {"source": ref} for i, ref in enumerate(models)},
                                  "workers": {"bench": {"models": [f"m{i}" for i in range(len(models))], "engine": "none"}}}))
    runtime = b.work / "runtime"
    runtime.mkdir(exist_ok=True)
    more = {"COORDINATOR_URL": f"http://127.0.0.1:{port}", "WORKER_ID": "bench"} if port else {}
    return subprocess.Popen([b.program, "run", "--config", config, "--volume", b.work / "out" / "volume", "--worker", "bench",
                             *options, "--", *words], stdout=subprocess.PIPE, text=True,
                            env=c.environment(HOSTLER_RUNTIME_DIR=runtime, LOG_FILE="/dev/null", **more, **env))


def state_of(port):
    return {w["id"]: w["state"] for w in ask(port, "/v1/workers")["workers"]}.get("bench")


def until(holds, timeout=60):
    end = time.monotonic() + timeout
    while not holds():
        if time.monotonic() > end:
            raise SystemExit("what was waited for did not come")
        time.sleep(0.01)


def lost(b):
    """kill -9 of run until it is lost, at a time to live of 3 s"""
    took = []
    with coordinator(b, "--ttl", "3s") as (_, port):
        for _ in range(b.options.rounds):
            worker = start_worker(b, port, "sleep", "1000")
            until(lambda: state_of(port) == "running")
            worker.send_signal(signal.SIGKILL)
            worker.wait()
            began = time.monotonic()
            until(lambda: state_of(port) == "lost")
            took.append(time.monotonic() - began)
    value = max(took)
    b.row("from kill -9 of run to lost, at a time to live of 3 s", "4 s or less", value, value <= 4, "s")


def page(b):
    """from an event to the page, with 10,000 workers on it"""
    sys.path.insert(0, str(b.root / "test" / "cli"))
    from test_page import Browser
    workers, took = 10_000 // b.scale, []
    with coordinator(b, "--rate", 100_000) as (_, port):
        line = http.client.HTTPConnection("127.0.0.1", port)
        for i in range(workers):
            line.request("POST", "/v1/workers", json.dumps({"id": f"w{i:05}", "instance": "i", "host": "h", "state": "running"}),
                         {"Content-Type": "application/json"})
            line.getresponse().read()
        browser = Browser()
        browser.do("open", url=f"http://127.0.0.1:{port}/")
        browser.wait(f"document.getElementById('counts').innerText.includes('{workers}')")
        for turn in range(b.options.rounds):
            began = time.monotonic()
            ask(port, "/v1/workers/w00000/report", {"instance": "i", "state": ("launching", "running")[turn % 2],
                                                     "reason": f"turn {turn}"})
            browser.wait(f"document.body.innerText.includes('turn {turn}')")
            took.append(time.monotonic() - began)
        browser.close()
    value = statistics.median(took)
    b.row("from an event to the page, 10,000 workers", "1 s or less", value, value <= 1, "s")


def spin_up(b):
    """hostler run on a complete volume: how long until CMD runs, what stands beside it"""
    one = b.repo("bench/tiny", [4 * MIB], True, ".safetensors")
    volume = b.work / "out" / "volume"
    with b.origin.Origin(b.work / "nginx", [one]) as origin:
        c.hostler(b.program, origin, volume, one.name)
    models, fake = [f"hf:{one.name}"], b.program.parent / "test/tools"
    scenario = b.work / "scenario"
    scenario.write_text("gpu GPU-5c3f2a1b-0000-0000-0000-000000000001 8.9 23034 600 20000 NVIDIA L4\n")
    env = {"LD_LIBRARY_PATH": fake, "FAKE_NVML": scenario, "ENABLE_GPU": "true"}
    ours, alone = [], []
    for _ in range(4 * b.options.rounds):
        began = time.time_ns()
        run = start_worker(b, None, "date", "+CMD %s%N", models=models, **env)
        ours.append((int(re.search(r"CMD (\d+)", run.communicate()[0]).group(1)) - began) / 1e6)
        began = time.time_ns()
        said = subprocess.run(["date", "+CMD %s%N"], capture_output=True, text=True, env=c.environment(), check=True).stdout
        alone.append((int(said.split()[1]) - began) / 1e6)
    value = statistics.median(ours) - statistics.median(alone)
    b.row("hostler run on a complete volume: CMD runs later by", "25 ms or less", value, value <= 25, "ms")
    with coordinator(b) as (_, port):
        run = start_worker(b, port, "sleep", "1000", models=models)
        until(lambda: state_of(port) == "running")
        time.sleep(1)
        all_of_it = [run.pid, *(p for p in children_of(run.pid) if "hostler" in pathlib.Path(f"/proc/{p}/cmdline").read_text())]
        private = sum(kib_of(p, "RssAnon") for p in all_of_it) / 1024
        resident = sum(kib_of(p, "VmRSS") for p in all_of_it) / 1024
        run.terminate()
        run.wait()
    b.row(f"memory of run beside the engine, RssAnon of its {len(all_of_it)} processes (resident in all {resident:.1f} MiB)",
          "3 MiB or less", private, private <= 3, "MiB")


READER = """
import os, sys, time
time.sleep(float(sys.argv[2]))
for name in sorted(os.listdir(sys.argv[1])):
    fd = os.open(os.path.join(sys.argv[1], name), os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)        # one fault outstanding: no reading ahead by the kernel
    at = 0
    while got := os.pread(fd, 131072, at):
        at += len(got)
    os.close(fd)
print("READ", time.time_ns())
"""


def read_ahead(b):
    """a volume of 300 MB/s, a reader that starts 5 s after exec: to the last byte, with reading ahead and without"""
    size = 1500 * 1000 * 1000 // b.scale
    weights = b.repo("bench/weights", [size, size], True, ".safetensors")
    point = c.emptied(b.work / "slow")
    took = {"auto": [], "off": []}
    with b.origin.Origin(b.work / "nginx", [weights]) as origin:
        c.hostler(b.program, origin, b.work / "out" / "volume", weights.name)
    for _ in range(2):
        for how, seen in took.items():
            slow = subprocess.Popen([b.program.parent / "test/tools/slowfs", b.work / "out" / "volume", point, "rate=300000000",
                                     "latency=500"])
            until(lambda: os.path.ismount(point))
            config, runtime = b.work / "hostler.yaml", b.work / "runtime"
            runtime.mkdir(exist_ok=True)
            config.write_text(json.dumps({"models": {"m": {"source": f"hf:{weights.name}"}},
                                          "workers": {"bench": {"models": ["m"], "engine": "none"}}}))
            began = time.time_ns()
            got = subprocess.run([b.program, "run", "--config", config, "--volume", point, "--worker", "bench", "--read-ahead", how, "--",
                                  sys.executable, "-c", READER, "{path:m}", str(5 / b.scale)], capture_output=True, text=True,
                                 env=c.environment(HOSTLER_RUNTIME_DIR=runtime, LOG_FILE="/dev/null", HOSTLER_OFFLINE="1"), check=False)
            said = re.search(r"READ (\d+)", got.stdout)
            if not said:
                raise SystemExit(got.stdout + got.stderr)
            seen.append((int(said.group(1)) - began) / 1e9 - 5 / b.scale)
            subprocess.run(["umount", point], check=True)
            slow.wait()
    value = statistics.median(took["auto"]) / statistics.median(took["off"])
    b.row("time of the engine's reading, with reading ahead against without (300 MB/s)", "at most 0.5", value, value <= 0.5)
