"""`hostler run` as an entrypoint: what it starts, when that is ready, whom signals reach, how it ends."""
import json
import os
import pathlib
import pty
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from conftest import SLOW, hostler_binary
from volume import Ollama, assert_complete, claimed_bytes, wait_until

ENGINE = pathlib.Path(__file__).parents[1] / "tools" / "engine.py"
REPO = "org/tiny"
STATES = re.compile(r"Worker \S+: (\w+) -> (\w+)")


@pytest.fixture
def worker(hostler, volume, tmp_path):
    """worker(*words) starts `hostler run` for a type of the test's own; models=[...] are what it needs"""
    runtime = tmp_path / "runtime"
    runtime.mkdir()

    def start(*words, models=(), engine="none", gpu="none", options=(), env=None, **how):
        names = [f"m{i}" for i in range(len(models))]
        config = tmp_path / "hostler.yaml"
        config.write_text(json.dumps({
            "models": {name: {"source": ref} for name, ref in zip(names, models)},
            "workers": {"mine": {"models": names, "engine": engine, "gpu": gpu}}}))
        return hostler.start("run", "--config", config, "--volume", volume, "--worker", "mine", *options, "--", *words,
                             env={"HOSTLER_RUNTIME_DIR": str(runtime), **(env or {})}, **how)

    start.folder = tmp_path
    start.status = lambda *more: hostler("status", "--config", tmp_path / "hostler.yaml", "--volume", volume, *more,
                                         env={"HOSTLER_RUNTIME_DIR": str(runtime)})
    return start


@pytest.fixture
def port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def moves(got):
    return [to for _, to in STATES.findall(got.stdout)]


def wait_for(child, text):
    wait_until(lambda: text in child.out.text or child.process.poll() is not None)
    assert text in child.out.text, f"{child.out.text}\n{child.err.text}"


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"


# ------------------------------------------------------------------ the end of CMD

@pytest.mark.parametrize("script, rc, end", [
    ("exit 0", 0, "stopped: sh ended with status 0: exit status 0 is its own"),
    ("exit 3", 3, "failed: sh ended with status 3: exit status 3 is its own"),
    ("exit 11", 11, "failed: sh ended with status 11: exit status 11 is its own"),
    ("kill -9 $$", 137, "failed: sh was killed by SIGKILL: exit status 137 is its own"),
])
def test_the_status_of_the_command_is_ours_and_the_last_line_says_whose(worker, script, rc, end):
    got = worker("sh", "-c", script).finish()
    assert got.rc == rc
    assert got.stdout.splitlines()[-1].endswith(f"Worker mine: draining -> {end}")
    assert moves(got)[:4] == ["gating", "launching", "running", "draining"]


@pytest.mark.parametrize("command, rc, why, hint", [
    ("/nowhere/at-all", 127, "/nowhere/at-all cannot be run: No such file or directory",
     "write its whole path, or install it in this image"),
    ("/etc/passwd", 126, "/etc/passwd cannot be run: Permission denied",
     "it must be a program that this user may execute (chmod +x)"),
])
def test_a_command_that_cannot_be_run_is_named(worker, command, rc, why, hint):
    got = worker(command).finish()
    assert got.rc == rc
    assert got.stderr == f"hostler: {why}\nhint: {hint}\n"
    assert moves(got)[-1] == "failed"


def test_no_command_and_no_type_are_errors_of_usage(hostler, worker, volume):
    got = worker().finish()
    assert (got.rc, got.stderr) == (2, "hostler: no command is given\n"
                                       "hint: hostler run --worker mine -- CMD [ARG...]\n")
    got = hostler("run", "--volume", volume, "--", "true")
    assert got.rc == 2
    assert got.stderr.startswith("hostler: no worker type is named: neither --worker nor WORKER_TYPE\nhint: one of ")
    got = hostler("run", "--volume", volume, "--worker", "vlm", "--", "true")
    assert got.rc == 2 and got.stderr.startswith('hostler: "vlm" is no worker type\n')


