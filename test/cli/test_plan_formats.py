"""The forms in which others read a plan: compose, Kubernetes, docker, a shell's variables, a picture."""
import csv
import json
import shlex
import subprocess
import xml.etree.ElementTree

import kubernetes_validate
import pytest
import yaml
from test_plan import sparse_model

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
    assert compose(text, tmp_path)


@pytest.mark.parametrize("words", PLANS, ids=" ".join)
def test_our_own_check_finds_no_fault_in_the_file(words, form, hostler, volume, tmp_path):
    path = tmp_path / "compose.yml"
    path.write_text(form("compose", *CARDS, *words))
    got = hostler("plan", "--check", path, "--json", "--volume", volume)
    assert got.rc == 0 and json.loads(got.stdout) == [], got.stdout + got.stderr


# a card, and what is asked of it: what is rendered is asked again
AGAIN = [("L4", "mistral-7b-instruct"), ("L4", "mistral-7b-instruct --context 32768"), ("RTX 4060 Ti", "vllm"),
         ("RTX 3060", "vllm"), ("RTX 3070", "vllm"), ("2xRTX 3060", "mistral-7b-instruct"), ("4xRTX 3070", "mistral-7b-instruct --tp 4"),
         ("L4", "mistral-7b-instruct --eager --max-num-seqs 16"), ("L4", "mistral-7b-instruct --kv-cache-dtype fp8"),
         ("RTX 4060 Ti", "mistral-7b-instruct --dtype fp8"), ("L4", "mistral-7b-instruct --max-num-batched-tokens 8192"),
         ("V100-32", "mistral-7b-instruct"), ("V100-32", "mistral-7b-instruct --utilization 0.6"), ("H100", "mistral-7b-instruct --dtype half")]
SAME = {"--max-model-len": "--context", "--gpu-memory-utilization": "--utilization", "--tensor-parallel-size": "--tp",
        "--enforce-eager": "--eager", "--quantization": "--dtype"}


def asked_again(command):
    """the options of hostler plan that say what vLLM is told"""
    options, rest = [], command[3:]
    while rest:
        name = rest.pop(0)
        value = [] if name == "--enforce-eager" else [rest.pop(0)]
        if name != "--dtype" or ("--quantization" not in command and value != ["auto"]):
            options += [SAME.get(name, name), *["half" if v == "float16" else v for v in value]]
    return options


@pytest.mark.parametrize("card,words", AGAIN)
def test_what_is_rendered_and_asked_again_gives_the_same_verdict(card, words, form, tmp_path):
    first = json.loads(form("json", "--gpu", card, *words.split()))["items"][0]
    service, = compose(form("compose", "--gpu", card, *words.split()), tmp_path).values()
    options = asked_again(service["command"])
    assert {"--context", "--utilization", "--max-num-seqs", "--max-num-batched-tokens"} <= set(options)
    again = json.loads(form("json", "--gpu", card, first["model"], *options))["items"][0]
    for key in ("verdict", "utilization", "context", "tp", "eager", "max_num_seqs", "max_num_batched_tokens", "kv_cache_dtype",
                "need_mib", "kv_tokens", "gpus"):
        assert again[key] == first[key], key


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


def test_a_dtype_is_that_of_the_weights_what_was_asked_for_or_half_where_there_is_no_bfloat16(form):
    def dtype(*words):
        text = form("docker", *words)
        return shlex.split(text)[shlex.split(text).index("--dtype") + 1]

    gptq = "hf:TheBloke/Mistral-7B-Instruct-v0.2-GPTQ"
    assert dtype("--gpu", "L4", gptq) == "float16"
    assert dtype("--gpu", "L4", gptq, "--dtype", "bfloat16") == "bfloat16"
    assert dtype("--gpu", "V100-32", "mistral-7b-instruct") == "half"


