"""The forms in which others read a plan: compose, Kubernetes, docker, a shell's variables, a picture."""
import json
import shlex
import subprocess
import xml.etree.ElementTree

import kubernetes_validate
import pytest
import yaml

pytestmark = pytest.mark.sanitize

EVIL = 'GPU-"\'$(touch x)`;\n#<&>'
PLANS = [["mistral-7b-instruct"], ["gpu-worker"], ["gpu-worker", "embedding", "ocr"], ["vllm", "--tp", "2"],
         ["mistral-7b-instruct", "--eager", "--kv-cache-dtype", "fp8", "--dtype", "fp8"], ["cpu-worker"], ["all"]]
CARDS = ["--gpu", "2xRTX 4090"]


@pytest.fixture
def form(hostler, volume):
    def run(name, *words, rc=0):
        got = hostler("plan", "--format", name, "--offline", "--volume", volume, *words)
        assert got.rc == rc, got.stderr
        return got.stdout

    return run


@pytest.fixture
def evil(tmp_path):
    """the words that name an inventory and a model whose names would break out of any quotes"""
    inventory = tmp_path / "evil.json"
    inventory.write_text(json.dumps({"gpus": [{"uuid": EVIL, "name": EVIL, "cuda_total_mib": 24124}]}))
    config = tmp_path / "hostler.yaml"
    config.write_text("models:\n  \"bad'$(touch)\": {source: hf:mistralai/Mistral-7B-Instruct-v0.2, kind: llm}\n")
    return ["--config", config, "--gpus-from", inventory, "bad'$(touch)"]


# ------------------------------------------------------------------ compose

def compose(text, tmp_path):
    """as docker-compose 1.29.2 of Debian 12 reads it"""
    path = tmp_path / "compose.yml"
    path.write_text(text)
    got = subprocess.run(["docker-compose", "-f", path, "config"], capture_output=True, text=True, timeout=120)
    assert got.returncode == 0, got.stderr
    return yaml.safe_load(got.stdout.replace("$$", "$"))["services"]     # it doubles them again


@pytest.mark.parametrize("words", PLANS, ids=" ".join)
def test_docker_compose_takes_the_file(words, form, tmp_path):
    text = form("compose", *CARDS, *words)
    assert "gpus:" not in text and "CUDA_VISIBLE_DEVICES" not in text
    if words != ["all"]:
        assert compose(text, tmp_path)


def test_engines_that_share_a_gpu_start_one_after_the_other_and_ollama_last(form, tmp_path):
    services = compose(form("compose", "--gpu", "A6000", "vllm", "gpu-worker", "ocr"), tmp_path)
    order = ["vllm-mistral-7b-instruct", "gpu-worker-mistral-7b-instruct", "gpu-worker-ollama", "ocr-ollama"]
    assert set(services) == set(order)
    assert "depends_on" not in services[order[0]]
    for before, name in zip(order, order[1:]):
        assert services[name]["depends_on"] == {before: {"condition": "service_healthy"}}


def test_what_an_engine_is_told_is_written_out(form, tmp_path):
    service = compose(form("compose", *CARDS, "vllm", "--tp", "2", "--context", "8192"), tmp_path)["vllm-mistral-7b-instruct"]
    assert service["entrypoint"] == ["vllm", "serve"]
    assert service["command"][:9] == [
        "/models/vllm/mistralai/Mistral-7B-Instruct-v0.2", "--served-model-name", "mistralai/Mistral-7B-Instruct-v0.2",
        "--dtype", "bfloat16", "--max-model-len", "8192", "--gpu-memory-utilization", "0.92"]
    assert service["command"][9:] == ["--max-num-seqs", "256", "--max-num-batched-tokens", "2048", "--tensor-parallel-size", "2"]
    assert service["ipc"] == "host"
    device = service["deploy"]["resources"]["reservations"]["devices"][0]
    assert (device["device_ids"], device["capabilities"]) == (["GPU-1", "GPU-2"], ["gpu"])
    assert service["environment"] == {"HF_HOME": "/models/huggingface", "HF_HUB_OFFLINE": "1"}


def test_what_does_not_run_is_left_out_with_a_comment(form):
    text = form("compose", "--gpu", "8GB", "mistral-7b-instruct", rc=11)
    assert text.startswith("# mistral-7b-instruct is left out (no): the weights and the working memory alone are ")
    assert yaml.safe_load(text) == {"services": {}}


# ------------------------------------------------------------------ Kubernetes

