"""End to end: the worker types of the guide, each a host of its own, on one empty volume, with a coordinator that sees all."""
import json
import os
import pathlib
import re
import signal
import types

import pytest
from conftest import hostler_binary
from coordinating import Coordinator
from registry import make_model
from volume import wait_until

HF = {"mistralai/Mistral-7B-Instruct-v0.2": 6_000_000, "sentence-transformers/all-MiniLM-L6-v2": 1_000_000}
OLLAMA = {"library/llava:7b": 5_000_000, "library/llava:34b-v1.6-q4_K_M": 8_000_000, "library/llama3.2:latest": 3_000_000,
          "library/nomic-embed-text:latest": 1_000_000}
TYPES = {"vllm": 1, "gpu-worker": 4, "gpu-highmem": 2, "ocr": 1, "embedding": 2, "cpu-worker": 2}     # models of each
GPU = "gpu GPU-a100a100-0000-0000-0000-000000000003 8.0 81920 700 80000 NVIDIA A100-SXM4-80GB"


class Loopback:
    """All on one host, also where nobody may give the workers hosts of their own."""
    address, second, apart = "127.0.0.1", "127.0.0.2", False

    def host(self):
        return types.SimpleNamespace(wrap=[])


@pytest.fixture(params=["one host", "a host each"])
def lan(request):
    """where the workers are, this process at lan.address and lan.second"""
    return Loopback() if request.param == "one host" else request.getfixturevalue("network")()


@pytest.fixture
def origins(lan, models, hub, registry, front):
    """a hub and a registry that have small models by the names of the built-in ones"""
    for seed, (repo, size) in enumerate(HF.items()):
        models.small(repo, weights=size, seed=seed)
    there = registry()
    made = {name: make_model(size=size, seed=7 + i) for i, (name, size) in enumerate(OLLAMA.items())}
    for name, model in made.items():
        there.push(name, model)
    return hub("--rate", 20_000_000, "--host", lan.address, "--cdn-bind", lan.second), front(there, host=lan.address), made


def test_six_types_fill_one_volume_once_and_are_seen_running(lan, hostler, volume, tmp_path, origins, models):
    hub, registry, made = origins
    at = Coordinator(hostler, "--data-dir", tmp_path / "registry", address=lan.address)
    scenario = tmp_path / "scenario"
    scenario.write_text(GPU + "\n")
    workers = {}
    for name in TYPES:
        runtime = tmp_path / f"runtime-{name}"
        runtime.mkdir()
        workers[name] = hostler.start(
            "run", "--volume", volume, "--worker", name, "--ready-cmd", "true", "--label", f"of={name}", "--",
            "sh", "-c", "echo serving; sleep 1000", hub=hub, wrap=lan.host().wrap,
            env={"OLLAMA_REGISTRY": registry.url, "HOSTLER_INSECURE_HTTP": f"{lan.address},{lan.second}",
                 "COORDINATOR_URL": at.url, "WORKER_ID": name, "HOSTLER_HOST": f"host-of-{name}",
                 "HOSTLER_RUNTIME_DIR": str(runtime), "FAKE_NVML": str(scenario),
                 "LD_LIBRARY_PATH": str(pathlib.Path(hostler_binary()).parent / "test/tools")})
    assert len({os.readlink(f"/proc/{child.pid}/ns/net") for child in workers.values()}) == (len(TYPES) if lan.apart else 1)
    wait_until(lambda: all(state == "running" for state in at.states().values()) and len(at.states()) == len(TYPES), 60)
    listed = {w["id"]: w for w in at.workers()}
    assert {name: len(w["models"]) for name, w in listed.items()} == TYPES
    assert all(w["labels"] == {"of": name} and w["host"] == f"host-of-{name}" for name, w in listed.items())
    assert listed["vllm"]["gpus"][0]["uuid"] == GPU.split()[1]

    # Each byte has crossed the origin's wire once, whoever of the six fetched it.
    assert hub.bytes_sent("cdn") == sum(models.bytes(repo, lfs=True) for repo in HF)
    blobs = {hex_digest: blob.size for model in made.values() for hex_digest, blob in model.blobs.items()}
    assert {p.name: p.stat().st_size for p in (volume / "ollama/blobs").iterdir()} == {f"sha256-{h}": n for h, n in blobs.items()}

    # The volume says who uses what; the models of several types by several hosts.
    stock = {m["model"]: set(m["in_use"]) for m in json.loads(hostler("ls", "--volume", volume, "--json").stdout)["models"]}
    assert stock["hf:mistralai/Mistral-7B-Instruct-v0.2"] == {f"host-of-{t}" for t in ("vllm", "gpu-worker", "gpu-highmem")}
    assert stock["ollama:llava:34b-v1.6-q4_K_M"] == {"host-of-gpu-highmem"}

    # What a gateway asks: nobody has said where he serves.
    assert at.ask("/v1/models/mistral-7b-instruct/endpoints")[1]["endpoints"] == []
    for child in workers.values():
        child.signal(signal.SIGTERM)
    for name, child in workers.items():
        got = child.finish()
        assert got.rc == 143 and "serving" in got.stdout, f"{name}: {got.stdout}"
    assert set(at.states().values()) == {"stopped"}
    again = hostler("run", "--volume", volume, "--worker", "vllm", "--", "true", hub=hub, wrap=lan.host().wrap,
                    env={"HOSTLER_RUNTIME_DIR": str(tmp_path), "ENABLE_GPU": "false"})
    assert again.rc == 0 and re.search("Complete .*Mistral", again.stdout)