def test_what_the_command_leaves_behind_is_ended(worker):
    child = worker("sh", "-c", "setsid sleep 1000 & echo left $!; exit 5")
    got = child.finish()
    assert got.rc == 5
    assert "sh left 1 processes behind: they are told to end" in got.stdout
    assert gone(int(re.search(r"^left (\d+)$", got.stdout, re.M)[1]))


def test_orphans_are_reaped_while_it_runs(worker):
    child = worker("sh", "-c", "for i in 1 2 3 4 5; do (sleep 0.01 & :); done; sleep 0.5; echo now; sleep 1000")
    wait_for(child, "now")
    zombies = subprocess.run(["ps", "--ppid", str(child.pid), "-o", "stat="], capture_output=True, text=True).stdout
    assert "Z" not in zombies, zombies
    child.signal(signal.SIGTERM)
    assert child.finish().rc == 143


def test_streams_are_the_command_s_own(worker):
    got = worker(sys.executable, "-c", "import sys; sys.stdout.write('x' * 3_000_000); sys.stderr.write('only this')").finish()
    assert got.rc == 0
    beside = re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+Z INFO Worker [^\n]*\n", "", got.stdout)     # the log, wherever it falls
    assert beside == "x" * 3_000_000
    assert got.stderr == "only this"


def test_a_command_that_fails_is_started_again_and_not_for_ever(worker):
    got = worker("sh", "-c", "exit 4", options=["--restart", "on-failure:1"]).finish()
    assert got.rc == 4
    assert moves(got) == ["gating", "launching", "running", "launching", "running", "draining", "failed"]
    assert "sh ended with status 4; start 2 of it in 1s" in got.stdout
    got = worker("true", options=["--restart", "on-failure"]).finish()
    assert got.rc == 0 and moves(got).count("launching") == 1


# ------------------------------------------------------------------ signals

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_asks_for_the_end_reaches_the_command(worker, number):
    child = worker("sh", "-c", "trap 'echo asked; exit 9' TERM INT; echo up; while :; do sleep 0.05; done")
    wait_for(child, "up")
    child.signal(number)
    got = child.finish()
    assert got.rc == 9 and "asked" in got.stdout
    assert moves(got)[-2:] == ["draining", "stopped"]


def test_all_other_signals_are_handed_on(worker, tmp_path, port):
    mark = tmp_path / "mark"
    child = worker(sys.executable, ENGINE, "--port", port, "--mark", mark)
    wait_for(child, "engine listens")
    child.signal(signal.SIGUSR1)
    wait_until(mark.exists)
    child.signal(signal.SIGTERM)
    assert child.finish().rc == 143


DEAF = "trap '' TERM; echo up; while :; do sleep 0.05; done"


def test_a_second_signal_kills(worker):
    child = worker("sh", "-c", DEAF)
    wait_for(child, "up")
    child.signal(signal.SIGTERM)
    wait_for(child, "draining")
    child.signal(signal.SIGTERM)
    got = child.finish(20)
    assert got.rc == 137
    assert "sh was killed by SIGKILL" in got.stdout


@pytest.mark.parametrize("options, script, at, rc", [
    (["--ready-tcp", "PORT"], DEAF, "up", 137),
    ([], f'setsid sh -c "{DEAF}" & sleep 0.2; exit 5', "processes behind: they are told", 5),
    (["--with", f'sh -c "{DEAF}"'], "exit 5", "running -> draining", 5),
], ids=["not ready yet", "what it left behind", "a server beside it"])
def test_a_second_wish_to_stop_kills_whatever_does_not_end(worker, port, options, script, at, rc):
    options = [port if o == "PORT" else o for o in options]
    child = worker("sh", "-c", script, options=["--stop-timeout", "10m", *options])
    wait_for(child, at)
    wait_for(child, "up")

    def wish():                                        # two that are pending at once are one
        child.signal(signal.SIGTERM)
        return child.process.poll() is not None

    wait_until(wish)
    got = child.finish()
    assert got.rc == rc and moves(got)[-2:] == ["draining", "stopped"], got.stdout