def test_an_instance_over_several_gpus_waits_for_who_is_on_any_of_them(form, tmp_path):
    config = tmp_path / "hostler.yaml"
    small = '{source: "hf:sentence-transformers/all-MiniLM-L6-v2", kind: embedding}'
    config.write_text(f"models:\n  one: {small}\n  other: {small}\n")
    words = ["--config", config, "--engine", "vllm", "--gpu", "2x12GB", "one", "other", "mistral-7b-instruct",
             "--pin", "one=GPU-1", "--pin", "other=GPU-2"]
    services = compose(form("compose", *words), tmp_path)
    assert len(services["mistral-7b-instruct"]["deploy"]["resources"]["reservations"]["devices"][0]["device_ids"]) == 2
    assert set(services["mistral-7b-instruct"]["depends_on"]) == {"one", "other"}
    assert "depends_on" not in services["one"] and "depends_on" not in services["other"]
    assert services["one"]["command"][-2:] == ["--runner", "pooling"]
    assert "--runner" not in services["mistral-7b-instruct"]["command"]


def test_vllm_on_the_cpu_is_left_out_and_other_engines_there_see_no_gpu(form, tmp_path):
    text = form("compose", *CARDS, "all")
    services = compose(text, tmp_path)
    assert list(services) == ["all-ollama"]
    assert services["all-ollama"]["environment"]["NVIDIA_VISIBLE_DEVICES"] == "void"
    assert "# all/mistral-7b-instruct is left out: on the CPU " in text and "utilization" not in text
    assert "UTILIZATION" not in form("env", *CARDS, "all")
    on_gpu = compose(form("compose", *CARDS, "ocr"), tmp_path)["ocr-ollama"]
    assert "NVIDIA_VISIBLE_DEVICES" not in on_gpu["environment"]


def test_names_that_become_the_same_are_told_apart(form, tmp_path):
    config = tmp_path / "hostler.yaml"
    ref = "{source: hf:mistralai/Mistral-7B-Instruct-v0.2, kind: llm}"
    names = ["a.b", "a-b", "a_b", "a-b-2", "x" * 60, "x" * 59]
    config.write_text("models:\n" + "".join(f"  {name}: {ref}\n" for name in names))
    words = ["--config", config, "--gpu", "4xH100", *names]
    services = compose(form("compose", *words), tmp_path)
    assert set(services) == {"a-b", "a-b-2", "a-b-3", "a-b-2-2", "x" * 50, "x" * 46 + "-2"}
    pods = list(filter(None, yaml.safe_load_all(form("k8s", *words))))
    assert len({pod["metadata"]["name"] for pod in pods}) == len(names)
    variables = [line.split("=")[0] for line in form("env", *words).splitlines() if line[0] != "#"]
    assert len(variables) == len(set(variables))


@pytest.mark.parametrize("revision,model,more", [
    ("", "/models/vllm/org/m", []), ("@v1", "org/m", ["--revision", "v1"]),
    ("@" + "0" * 40, f"/models/huggingface/hub/models--org--m/snapshots/{'0' * 40}", [])], ids=["default", "tag", "commit"])
def test_the_model_is_of_the_revision_that_was_planned(revision, model, more, form, volume):
    sparse_model(volume, "org/m", {
        "model_type": "llama", "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32,
        "num_key_value_heads": 8, "vocab_size": 128256, "max_position_embeddings": 131072, "torch_dtype": "bfloat16"}, 2471645608)
    (volume / "huggingface/hub/models--org--m/refs/v1").write_text("0" * 40)
    command = shlex.split(form("docker", "--gpu", "L4", "hf:org/m" + revision))
    assert command[command.index("serve") + 1:command.index("--dtype")] == [model, *more, "--served-model-name", "org/m"]


@pytest.mark.parametrize("name", ["with space", "a:b", "a,b", 'q"uote', "it's", "$HOME", "back\\slash"])
def test_the_volume_may_have_any_name(name, hostler, tmp_path):
    volume = tmp_path / name
    volume.mkdir()

    def form(kind):
        got = hostler("plan", "--offline", "--volume", volume, "--gpu", "L4", "--format", kind, "ocr")
        assert got.rc == 0, got.stderr
        return got.stdout

    mount, = compose(form("compose"), tmp_path)["ocr-ollama"]["volumes"]
    assert mount == f"{volume}:/models:rw" or (mount["source"], mount["target"]) == (str(volume), "/models")
    words = shlex.split(form("docker"))
    fields, = csv.reader([words[words.index("--mount") + 1]])
    assert fields == ["type=bind", f"source={volume}", "target=/models"]


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
    assert spec["enableServiceLinks"] is False      # a Service called vllm would set VLLM_PORT


