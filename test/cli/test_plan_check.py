"""`hostler plan --check FILE`: what is wrong with a compose file, with the line and the mend.

compose/guide-*.yml are the files of the guide, as it has them.
"""
import json
import pathlib

import pytest

pytestmark = pytest.mark.sanitize

GUIDE = pathlib.Path(__file__).parent / "compose"
DEVICE = "deploy: {resources: {reservations: {devices: [{driver: nvidia, %s, capabilities: [gpu]}]}}}"


@pytest.fixture
def check(hostler, tmp_path):
    def run(text, *words):
        path = tmp_path / "compose.yml"
        path.write_text(text)
        got = hostler("plan", "--check", path, *words)
        run.said, run.stderr = got.stdout.replace(str(path), "FILE"), got.stderr.replace(str(path), "FILE")
        assert got.rc == (11 if got.stdout.strip() not in ("", "[]") else 0), got.stderr
        return run.said

    return run


# the guide's own examples: the lines and the faults, and no others
FOUND = {
    "guide-01": [(5, "volume-without-hf-home")],
    "guide-02": [(5, "volume-without-hf-home")],
    "guide-03": [(15, "visible-devices-ignored")],
    "guide-04": [(13, "comment-in-command"), (13, "tp-without-shm"), (16, "double-booked"), (18, "no-device")],
    "guide-05": [(9, "comment-in-command"), (10, "comment-in-command"), (11, "comment-in-command")],
    "guide-06": [],
    "guide-07": [],
    "guide-08": [],
    "guide-09": [(5, "volume-without-hf-home")],
}


@pytest.mark.parametrize("name", FOUND)
def test_the_guide_s_own_examples_have_these_faults_and_no_others(name, check):
    found = json.loads(check((GUIDE / f"{name}.yml").read_text(), "--json"))
    assert [(f["line"], f["code"]) for f in found] == FOUND[name]
    assert all(f["text"] and f["mend"] for f in found)


def service(*lines, name="vllm"):
    return "services:\n  " + name + ":\n" + "".join(f"    {line}\n" for line in lines)