def test_who_does_not_end_in_time_is_killed(worker):
    child = worker("sh", "-c", DEAF, options=["--stop-timeout", "1s"])
    wait_for(child, "up")
    child.signal(signal.SIGTERM)
    assert child.finish(20).rc == 137


def test_the_command_dies_with_run(worker):
    child = worker("sh", "-c", "echo pid $$; sleep 1000")
    wait_for(child, "pid ")
    pid = int(re.search(r"pid (\d+)", child.out.text)[1])
    os.kill(child.pid, signal.SIGKILL)
    wait_until(lambda: gone(pid))
    child.process.wait()
    assert "process    gone: this is the last that it said" in worker.status().stdout
    assert worker.status("--live").rc == 1


def test_a_stop_during_the_download_ends_it_and_the_next_run_goes_on(worker, models, hub, volume):
    models.small(REPO, weights=12_000_000)
    origin = hub("--rate", 1_000_000)
    child = worker("echo", "never", models=[f"hf:{REPO}"], hub=origin)
    wait_until(lambda: claimed_bytes(volume) > 0)
    assert worker.status("--live").rc == 0
    assert worker.status("--ready").rc == 1
    assert "downloading" in worker.status().stdout
    child.signal(signal.SIGTERM)
    got = child.finish()
    assert got.rc == 143, got.stderr
    assert "never" not in got.stdout
    assert moves(got)[-2:] == ["downloading", "stopped"]
    got = worker("echo", "served", models=[f"hf:{REPO}"], hub=hub()).finish()
    assert got.rc == 0 and "served" in got.stdout
    assert_complete(volume, REPO, models.files(REPO))


def in_gating(worker, tmp_path, **_):
    scenario = tmp_path / "scenario"
    scenario.write_text("hang init\n")
    return worker("echo", "never", gpu="required", options=["--gpu-timeout", "60s"],
                  env={"FAKE_NVML": str(scenario), "LD_LIBRARY_PATH": str(pathlib.Path(hostler_binary()).parent / "test/tools")})


def in_checking(worker, models, hub, **_):
    models.small(REPO)
    origin = hub()
    origin.fault("hang", delay=60, port="api", match="/api/models", times=-1)
    return worker("echo", "never", models=[f"hf:{REPO}"], hub=origin)


def in_publishing(worker, models, hub, **_):
    """its first link takes 2 s; the tracer (-D) is no parent of it, so that signals go to run"""
    models.small(REPO)
    slow = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=symlinkat", "-e", "inject=symlinkat:delay_enter=2000000:when=1"]
    return worker("echo", "never", models=[f"hf:{REPO}"], hub=hub(), wrap=slow, env={"ASAN_OPTIONS": "detect_leaks=0"})


def in_waiting(worker, models, hub, hostler, volume, **_):
    models.small(REPO, weights=12_000_000)
    origin = hub("--rate", 500_000)
    hostler.start_pull(f"hf:{REPO}", "-j", "1", hub=origin)             # ends with the test
    wait_until(lambda: claimed_bytes(volume) > 0)
    return worker("echo", "never", models=[f"hf:{REPO}"], hub=origin)


def in_downloading(worker, models, hub, **_):
    models.small(REPO, weights=12_000_000)
    return worker("echo", "never", models=[f"hf:{REPO}"], hub=hub("--rate", 500_000))


def in_launching(worker, port, **_):
    return worker("sleep", "1000", options=["--ready-tcp", port])


def in_launching_again(worker, **_):
    return worker("sh", "-c", "exit 3", options=["--restart", "on-failure"])


@pytest.mark.parametrize("start, state", [(in_gating, "gating"), (in_checking, "checking"), (in_waiting, "waiting"), (in_downloading, "downloading"),
                                          (in_publishing, "publishing"), (in_launching, "launching"), (in_launching_again, "; start 2 of it in")],
                         ids=["gating", "checking", "waiting", "downloading", "publishing", "launching", "between two starts"])