@pytest.mark.parametrize("profile,resource", [("1g.10gb", "nvidia.com/mig-1g.10gb"), ("1g.10gb+me", "nvidia.com/mig-1g.10gb.me")])
def test_an_instance_of_a_gpu_is_asked_for_by_its_profile(profile, resource, form, tmp_path):
    inventory = tmp_path / "mig.json"
    inventory.write_text(json.dumps({"gpus": [{"uuid": "MIG-1", "cuda_total_mib": 9728, "sm": "9.0",
                                               "mig": {"parent": "GPU-p", "profile": profile}}]}))
    words = ["--gpus-from", inventory, "hf:TheBloke/Mistral-7B-Instruct-v0.2-GPTQ"]
    pod, = filter(None, yaml.safe_load_all(form("k8s", *words)))
    assert pod["spec"]["template"]["spec"]["containers"][0]["resources"] == {"limits": {resource: "1"}}
    service, = compose(form("compose", *words), tmp_path).values()
    assert service["deploy"]["resources"]["reservations"]["devices"][0]["device_ids"] == ["MIG-1"]


def test_pods_that_share_a_gpu_are_said_to_need_more_than_kubernetes_has(form):
    text = form("k8s", "--gpu", "A6000", "gpu-worker")
    assert text.count("# it shares GPU-1 with others of this plan: that takes time slicing or MPS") == 2
    assert "# create it only when gpu-worker-mistral-7b-instruct is ready\n" in text


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
    assert list(csv.reader([shlex.split(form("docker", *evil))[6]], strict=True)) == [["device=" + EVIL]]
    services = compose(form("compose", *evil), tmp_path)
    assert list(services) == ["bad-touch"]
    assert services["bad-touch"]["deploy"]["resources"]["reservations"]["devices"][0]["device_ids"] == [EVIL]
    xml.etree.ElementTree.fromstring(form("svg", *evil))
    assert json.loads(form("json", *evil))["gpus"][0]["uuid"] == EVIL
    assert list(yaml.safe_load_all(form("k8s", *evil)))
    assert "\n#<" not in form("table", *evil)


@pytest.mark.parametrize("odd", ["\x7f", "\x85", "\x9b", "\u2028", "\u202e", "\ufeff", "\ufffe", "\uffff", "\U0001f600", "\t"], ids=ascii)
def test_odd_characters_come_through_each_form(odd, form, tmp_path):
    name = f"GPU-{odd}-"
    inventory = tmp_path / "odd.json"
    inventory.write_text(json.dumps({"gpus": [{"uuid": name, "name": name, "cuda_total_mib": 24124}]}))
    words = ["--gpus-from", inventory, "mistral-7b-instruct"]
    service, = yaml.safe_load(form("compose", *words))["services"].values()
    assert service["deploy"]["resources"]["reservations"]["devices"][0]["device_ids"] == [name]
    assert sourced(form("env", *words), tmp_path, "VLLM_GPU_UUIDS") == [name]
    xml.etree.ElementTree.fromstring(form("svg", *words))


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
        assert at == whole[1] + whole[2]
        assert parts[-1][0].startswith("free: ")
    mistral = next(p for p in bars["10"] if "mistral" in p[0])
    assert abs(mistral[2] - 600 * (16163 + 512) / 24124) <= 1


@pytest.mark.parametrize("kind, warned", [("compose", True), ("docker", True), ("k8s", True), ("env", True), ("json", False)])
def test_a_store_that_lies_outside_the_volume_is_said_not_to_be_where_the_form_names_it(kind, warned, hostler, tmp_path):
    got = hostler("plan", "vllm", "--gpu", "L4", "--offline", "--format", kind,
                  env={"MODEL_CACHE_DIR": str(tmp_path), "HF_HUB_CACHE": "/elsewhere/hub"})
    assert got.rc == 0
    assert ("HF_HUB_CACHE is /elsewhere/hub, and the form names /models/huggingface/hub: mount it there, or put its own path into "
            "the form" in got.stderr) == warned
    assert "VLLM_CACHE" not in got.stderr and "OLLAMA_MODELS is" not in got.stderr