# one fault each, word for word
FAULTS = {
    "count and NVIDIA_VISIBLE_DEVICES": (
        service(DEVICE % "count: 1", "environment: {NVIDIA_VISIBLE_DEVICES: 1}"),
        "FILE:4: visible-devices-ignored: vllm: NVIDIA_VISIBLE_DEVICES=1 does not count: docker sets its own behind it, and by "
        "`count: 1` these are the first ones\n  mend: name the GPU by `device_ids: [\"GPU-<uuid>\"]` (hostler gpus has the "
        "UUIDs), without count and without the variable\n"),
    "a GPU that is named and not reserved": (
        service("environment:", "  - NVIDIA_VISIBLE_DEVICES=1", name="ocr"),
        "FILE:4: no-device: ocr: it names a GPU by NVIDIA_VISIBLE_DEVICES=1 and reserves none: with docker's usual runtime it "
        "gets no GPU at all\n  mend: reserve it: deploy.resources.reservations.devices with driver: nvidia, device_ids and "
        "capabilities: [gpu]\n"),
    "neither count nor device_ids": (
        service("deploy: {resources: {reservations: {devices: [{driver: nvidia, capabilities: [gpu]}]}}}"),
        "FILE:3: neither-count-nor-ids: vllm: neither count nor device_ids: docker from 27.3 on gives it no GPU\n"
        "  mend: write `device_ids: [\"GPU-<uuid>\"]`\n"),
    "both of them": (
        service(DEVICE % "count: 1, device_ids: ['0']"),
        "FILE:3: count-and-ids: vllm: count and device_ids exclude each other: docker refuses to start it\n"
        "  mend: keep device_ids, drop count\n"),
    "a comment in a command": (
        service("command: >", "  --model a/b", "  --eager  # is slow"),
        "FILE:5: comment-in-command: vllm: `# is` is no comment inside a text of YAML: the words reach the program as arguments\n"
        "  mend: write the command as a list, and the comment outside of it\n"),
    "tensor parallel without shared memory": (
        service('command: ["--tensor-parallel-size", "2"]'),
        "FILE:3: tp-without-shm: vllm: --tensor-parallel-size 2 needs shared memory, and docker gives 64 MiB: NCCL fails\n"
        "  mend: write `ipc: host`, or `shm_size: 2gb`\n"),
    "a limit of the host's memory": (
        service("command: --tensor-parallel-size=2", "ipc: host", "deploy:", "  resources: {limits: {memory: 12G}}"),
        "FILE:6: memory-limit-with-tp: vllm: this limits the host's memory, through which the weights go to 2 GPUs\n"
        "  mend: leave the limit out, or give it the size of the weights and more\n"),
    "Ollama without a context": (
        service("image: ollama/ollama", name="llm"),
        "FILE:2: no-context-length: llm: without OLLAMA_CONTEXT_LENGTH Ollama takes 4096, 32768 or 262144 tokens by the GPU's "
        "size, and asks for the memory of as many\n  mend: set OLLAMA_CONTEXT_LENGTH=4096, or what is needed\n"),
    "a volume that vLLM does not use": (
        service("volumes:", "  - /data:/models"),
        "FILE:4: volume-without-hf-home: vllm: /models is mounted, and nothing tells vLLM to keep its models there: it downloads "
        "them into the container, again at each start\n  mend: set HF_HOME=/models/huggingface\n"),
    "the models' place on a client": (
        service("environment: {OLLAMA_URL: 'http://ollama:11434', OLLAMA_MODELS: /models/ollama}", name="ocr"),
        "FILE:3: ollama-models-on-client: ocr: OLLAMA_MODELS says where the server keeps its models, and this service is a "
        "client of it\n  mend: set it on the service that runs `ollama serve`, with the volume mounted there\n"),
    "a model that does not exist": (
        service("command: [pull, 'llava-next:34b-v1.5-q4_K_M']", name="puller"),
        "FILE:3: no-such-model: puller: there is no model llava-next:34b-v1.5-q4_K_M\n"
        "  mend: write ollama:llava:34b-v1.6-q4_K_M\n"),
    "a volume of another project": (
        service("image: x", name="a") + "volumes: {model_cache: {}}\n# docker run --rm -v model_cache:/models x pull\n",
        "FILE:5: foreign-volume: docker run -v model_cache: makes a new, empty volume: the project's is called "
        "<project>_model_cache\n  mend: write <project>_model_cache, as `docker volume ls` lists it\n"),
    "a GPU that two want": (
        service(DEVICE % "device_ids: ['0']") + "  vllm2:\n    " + DEVICE % "device_ids: ['0']" + "\n",
        "FILE:4: double-booked: vllm2: GPU 0 is taken by vllm already, of which vLLM has 92 % at its start\n"
        "  mend: give each a GPU of its own, or each a share: hostler plan reckons them\n"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_names_its_line_what_is_wrong_and_the_mend(name, check):
    text, said = FAULTS[name]
    assert check(text) == said
    assert check.stderr == ("hostler: FILE: 1 fault was found\n"
                            "hint: hostler plan --format compose writes a file without them\n")


def test_shares_that_fit_on_one_gpu_are_no_fault(check):
    half = 'command: ["--gpu-memory-utilization", "0.45"]'
    assert check(service(DEVICE % "device_ids: ['0']", half) + "  vllm2:\n    " + DEVICE % "device_ids: ['0']" +
                 f"\n    {half}\n") == ""


MISTRAL = "mistralai/Mistral-7B-Instruct-v0.2"


@pytest.mark.parametrize("card, command, said", [
    ("T4", f'["--model", "{MISTRAL}", "--max-model-len", "4096"]',
     "FILE:3: does-not-fit: vllm: mistral-7b-instruct does not run here: the weights and the working memory alone are 1.4 GiB "
     "more than the budget of 13.4 GiB\n  mend: it would with --dtype fp8\n"),
    ("RTX 4060 Ti", f"--model {MISTRAL} --gpu-memory-utilization 0.7", "more than the budget of 10.9 GiB"),
    ("RTX 4090", f"--model {MISTRAL} --gpu-memory-utilization 0.9", None),
    ("RTX 4060", "--model TheBloke/Mistral-7B-Instruct-v0.2-GPTQ", None),
    ("RTX 4060", "--model /models/vllm/x", None),
])
def test_with_gpus_named_a_model_that_does_not_run_on_them_is_a_fault(card, command, said, check):
    found = check(service(f"command: {command}"), "--offline", "--gpu", card)
    assert said in found if said else found == ""
    assert check(service(f"command: {command}")) == ""


@pytest.mark.parametrize("words", [["gpu-worker"], ["vllm", "--tp", "2"], ["all", "ocr"]], ids=" ".join)
def test_what_hostler_writes_has_no_fault(words, check, hostler, volume):
    text = hostler("plan", "--format", "compose", "--gpu", "2xRTX 4090", "--volume", volume, *words).stdout
    assert check(text) == ""


@pytest.mark.parametrize("text, said", [
    ("a: b\n", "FILE: it has no services: is it a compose file?"),
    ("services: [", "FILE:2:"),
    ("services: {a: *x}", "FILE:1:"),
])
def test_what_is_no_compose_file_is_a_usage_error(text, said, hostler, tmp_path):
    path = tmp_path / "compose.yml"
    path.write_text(text)
    got = hostler("plan", "--check", path)
    assert got.rc == 2 and said.replace("FILE", str(path)) in got.stderr


def test_anchors_aliases_and_merge_keys_are_read_as_docker_reads_them(check):
    gpu = "x-gpu: &gpu\n  " + DEVICE % "count: 1" + "\n  environment: &env {NVIDIA_VISIBLE_DEVICES: 1}\n"
    found = json.loads(check(gpu + "services:\n  vllm:\n    <<: *gpu\n  other:\n    image: x\n    environment: {<<: *env, A: 1}\n", "--json"))
    assert [(f["line"], f["code"]) for f in found] == [(3, "no-device"), (3, "visible-devices-ignored")]
    assert sorted(f["text"].split(":")[0] for f in found) == ["other", "vllm"]