@pytest.mark.parametrize("number, times", [(signal.SIGTERM, 1), (signal.SIGINT, 1), (signal.SIGTERM, 2)], ids=["term", "int", "term twice"])
def test_a_wish_to_stop_is_obeyed_in_each_state(worker, models, hub, hostler, volume, port, tmp_path, start, state, number, times):
    child = start(worker=worker, models=models, hub=hub, hostler=hostler, volume=volume, port=port, tmp_path=tmp_path)
    wait_for(child, state if " " in state else f"-> {state}")
    assert worker.status("--live").rc == 0 and worker.status("--ready").rc == 1
    for _ in range(times):
        child.signal(number)
    got = child.finish(10)
    status = 3 if start is in_launching_again else 128 + number        # CMD's own, where it had one
    killed = 137 if times == 2 and start is in_launching else status   # by the second, if that finds it alive
    assert got.rc in (status, killed), got.stdout
    assert moves(got)[-1] == "stopped" and "never" not in got.stdout


# ------------------------------------------------------------------ events

@pytest.mark.parametrize("by_fd", [False, True])
def test_events_of_pull_and_worker_go_where_they_are_wanted(worker, models, hub, tmp_path, by_fd):
    models.small(REPO)
    events = tmp_path / "events.jsonl"
    with open(events, "w") as file:
        where = f"fd:{file.fileno()}" if by_fd else events
        got = worker("sh", "-c", "ls -l /proc/self/fd", models=[f"hf:{REPO}"], hub=hub(), options=["--events", where],
                     pass_fds=[file.fileno()] if by_fd else []).finish()
    assert got.rc == 0, got.stderr
    assert "events.jsonl" not in got.stdout             # CMD has none of it
    told = [json.loads(line) for line in events.read_text().splitlines()]
    assert [e["state"] for e in told if e["event"] == "state"] == moves(got)
    assert {"start", "file", "published", "done"} <= {e["event"] for e in told}
    assert "{" not in got.stdout


@pytest.mark.parametrize("where", ["fd:77", "fd:x", "/nowhere/events"])
def test_events_that_cannot_be_written_are_a_warning(worker, where):
    got = worker("echo", "served", options=["--events", where]).finish()
    assert got.rc == 0 and "served" in got.stdout
    assert f"--events {where} cannot be written: " in got.stdout


# ------------------------------------------------------------------ models

def users(hostler, volume):
    """host -> what it has in use, as `hostler ls` says"""
    found = json.loads(hostler("ls", "--volume", volume, "--json").stdout)["models"]
    return {host: sorted(m["model"] for m in found if host in m["in_use"]) for m in found for host in m["in_use"]}


def test_models_are_marked_in_use_as_long_as_their_worker_lives(worker, models, hub, hostler, volume):
    models.small(REPO)
    models.small("org/other")
    origin = hub()
    both = [worker("sh", "-c", "echo up; sleep 1000", models=[f"hf:{REPO}"], hub=origin,
                   env={"HOSTLER_HOST": host, "HOSTLER_RUNTIME_DIR": str(volume.parent / f"runtime-{host}")})
            for host in ("one", "two")]
    for child in both:
        wait_for(child, "up")
    assert hostler.pull("hf:org/other", hub=origin).rc == 0
    assert users(hostler, volume) == {"one": [f"hf:{REPO}"], "two": [f"hf:{REPO}"]}
    shown = hostler("ls", "--volume", volume).stdout
    assert re.search(rf"hf:{REPO} .* in use by (one|two) and 1 more", shown) and "other" in shown
    both[0].signal(signal.SIGTERM)
    assert both[0].finish().rc == 143
    assert users(hostler, volume) == {"two": [f"hf:{REPO}"]}
    os.kill(both[1].pid, signal.SIGKILL)
    both[1].process.wait()
    assert users(hostler, volume) == {}                 # its flock is free, on this kernel
    left = list((volume / ".hostler/uses").iterdir())
    assert len(left) == 1
    got = worker("true", models=[f"hf:{REPO}"], hub=origin).finish()
    assert got.rc == 0 and list((volume / ".hostler/uses").iterdir()) == []


