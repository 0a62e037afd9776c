"""What `run` hears of its engine while it starts: figures for later plans, and why it died of too little memory."""
import hashlib
import json
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import sys

import pytest
from conftest import SLOW, hostler_binary

pytestmark = pytest.mark.sanitize

ENGINE = pathlib.Path(__file__).parents[1] / "tools" / "engine.py"
REPO = "org/net"
LOG = """\
(APIServer pid=1) INFO 11-27 10:00:00 [api_server.py:1882] vLLM API server version 0.10.2
(EngineCore pid=9) INFO 11-27 10:00:00 [worker.py:1] Free memory on device cuda:0 (23.05/23.56 GiB) on startup. \
Desired GPU memory utilization is (0.92, 21.68 GiB).
(EngineCore pid=9) INFO 11-27 10:00:01 [gpu_model_runner.py:2] Model loading took 13.5084 GiB memory and 5.6 seconds
(EngineCore pid=9) INFO 11-27 10:00:09 [gpu_worker.py:298] Available KV cache memory: 6.82 GiB
"""
SETTINGS = ["--max-model-len", "4096", "--max-num-seqs", "256", "--max-num-batched-tokens", "2048"]


@pytest.fixture
def port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture
def worker(hostler, volume, models, hub, tmp_path):
    """worker(shell script of the engine, options...) of a type with one model, on a 24 GB card"""
    models.small(REPO, more={"config.json": json.dumps(
        {"model_type": "llama", "hidden_size": 64, "intermediate_size": 176, "num_hidden_layers": 2, "num_attention_heads": 4,
         "vocab_size": 320, "max_position_embeddings": 8192})})
    origin = hub()
    config = tmp_path / "hostler.yaml"
    config.write_text(f"models:\n  net: {{source: 'hf:{REPO}', kind: llm}}\n"
                      "workers:\n  net: {models: [net], engine: vllm, gpu: required}\n")
    gpus = tmp_path / "gpus.json"
    gpus.write_text(json.dumps({"gpus": [{"uuid": "GPU-0", "name": "NVIDIA L4", "total_mib": 23034, "reserved_mib": 455}]}))
    vllm = tmp_path / "vllm"

    def run(script, *options, words=(), **how):
        vllm.write_text("#!/bin/sh\n" + script + "\n")
        vllm.chmod(0o755)
        return hostler.start("run", "--worker", "net", "--config", config, "--volume", volume, "--gpus-from", gpus, *options,
                             "--", vllm, "serve", *words, hub=origin, **how)

    def prepared():
        """the words of a run that needs no hub any more"""
        assert run("true").finish().rc == 0
        return [hostler_binary(), "run", "--worker", "net", "--config", config, "--volume", volume, "--gpus-from", gpus]

    run.hostler, run.gpus, run.config, run.volume, run.prepared = hostler, gpus, config, volume, prepared
    run.env = hostler.env() | {"HF_ENDPOINT": "http://127.0.0.1:9"}
    return run


def engine(port, text=LOG):
    return f"printf %s {shlex.quote(text)}\nexec {sys.executable} {ENGINE} serve --port {port} --served-model-name x"


def planned(worker, *words):
    got = worker.hostler("plan", "--json", "--config", worker.config, "--volume", worker.volume, "--gpus-from", worker.gpus,
                         "--offline", *words)
    return json.loads(got.stdout)["items"][0]


def test_what_the_engine_says_at_its_start_is_what_later_plans_go_by(worker, port):
    child = worker(engine(port), "--ready-tcp", port, words=["--port", port, *SETTINGS])
    child.out.wait_for("launching -> running", 30)
    child.signal(signal.SIGTERM)
    said = child.finish().stdout
    assert LOG in said
    assert "vllm took 13832 MiB for the weights and 1384 MiB beside them and its cache: later plans go by that" in said
    item = planned(worker, "net")
    assert {p["part"]: (p["mib"], p["source"]) for p in item["parts"]}["weights"] == (13832, "measured")
    assert item["activation_mib"] == 1384 and item["graphs_mib"] == 0
    assert {r["code"]: r["text"] for r in item["reasons"]}["learned"] == \
        "the working memory is what an earlier start with these settings took, of version 0.10.2"
    # another batch: the weights are known, the working memory is not
    other = planned(worker, "net", "--max-num-seqs", "128")
    assert "learned" not in [r["code"] for r in other["reasons"]]
    assert {p["part"]: p["source"] for p in other["parts"]}["weights"] == "measured"


def test_nothing_is_learned_where_it_is_off(worker, port):
    child = worker(engine(port), "--ready-tcp", port, "--learn", "off", words=["--port", port, *SETTINGS])
    child.out.wait_for("launching -> running", 30)
    child.signal(signal.SIGTERM)
    assert "later plans go by that" not in child.finish().stdout
    assert "learned" not in [r["code"] for r in planned(worker, "net")["reasons"]]