@pytest.mark.parametrize("words", PLANS, ids=" ".join)
def test_kubernetes_takes_the_deployments(words, form):
    for document in filter(None, yaml.safe_load_all(form("k8s", *CARDS, *words))):
        kubernetes_validate.validate(document, "1.29", strict=True)


def test_a_pod_asks_for_whole_gpus_and_for_shared_memory_with_several(form):
    pod, = yaml.safe_load_all(form("k8s", *CARDS, "vllm", "--tp", "2"))
    spec = pod["spec"]["template"]["spec"]
    assert spec["containers"][0]["resources"] == {"limits": {"nvidia.com/gpu": "2"}}
    assert {"name": "shm", "emptyDir": {"medium": "Memory"}} in spec["volumes"]


# ------------------------------------------------------------------ docker, env

def test_docker_lines_are_what_a_shell_reads(form):
    lines = [shlex.split(line) for line in form("docker", *CARDS, "gpu-worker", "--no-variants").splitlines() if line[0] != "#"]
    vllm, ollama = lines
    assert vllm[:6] == ["docker", "run", "-d", "--name", "gpu-worker-mistral-7b-instruct", "--gpus"]
    assert vllm[6] == '"device=GPU-1"'
    assert "serve" in vllm and vllm[vllm.index("--max-model-len") + 1] == "4096"
    assert ollama[-1].startswith("ollama/ollama:") and "OLLAMA_CONTEXT_LENGTH=4096" in ollama


def sourced(text, tmp_path, *names):
    path = tmp_path / "plan.env"
    path.write_text(text)
    script = f". {path}; printf '%s\\0' " + " ".join(f'"${n}"' for n in names)
    got = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert got.returncode == 0, got.stderr
    assert not (tmp_path / "x").exists()
    return got.stdout.split("\0")[:-1]


def test_variables_are_sourced_by_a_shell(form, tmp_path):
    names = ["VLLM_GPU_UUIDS", "VLLM_GPU_MEMORY_UTILIZATION", "VLLM_MAX_MODEL_LEN", "VLLM_TENSOR_PARALLEL_SIZE",
             "OLLAMA_CONTEXT_LENGTH", "OLLAMA_GPU_UUIDS"]
    assert sourced(form("env", "--gpu", "RTX 4090", "gpu-worker"), tmp_path, *names) == [
        "GPU-1", "0.67", "4096", "1", "4096", "GPU-1"]


def test_of_several_engines_each_has_its_own_prefix(form, tmp_path):
    text = form("env", "--gpu", "A6000", "gpu-worker", "vllm", "ocr")
    assert sourced(text, tmp_path, "GPU_WORKER_MISTRAL_7B_INSTRUCT_VLLM_MAX_MODEL_LEN", "OCR_OLLAMA_CONTEXT_LENGTH") == [
        "4096", "4096"]


def test_names_never_break_out_of_their_quotes(form, evil, tmp_path):
    assert sourced(form("env", *evil), tmp_path, "VLLM_GPU_UUIDS") == [EVIL]
    assert EVIL in shlex.split(form("docker", *evil))[6]
    services = compose(form("compose", *evil), tmp_path)
    assert list(services) == ["bad-touch"]
    assert services["bad-touch"]["deploy"]["resources"]["reservations"]["devices"][0]["device_ids"] == [EVIL]
    xml.etree.ElementTree.fromstring(form("svg", *evil))
    assert json.loads(form("json", *evil))["gpus"][0]["uuid"] == EVIL
    assert list(yaml.safe_load_all(form("k8s", *evil)))
    assert "\n#<" not in form("table", *evil)


# ------------------------------------------------------------------ the picture

def test_the_picture_is_as_wide_as_the_memory_it_shows(form):
    picture = xml.etree.ElementTree.fromstring(form("svg", "--gpu", "RTX 4090", "--gpu", "L4", "gpu-worker", "ocr"))
    space = "{http://www.w3.org/2000/svg}"
    assert not picture.findall(f".//{space}script") and not picture.findall(f".//{space}image")
    bars = {}
    for rect in picture.findall(f"{space}rect"):
        title = rect.find(f"{space}title")
        if title is not None:
            bars.setdefault(rect.get("y"), []).append((title.text, int(rect.get("x")), int(rect.get("width"))))
    assert len(bars) == 2
    for whole, *parts in bars.values():
        assert whole[0].startswith("in all: ")
        at = whole[1]
        for _, x, width in parts:           # one behind the other, and none beyond the end
            assert x == at
            at += width
        assert at <= whole[1] + whole[2]
    mistral = next(p for p in bars["10"] if "mistral" in p[0])
    assert abs(mistral[2] - 600 * (16163 + 512) / 24124) <= 1