def test_a_worker_whose_cable_is_pulled_says_so_is_lost_meanwhile_and_goes_on(network, hostler, volume, tmp_path, models, hub):
    lan = network()
    models.small("org/m", weights=8_000_000, shards=2)
    origin = hub("--rate", 1_500_000, "--sndbuf", 65536, "--host", lan.address, "--cdn-bind", lan.second)
    at = Coordinator(hostler, "--data-dir", tmp_path / "registry", "--ttl", "1500ms", address=lan.address)
    config = tmp_path / "hostler.yaml"
    config.write_text(json.dumps({"models": {"m": {"source": "hf:org/m"}},
                                  "workers": {"mine": {"models": ["m"], "engine": "none", "gpu": "none"}}}))
    host = lan.host()
    child = hostler.start(
        "run", "--config", config, "--volume", volume, "--worker", "mine", "-j", "2", "--give-up", "16s", "--",
        "sh", "-c", "echo up; sleep 1000", hub=origin, wrap=host.wrap,      # half of --give-up without a byte is a stall
        env={"COORDINATOR_URL": at.url, "WORKER_ID": "w", "HOSTLER_RUNTIME_DIR": str(tmp_path),
             "HOSTLER_INSECURE_HTTP": f"{lan.address},{lan.second}"})

    def shown():
        return next(iter(at.workers()), {"state": None, "progress": {"bytes": 0}})

    wait_until(lambda: shown()["progress"]["bytes"] >= 4_000_000)
    host.cable.pull()
    assert shown()["state"] == "downloading"
    wait_until(lambda: shown()["state"] == "lost")
    child.out.wait_for(f"WARN the coordinator {at.url}/ cannot be told how this worker is: {at.url[7:]}: "
                       "(cannot connect: No route to host|no (connection|answer) in time);", 20)
    child.out.wait_for(rf"hf:org/m: model-\S+: {lan.second}:\d+: nearly nothing comes any more; trying again", 20)
    before = shown()
    assert before["state"] == "lost"
    host.cable.plug()
    wait_until(lambda: shown()["state"] == "downloading" and shown()["progress"]["bytes"] > before["progress"]["bytes"])
    wait_until(lambda: shown()["state"] == "running")
    child.out.wait_for(f"the coordinator {at.url}/ is back, and knows of w again", 20)
    # What had come was not asked for again, but for what two connections had on their way.
    assert origin.bytes_sent("cdn") < models.bytes("org/m", lfs=True) + 1_500_000
    child.signal(signal.SIGTERM)
    assert child.finish().rc == 143