def test_an_engine_that_logs_into_a_file_is_heard_from_there(worker, port, tmp_path):
    log = tmp_path / "engine.log"
    log.write_text("Model loading took 99 GiB of an earlier start\n")
    script = engine(port, "").replace("printf %s ''", f"printf %s {shlex.quote(LOG)} >>{log}")
    child = worker(script, "--ready-tcp", port, "--learn-from", log, words=["--port", port, *SETTINGS])
    child.out.wait_for("launching -> running", 30)
    child.signal(signal.SIGTERM)
    said = child.finish().stdout
    assert "vllm took 13832 MiB for the weights and 1384 MiB beside them and its cache" in said and LOG not in said
    crash = worker(f"echo 'No available memory for the cache blocks' >>{log}; exit 1", "--learn-from", log).finish()
    assert crash.stdout.count("ERROR vllm: weights and working memory are more than vLLM's share") == 1


def stream_of(said):
    return next(line.split("=")[1] for line in said.splitlines() if line.startswith("stdout="))


WHICH = "i=$(stat -L -c %i /proc/$$/fd/1); echo stdout=$i >&2"


@pytest.mark.parametrize("learn, to, own", [("off", "pipe", True), ("auto", "pipe", False), ("auto", "file", True),
                                            ("on", "file", False)])
def test_the_child_has_our_stream_itself_where_nothing_is_heard(learn, to, own, worker, tmp_path):
    words = worker.prepared()
    with open(tmp_path / "out", "wb") as file:
        child = subprocess.Popen([*words, "--learn", learn, "--", "sh", "-c", WHICH], env=worker.env,
                                 stdout=file if to == "file" else subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        ours = os.fstat((file if to == "file" else child.stdout).fileno()).st_ino
        _, said = child.communicate(timeout=60 * SLOW)
    assert (int(stream_of(said)) == ours) == own


@pytest.mark.parametrize("size", [0, 1, 65536, 5_000_000])
def test_every_byte_comes_through_in_order(size, worker, tmp_path):
    data = tmp_path / "data"
    data.write_bytes(os.urandom(size))
    out = tmp_path / "out"
    words = [*worker.prepared(), "-q"]
    with open(out, "ab") as file:       # opened to append: splice cannot write there
        got = subprocess.run([*words, "--learn", "on", "--", "cat", data], stdout=file, stderr=subprocess.PIPE,
                             timeout=60 * SLOW, env=worker.env)
    assert got.returncode == 0, got.stderr
    assert out.read_bytes() == data.read_bytes()
    piped = subprocess.run([*words, "--", "cat", data], capture_output=True, timeout=60 * SLOW, env=worker.env)
    assert piped.returncode == 0, piped.stderr
    assert hashlib.sha256(piped.stdout).digest() == hashlib.sha256(data.read_bytes()).digest()


@pytest.mark.parametrize("learn", ["on", "off"])
def test_a_reader_that_has_gone_ends_the_engine_as_it_would_have_without_us(learn, worker):
    with subprocess.Popen([*worker.prepared(), "-q", "--learn", learn, "--", "yes"], env=worker.env,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdout.read(2) == b"y\n"
        child.stdout.close()
        assert child.wait(30 * SLOW) in (128 + signal.SIGPIPE, 1)   # yes may be told by EPIPE


def test_a_grandchild_that_keeps_the_stream_holds_nothing_up(worker):
    got = worker("echo last words; setsid sleep 1000 & exit 3", "--learn", "on", "--stop-timeout", "1s").finish()
    assert got.rc == 3
    assert "last words" in got.stdout


CRASHES = {
    "No available memory for the cache blocks. Try increasing `gpu_memory_utilization`":
        "vllm: weights and working memory are more than vLLM's share of the GPU, so that nothing is left for the cache; what "
        "would help: raise --gpu-memory-utilization, or --enforce-eager, a smaller --max-num-seqs, a quantised model, more GPUs",
    "Free memory on device cuda:0 (14.21/15.57 GiB) on startup is less than desired GPU memory utilization (0.92, 14.33 GiB).":
        "vllm: only 14.21 of 15.57 GiB of the GPU are free, and vLLM's share of it is larger: other processes hold the rest; what "
        "would help: --gpu-memory-utilization 0.91 at most, or end what holds the GPU (nvidia-smi lists it)",
    "Based on the available memory, the estimated maximum model length is 14720.":
        "vllm: the cache cannot hold one request of the whole context; what would help: --max-model-len 14720 at most, or "
        "--kv-cache-dtype fp8",
}


@pytest.mark.parametrize("line", CRASHES)
def test_an_engine_that_died_of_memory_says_why_and_what_would_help(line, worker):
    got = worker(f"echo 'ValueError: {line}'; exit 1").finish()
    assert got.rc == 1
    assert f"ERROR {CRASHES[line]}" in got.stdout


def test_one_that_became_ready_all_the_same_is_told_nothing_at_its_end(worker, port):
    child = worker(engine(port, "NCCL WARN No space left on device\n"), "--ready-tcp", port, words=["--port", port])
    child.out.wait_for("launching -> running", 30)
    child.signal(signal.SIGTERM)
    assert "what would help" not in child.finish().stdout


def test_an_engine_that_ends_well_is_told_nothing(worker):
    got = worker("echo 'No available memory for the cache blocks'; exit 0").finish()
    assert got.rc == 0 and "what would help" not in got.stdout