def test_a_volume_that_cannot_be_written_cannot_be_marked_and_serves_all_the_same(worker, models, hub, hostler, volume):
    models.small(REPO)
    origin = hub()
    assert hostler.pull(f"hf:{REPO}", hub=origin).rc == 0
    (volume / ".hostler/uses").write_text("")           # where the folder of the marks should be
    got = worker("echo", "served", models=[f"hf:{REPO}"], hub=origin).finish()
    assert got.rc == 0 and "served" in got.stdout
    assert "the models cannot be marked in use on the volume: " in got.stdout


def test_paths_and_names_stand_in_the_command(worker, models, hub, volume):
    models.small(REPO)
    script = 'cat "$1/config.json" >/dev/null && echo "got $1 $2 $3"'
    got = worker("sh", "-c", script, "-", "{path:m0}", "--as={name:m0}", "{other}", models=[f"hf:{REPO}"], hub=hub()).finish()
    assert got.rc == 0, got.stdout
    assert f"got {volume}/vllm/{REPO} --as={REPO} {{other}}" in got.stdout
    assert moves(got) == ["gating", "checking", "waiting", "checking", "downloading", "publishing", "launching", "running", "draining", "stopped"]


def test_a_model_that_the_worker_does_not_have_is_named_before_anything_is_fetched(worker, models, hub, volume):
    models.small(REPO)
    origin = hub()
    got = worker("echo", "{path:m9}", models=[f"hf:{REPO}"], hub=origin).finish()
    assert got.rc == 2 and "m9" in got.stderr and "m0" in got.stderr
    assert origin.requests() == 0


def test_the_command_finds_the_stores_and_stays_offline(worker, models, hub, volume):
    models.small(REPO)
    origin = hub()
    got = worker("env", models=[f"hf:{REPO}"], hub=origin).finish()
    variables = dict(line.split("=", 1) for line in got.stdout.splitlines() if re.match(r"[A-Z_]+=", line))
    assert variables["HF_HOME"] == f"{volume}/huggingface"
    assert variables["HF_HUB_OFFLINE"] == "1"
    assert variables["OLLAMA_MODELS"] == f"{volume}/ollama"
    got = worker("env", models=[f"hf:{REPO}"], hub=origin, env={"HF_HUB_OFFLINE": "0"}).finish()
    assert "\nHF_HUB_OFFLINE=0\n" in got.stdout


def test_a_pull_that_fails_is_the_end_and_its_status_ours(worker, models, hub):
    got = worker("echo", "never", models=["hf:org/none"], hub=hub()).finish()
    assert got.rc == 4 and "never" not in got.stdout.splitlines()
    assert moves(got)[-1] == "failed"


@pytest.mark.parametrize("before, words", [(["--"], ["download-models.sh"]), (["--worker", "vllm", "--"], ["/app/bin/download-models.sh"])])
def test_the_guide_s_script_takes_the_place_of_run(hostler, models, hub, volume, tmp_path, before, words):
    models.small(REPO)
    config = tmp_path / "hostler.yaml"
    config.write_text(json.dumps({"models": {"m": {"source": f"hf:{REPO}"}},
                                  "workers": {"mine": {"models": ["m"], "engine": "none", "gpu": "none"}}}))
    got = hostler("run", *before, *words, "mine", hub=hub(), env={"MODEL_CACHE_DIR": volume, "HOSTLER_CONFIG": config})
    assert got.rc == 0, got.stderr
    assert any("Downloading" in line for line in got.stdout.splitlines())
    assert not STATES.search(got.stdout)
    assert_complete(volume, REPO, models.files(REPO))


# ------------------------------------------------------------------ readiness

@pytest.mark.parametrize("options", [
    lambda port: ["--ready-http", f"http://127.0.0.1:{port}/health"],
    lambda port: ["--ready-tcp", port],
    lambda port: ["--ready-cmd", f"""{sys.executable} -c 'import socket; socket.create_connection(("127.0.0.1", {port}))'"""],
], ids=["http", "tcp", "cmd"])
def test_it_is_ready_when_the_named_check_holds(worker, port, options):
    child = worker(sys.executable, ENGINE, "--port", port, "--fails", 2, options=options(port))
    wait_for(child, "launching -> running")
    assert child.out.text.index("engine listens") < child.out.text.index("launching -> running")
    assert worker.status("--ready").rc == 0
    assert "state      running" in worker.status().stdout
    child.signal(signal.SIGTERM)
    assert child.finish().rc == 143


@pytest.mark.parametrize("names", [["--served-model-name", "mine"], []], ids=["served by a name", "as it is given"])
def test_vllm_is_ready_when_it_lists_the_model(worker, port, tmp_path, names):
    vllm = tmp_path / "vllm"
    vllm.write_text(f"#!/bin/sh\nexec {sys.executable} {ENGINE} \"$@\"\n")
    vllm.chmod(0o755)
    child = worker(vllm, "serve", "x", "--port", port, *names, "--fails", 3, engine="vllm")
    wait_for(child, "launching -> running")
    child.signal(signal.SIGTERM)
    child.finish()


def test_ollama_beside_the_command_is_awaited_and_ended_last(worker, port, tmp_path):
    ollama = tmp_path / "ollama"
    ollama.write_text(f"#!/bin/sh\necho beside; exec {sys.executable} {ENGINE} --port {port} --fails 2\n")
    ollama.chmod(0o755)
    child = worker("sh", "-c", "echo main; sleep 1000", options=["--with", f"{ollama} serve"],
                   env={"OLLAMA_HOST": f"127.0.0.1:{port}"})
    wait_for(child, "main")
    assert child.out.text.index("engine listens") < child.out.text.index("main")
    child.signal(signal.SIGTERM)
    assert child.finish().rc == 143
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port))


def test_ollama_has_loaded_the_models_before_it_counts_as_ready(worker, registry, front, volume, port, tmp_path):
    source = Ollama(registry, front)
    source.make("org/o", 9_000_000, 2, seed=2)
    source.serve()
    ollama = tmp_path / "ollama"
    tags = "org/o:latest,org/o:twin"
    ollama.write_text(f"#!/bin/sh\nexec {sys.executable} {ENGINE} --port {port} --tags {tags} --embeds org/o:twin\n")
    ollama.chmod(0o755)
    child = worker(ollama, "serve", models=["ollama:org/o", "ollama:org/o:twin"], engine="ollama",
                   options=["--preload"],
                   env={"OLLAMA_HOST": f"127.0.0.1:{port}", "OLLAMA_REGISTRY": source.origin.url})
    wait_for(child, "launching -> running")
    loaded = re.findall(r"loaded (\S+) (\S+)", child.out.text.split("launching -> running")[0])
    assert loaded == [("org/o:latest", "/api/generate"), ("org/o:twin", "/api/embed")]
    child.signal(signal.SIGTERM)
    assert child.finish().rc == 143


def test_a_server_beside_it_that_dies_ends_the_command(worker):
    got = worker("sleep", "1000", options=["--with", "sh -c 'sleep 0.3; exit 6'"]).finish(20)
    assert got.rc == 6
    assert "failed: sh, which stood beside sleep, ended with status 6" in got.stdout


def test_a_command_that_is_not_ready_in_time_is_ended(worker, port):
    got = worker("sleep", "1000", options=["--ready-tcp", port, "--start-timeout", "1s"]).finish(20)
    assert got.rc == 8
    assert got.stderr.startswith(f"hostler: sleep was not ready within 1s: ")
    assert moves(got)[-2:] == ["draining", "failed"]


def test_the_service_manager_is_told(worker, tmp_path, port):
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(tmp_path / "notify"))
    manager.settimeout(20 * SLOW)
    child = worker("sh", "-c", "echo ${NOTIFY_SOCKET:-unset}; sleep 1000", env={"NOTIFY_SOCKET": str(tmp_path / "notify")})
    heard = ""
    while "READY=1" not in heard:
        heard += manager.recv(4096).decode() + "\n"
    wait_for(child, "unset")
    child.signal(signal.SIGTERM)
    while "STOPPING=1" not in heard:
        heard += manager.recv(4096).decode() + "\n"
    child.finish()
    manager.close()


# ------------------------------------------------------------------ status

def test_status_is_json_too_and_a_worker_that_never_was_is_not_live(worker, hostler, volume, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    got = hostler("status", "--volume", volume, env={"HOSTLER_RUNTIME_DIR": str(empty)})
    assert got.rc == 3 and "no worker has run here" in got.stderr
    assert hostler("status", "--live", "--volume", volume, env={"HOSTLER_RUNTIME_DIR": str(empty)}).rc == 1
    child = worker("sh", "-c", "echo up; sleep 1000")
    wait_for(child, "launching -> running")
    told = json.loads(worker.status("--json").stdout)
    assert (told["state"], told["process"], told["type"]) == ("running", "alive", "mine")
    child.signal(signal.SIGTERM)
    child.finish()


def test_the_states_are_printed_from_their_table(hostler):
    got = hostler("help", "states")
    assert got.rc == 0
    assert "| running | launching, draining, stopped, failed | yes | yes | yes |" in got.stdout
    page = (pathlib.Path(__file__).parents[2] / "doc" / "spin-up.md").read_text()
    assert got.stdout in page


# ------------------------------------------------------------------ at a terminal, and as PID 1 of a container

AT_TERMINAL = ["-c", "import os, sys; os.setsid(); os.dup2(os.open(sys.argv[1], os.O_RDWR), 0); os.execvp(sys.argv[2], sys.argv[2:])"]


def test_the_command_has_the_terminal_reads_it_and_is_who_ctrl_c_reaches(worker):
    ours, its = pty.openpty()
    script = "read word; echo got $word; trap 'echo interrupted; exit 9' INT; echo up; while :; do sleep 0.05; done"
    child = worker("sh", "-c", script, wrap=[sys.executable, *AT_TERMINAL, os.ttyname(its)])
    wait_for(child, "-> running")
    os.write(ours, b"hello\n")
    wait_for(child, "up")
    assert "got hello" in child.out.text
    assert os.tcgetpgrp(ours) != child.pid          # it would be the program's own group
    os.write(ours, b"\x03")
    got = child.finish()
    assert got.rc == 9 and "interrupted" in got.stdout
    assert "told to end" not in got.stdout          # so it was not us who were asked


def test_as_pid_1_it_reaps_all_orphans_and_obeys_signals(worker, root):
    script = "echo I $$ of $PPID; (sleep 0.01 & echo $! >$1); while [ -d /proc/$(cat $1) ]; do sleep 0.02; done; echo reaped; sleep 1000"
    child = worker("sh", "-c", script, "sh", worker.folder / "orphan", wrap=["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"])
    wait_for(child, "reaped")
    assert re.search(r"^I \d+ of 1$", child.out.text, re.M)
    [first] = pathlib.Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
    os.kill(int(first), signal.SIGTERM)
    got = child.finish()
    assert got.rc == 143 and moves(got)[-2:] == ["draining", "stopped"]


@pytest.mark.parametrize("words, warned", [(["{path:m0}"], True), (["{path:m0}", "--served-model-name", "mine"], False), (["org/x"], False)])
def test_vllm_that_takes_a_path_for_its_name_is_a_warning(worker, models, hub, words, warned):
    models.small(REPO)
    got = worker("true", *words, models=[f"hf:{REPO}"], hub=hub(), engine="vllm", options=["--ready-cmd", "true"]).finish()
    assert got.rc == 0, got.stdout
    assert ("WARN vllm gets a path and no --served-model-name: its clients must ask for the model by that path; "
            "add --served-model-name {name:MODEL}" in got.stdout) == warned
