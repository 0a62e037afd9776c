"""`hostler plan`: the cases of doc/memory-model.md as one table, and what else the plan promises.

A row of CASES is a question and what is to be seen in the answer. GPUs are named as in CARDS (MiB that CUDA calls the
total); what is expected is a path into the JSON and a value, of which a number may be 1 off.
"""
import json
import re

import jsonschema
import pytest
from conftest import ROOT
from coordinating import coordinator  # noqa: F401 (a fixture)

pytestmark = pytest.mark.sanitize

SCHEMA = json.loads((ROOT / "doc" / "plan.schema.json").read_text())
CARDS = {
    "4GB": {"cuda_total_mib": 3870}, "8GB": {"cuda_total_mib": 7838}, "12GB": {"cuda_total_mib": 11908},
    "16GB": {"cuda_total_mib": 15950}, "T4": {"total_mib": 15360, "reserved_mib": 429, "sm": "7.5", "name": "Tesla T4"},
    "24GB": {"total_mib": 24564, "reserved_mib": 440, "sm": "8.9"}, "32GB": {"cuda_total_mib": 32117},
    "L4": {"total_mib": 23034, "reserved_mib": 455, "sm": "8.9", "name": "NVIDIA L4"},
    "48GB": {"total_mib": 46068, "reserved_mib": 600}, "A100": {"cuda_total_mib": 81228, "name": "NVIDIA A100-SXM4-80GB"},
    "H100": {"total_mib": 81559, "reserved_mib": 551, "sm": "9.0", "name": "NVIDIA H100 80GB HBM3"},
    "PASCAL": {"cuda_total_mib": 24124, "sm": "6.1"},
    "MIG": {"cuda_total_mib": 9728, "sm": "9.0", "mig": {"parent": "GPU-parent", "profile": "1g.10gb"}},
}
MISTRAL, GPTQ = "mistral-7b-instruct", "hf:TheBloke/Mistral-7B-Instruct-v0.2-GPTQ"
SMALL = "--eager --max-num-seqs 16 --max-num-batched-tokens 2048"
# number of the case in doc/memory-model.md, GPUs, words of the command line, {path of items[0] or ledger: value}
CASES = [
    ("1", "8GB", f"{MISTRAL} --utilization 0.92", {"verdict": "no", "need_mib": 15729, "budget_mib": 7211, "avail_mib": -8006,
                                                   "suggests": f"the model {GPTQ}"}),
    ("3", "16GB", f"{MISTRAL} --context 4096 --utilization 0.92", {"verdict": "no", "budget_mib": 14674, "avail_mib": -543}),
    ("5", "16GB", f"{MISTRAL} --utilization 0.96 --max-num-seqs 32",
     {"verdict": "tight", "need_mib": 15249, "slack_mib": 63}),
    ("7", "24GB", f"{MISTRAL} --context 32768", {"verdict": "fit", "need_mib": 19313, "budget_mib": 22194, "kv_tokens": 55808,
                                                 "slack_mib": 2881, "utilization": 0.92}),
    ("9", "24GB", f"{MISTRAL} --context 2048 --utilization 0.7", {"verdict": "fit", "slack_mib": 1414}),
    ("11", "L4", f"{MISTRAL} --context 32768", {"verdict": "fit", "kv_tokens": 44432}),
    ("13", "A100", f"{MISTRAL} --context 32768", {"verdict": "fit", "need_mib": 19313, "kv_tokens": 476096,
                                                  "max_num_seqs": 256, "max_num_batched_tokens": 2048}),
    ("15", "8GB", f"{GPTQ} --context 32768 --utilization 0.92", {"verdict": "no", "slack_mib": -2256, "suggests": "--context 14720"}),
    ("17", "12GB", f"{GPTQ} --context 32768", {"verdict": "fit", "need_mib": 9467, "slack_mib": 1489}),
    ("19", "12GB 12GB", f"{MISTRAL} --tp 2 --utilization 0.92", {"verdict": "nostart", "suggests": "--utilization 0.87"}),
    ("19", "12GB 12GB", f"{MISTRAL} --tp 2 --utilization 0.86", {"verdict": "fit", "need_mib": 8567, "kv_tokens": 30864}),
    ("21", "8GB 8GB 8GB 8GB", f"{MISTRAL} --tp 4 --utilization 0.80", {"verdict": "fit", "need_mib": 4986,
                                                                       "slack_mib": 1285}),
    ("23", "24GB 8GB", f"{MISTRAL} --tp 2", {"verdict": "refused", "need_mib": 8567, "reasons.0.code": "tensor-parallel"}),
    ("23", "24GB 8GB", MISTRAL, {"verdict": "fit", "gpus": ["GPU-0"]}),
    ("25", "H100 H100", "hf:org/llama-70b --context 8192 --tp 2 --max-num-seqs 1024 --max-num-batched-tokens 8192 --utilization 0.92",
     {"verdict": "no", "activation_mib": 4949, "need_mib": 74670, "budget_mib": 74527, "slack_mib": -143,
      "suggests": "--max-num-seqs 256"}),
    ("25", "H100 H100", "hf:org/llama-70b --context 8192 --tp 2 --max-num-seqs 256", {"verdict": "fit", "activation_mib": 1285,
                                                                                     "graphs_mib": 772}),
    ("27", "MIG", GPTQ, {"verdict": "fit", "need_mib": 5474, "max_num_seqs": 64, "max_num_batched_tokens": 2048}),
    ("27", "MIG", f"{GPTQ} --max-num-seqs 1024 --max-num-batched-tokens 8192", {"verdict": "fit", "need_mib": 6893}),
    ("29", "4GB", "llava:7b", {"verdict": "partial", "layers_on_gpu": 12, "layers": 32}),
    ("31", "24GB", "llava:34b-v1.6-q4_K_M", {"verdict": "fit", "need_mib": 23055, "layers_on_gpu": 60}),
    ("33", "24GB", f"{MISTRAL} llava:7b", {"utilization": 0.67, "ledger.0.used_mib": 23340, "works": True}),
    ("35", "16GB", f"{GPTQ} llava:7b", {"utilization": 0.39, "ledger.0.used_mib": 13398, "works": True}),
    ("37", "24GB", f"llava:34b-v1.6-q4_K_M {GPTQ}", {"verdict": "tight", "items.1.verdict": "partial", "works": True}),
    ("37", "32GB", f"{GPTQ} llava:34b-v1.6-q4_K_M", {"utilization": 0.2, "ledger.0.used_mib": 29991, "works": True}),
    ("37", "48GB", f"{MISTRAL} llava:34b-v1.6-q4_K_M", {"utilization": 0.36, "ledger.0.used_mib": 39936, "works": True}),
    ("39", "8GB", "vllm", {"verdict": "fit", "model": GPTQ, "reasons.0.code": "variant"}),
    ("45", " ".join(["24GB"] * 8), "hf:org/qwen-7b --tp 8", {"verdict": "refused",
                                                             "reasons.0.text": "its 28 attention heads cannot be split over 8 GPUs"}),
    ("45", " ".join(["24GB"] * 8), "hf:org/qwen-7b --tp 4", {"verdict": "fit"}),
    # what was asked for is not changed
    ("2.2", "T4", f"{GPTQ} --dtype bfloat16", {"verdict": "refused", "reasons.0.code": "compute-capability",
                                               "reasons.0.text": "bfloat16 needs compute capability 8.0, this GPU has 7.5"}),
    ("2.2", "L4", f"{GPTQ} --dtype bfloat16", {"verdict": "fit"}),
    # what fits where
    ("4.3", "16GB", f"{MISTRAL} {SMALL}", {"verdict": "tight", "utilization": 0.96, "kv_tokens": 7504}),
    ("4.3", "T4", f"{MISTRAL} --context 2048 {SMALL}", {"verdict": "no"}),
    ("4.3", "T4", GPTQ, {"verdict": "fit", "kv_tokens": 66912}),
    ("4.3", "32GB", f"{MISTRAL} --context 32768", {"verdict": "fit", "kv_tokens": 114640}),
    ("4.3", "8GB 8GB", MISTRAL, {"verdict": "no"}),
    ("4.3", "PASCAL", GPTQ, {"verdict": "refused", "reasons.0.code": "compute-capability"}),
]


def planted(gpus):
    """an inventory with these cards of CARDS, empty"""
    return {"gpus": [{"uuid": f"GPU-{i}", "index": i, **CARDS[name]} for i, name in enumerate(gpus.split())]}


def sparse_model(volume, repo, config, tensors):
    """a model on the volume whose weights are holes: a header, and as many bytes as it says"""
    commit = "0" * 40
    top = volume / "huggingface/hub" / f"models--{repo.replace('/', '--')}"
    (top / "refs").mkdir(parents=True)
    (top / "refs/main").write_text(commit)
    folder = top / "snapshots" / commit
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    header = json.dumps({"w": {"dtype": "BF16", "shape": [tensors // 2], "data_offsets": [0, tensors]}}).encode()
    with open(folder / "model.safetensors", "wb") as f:
        f.write(len(header).to_bytes(8, "little") + header)
        f.truncate(8 + len(header) + tensors)


@pytest.fixture
def plan(hostler, volume, tmp_path):
    """plan(gpus, words) is the document; rc of the run is in plan.rc"""
    def run(gpus, words, env=None, inventory=None):
        path = tmp_path / "gpus.json"
        path.write_text(json.dumps(inventory or planted(gpus)))
        args = words if isinstance(words, list) else words.split()
        got = hostler("plan", "--json", "--offline", "--volume", volume, "--gpus-from", path, *args, env=env)
        run.rc, run.stderr = got.rc, got.stderr
        assert got.rc in (0, 11), got.stderr
        document = json.loads(got.stdout)
        jsonschema.validate(document, SCHEMA)
        check(document)
        assert got.rc == (0 if document["works"] else 11)
        return document

    return run


def check(document):
    """what holds of every plan"""
    for line in document["ledger"]:
        assert line["used_mib"] <= line["capacity_mib"] + 1
        assert abs(sum(p["mib"] for p in line["parts"]) - line["used_mib"]) <= len(line["parts"])
    for item in document["items"]:
        assert (item["gpus"] != []) == (item["verdict"] in ("fit", "tight", "partial"))
        assert item["verdict"] in ("fit", "cpu") or item["reasons"]


def at(document, path):
    item = document["items"][0]
    if path == "suggests":
        return [s["change"] for s in item["suggestions"]]
    value = document if path.split(".")[0] in ("ledger", "works", "items") else item
    for step in path.split("."):
        value = value[int(step)] if step.isdigit() else value[step]
    return value


@pytest.mark.parametrize("number, gpus, words, expected", CASES, ids=[f"{c[0]}: {c[1]}, {c[2]}" for c in CASES])
def test_the_case_has_its_figures(number, gpus, words, expected, plan, volume):
    if "llama-70b" in words:
        sparse_model(volume, "org/llama-70b", {
            "model_type": "llama", "hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80,
            "num_attention_heads": 64, "num_key_value_heads": 8, "vocab_size": 128256, "max_position_embeddings": 131072,
            "torch_dtype": "bfloat16"}, 141107412992)
    if "qwen-7b" in words:
        sparse_model(volume, "org/qwen-7b", {
            "model_type": "qwen2", "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28,
            "num_attention_heads": 28, "num_key_value_heads": 4, "vocab_size": 152064, "max_position_embeddings": 32768,
            "torch_dtype": "bfloat16"}, 15231233024)
    document = plan(gpus, words)
    for path, value in expected.items():
        found = at(document, path)
        if path == "suggests":
            assert value in found
        elif isinstance(value, int) and not isinstance(value, bool):
            assert abs(found - value) <= 1, path
        else:
            assert found == value, path


def fed_back(item):
    """the settings of a planned item of vLLM as words of the command line"""
    words = [item["model"], "--context", item["context"], "--utilization", item["utilization"], "--tp", item["tp"],
             "--max-num-seqs", item["max_num_seqs"], "--max-num-batched-tokens", item["max_num_batched_tokens"],
             "--kv-cache-dtype", item["kv_cache_dtype"], "--dtype", item["dtype"]]
    return [str(w) for w in words] + (["--eager"] if item["eager"] else [])


@pytest.mark.parametrize("gpus", ["8GB", "12GB", "16GB", "T4", "24GB", "L4", "H100", "12GB 12GB", "8GB 8GB 8GB 8GB", "MIG"])
@pytest.mark.parametrize("words", ["vllm", MISTRAL, f"{MISTRAL} --context 32768", GPTQ])
def test_the_settings_of_a_plan_fed_back_give_the_same_verdict(gpus, words, plan):
    first = plan(gpus, words)["items"][0]
    if first["gpus"]:
        again = plan(gpus, fed_back(first))["items"][0]
        assert (again["verdict"], again["slack_mib"]) == (first["verdict"], first["slack_mib"])


# ------------------------------------------------------------------ several together

def by_name(document):
    return {i["name"]: i for i in document["items"]}


def test_who_only_prefers_a_gpu_goes_to_the_cpu_before_a_required_one_is_downgraded(plan):
    document = plan("24GB", "gpu-worker embedding")
    items = by_name(document)
    assert items["gpu-worker/mistral-7b-instruct"]["model"] == "hf:mistralai/Mistral-7B-Instruct-v0.2"
    assert items["gpu-worker/mistral-7b-instruct"]["context"] == 4096
    assert items["embedding/ollama"]["verdict"] == "cpu"
    assert plan.rc == 0
    assert by_name(plan("24GB 8GB", "gpu-worker embedding"))["embedding/ollama"]["gpus"] == ["GPU-1"]


def test_what_is_named_first_is_placed_first(plan):
    one = plan("16GB", "ocr vllm --no-variants")
    assert by_name(one)["ocr/ollama"]["verdict"] == "fit"
    assert by_name(one)["vllm/mistral-7b-instruct"]["verdict"] == "no"
    assert plan.stderr.startswith("hostler: vllm/mistral-7b-instruct does not run here: ")
    assert by_name(plan("12GB", "vllm ocr"))["vllm/mistral-7b-instruct"]["verdict"] == "tight"


def test_a_smaller_form_is_taken_for_a_type_and_only_suggested_for_a_model(plan):
    taken = plan("8GB", "vllm")["items"][0]
    assert taken["model"] == GPTQ
    assert taken["reasons"][0]["text"] == f"planned as {GPTQ}, since mistral-7b-instruct does not fit as it is"
    assert plan("8GB", "vllm --no-variants")["items"][0]["verdict"] == "no"
    named = plan("8GB", MISTRAL)["items"][0]
    assert named["verdict"] == "no" and f"the model {GPTQ}" in [s["change"] for s in named["suggestions"]]


def test_a_pin_is_kept_and_a_wrong_one_is_an_error(plan, hostler, volume):
    assert plan("24GB 24GB", f"{MISTRAL} --pin vllm=GPU-1")["items"][0]["gpus"] == ["GPU-1"]
    assert plan("24GB 24GB", f"{MISTRAL} --pin {MISTRAL}=0")["items"][0]["gpus"] == ["GPU-0"]
    for pin, said in [("vllm=GPU-7", "no GPU has this UUID or index"), ("vllm=GPU", "2 GPUs begin so; write more of the UUID"),
                      ("ocr=0", "nothing that is planned has this name, type, model or engine"),
                      ("vllm", "it takes ITEM=GPU, as vllm=GPU-5c3f2a1b")]:
        got = hostler("plan", MISTRAL, "--gpu", "2xL4", "--pin", pin, "--volume", volume)
        assert got.rc == 2 and said in got.stderr, got.stderr


def test_engines_are_packed_or_spread(plan):
    words = f"{GPTQ} llava:7b"
    packed, spread = plan("24GB 24GB", words), plan("24GB 24GB", words + " --spread")
    assert len({i["gpus"][0] for i in packed["items"]}) == 1
    assert len({i["gpus"][0] for i in spread["items"]}) == 2


def test_a_reserve_stays_free(plan):
    free = plan("24GB", f"{MISTRAL} --reserve 4GiB")
    assert free["ledger"][0]["capacity_mib"] == 24124 - 4096
    assert free["items"][0]["utilization"] == 0.8


def test_memory_that_others_hold_is_not_given_away_and_ending_them_is_suggested(plan):
    inventory = planted("24GB")
    inventory["gpus"][0] |= {"used_mib": 9000, "processes": [{"pid": 4711, "used_mib": 8900, "name": "python3"}]}
    item = plan("24GB", MISTRAL, inventory=inventory)["items"][0]
    assert item["verdict"] == "nostart" or item["verdict"] == "no"
    assert [s["change"] for s in item["suggestions"]][-1].startswith("end python3 (pid 4711), which holds ")


def test_a_gpu_that_cannot_be_used_takes_nothing(plan):
    inventory = planted("24GB 24GB")
    inventory["gpus"][0] |= {"state": "faulty", "reason": "row remapping failed"}
    assert plan("", MISTRAL, inventory=inventory)["items"][0]["gpus"] == ["GPU-1"]


def test_an_exclusive_gpu_and_an_instance_take_one_engine(plan):
    inventory = planted("24GB 24GB")
    for gpu in inventory["gpus"]:
        gpu["compute_mode"] = "exclusive-process"
    used = [i["gpus"] for i in plan("", f"{GPTQ} llava:7b", inventory=inventory)["items"]]
    assert sorted(used) == [["GPU-0"], ["GPU-1"]]
    assert plan("MIG", f"{GPTQ} llama3.2")["works"] is False


def test_sets_of_gpus_are_of_one_kind_and_the_fastest_joined(plan):
    inventory = planted("12GB 12GB 12GB 12GB")
    for a, b in [(0, 2), (2, 0)]:
        inventory["gpus"][a]["links"] = [{"to": f"GPU-{b}", "kind": "nvlink"}]
    item = plan("", f"{MISTRAL} --tp 2", inventory=inventory)["items"][0]
    assert item["gpus"] == ["GPU-0", "GPU-2"]


# ------------------------------------------------------------------ GPUs from anywhere

def test_cards_are_given_by_name_and_by_size(hostler, volume):
    got = hostler("plan", "--json", MISTRAL, "--gpu", "nvidia l4", "--gpu", "2xRTX 4090", "--gpu", "24GB", "--gpu", "7.5GiB",
                  "--volume", volume)
    assert got.rc == 0, got.stderr
    assert [(g["cuda_total_mib"], g["sm"]) for g in json.loads(got.stdout)["gpus"]] == [
        (22579, "8.9"), (24124, "8.9"), (24124, "8.9"), (22477, ""), (7330, "")]


@pytest.mark.parametrize("words, said", [
    (["--gpu", "L9"], "--gpu L9: neither a size like 24GB nor a card that is known"),
    (["--gpu", "L4", "--gpus-from", "x"], "--gpu and --gpus-from both say which GPUs there are: name one"),
    (["--gpu", "L4", "--utilization", "92"], '--utilization: "92": not a share between 0.001 and 1, as 0.92'),
    (["--gpu", "L4", "--engine", "tgi"], '--engine: "tgi": not one of vllm, ollama'),
    (["--gpu", "L4", "--engine", "ollama"],
     "--engine ollama: hf:mistralai/Mistral-7B-Instruct-v0.2 is a model of the Hub, which vLLM serves"),
])
def test_what_is_not_understood_is_a_usage_error(words, said, hostler, volume):
    got = hostler("plan", MISTRAL, *words, "--volume", volume)
    assert got.rc == 2 and said in got.stderr, got.stderr


def test_nothing_named_lists_the_types(hostler, volume):
    got = hostler("plan", "--gpu", "L4", "--volume", volume)
    assert got.rc == 2
    assert "nothing to plan: neither a worker type nor a model is named" in got.stderr
    assert "worker types: vllm, gpu-worker" in got.stderr


def test_the_failure_names_the_item_the_cause_and_what_would_help(hostler, volume):
    got = hostler("plan", MISTRAL, "--gpu", "T4", "--volume", volume)
    assert got.rc == 11
    assert got.stderr == (
        "hostler: mistral-7b-instruct does not run here: the weights and the working memory alone are 1.4 GiB more than the "
        "budget of 13.4 GiB\nhint: it would with --dtype fp8\n")


def test_the_table_draws_who_takes_what_and_explains_each_line(hostler, volume):
    got = hostler("plan", MISTRAL, "llava:7b", "--gpu", "RTX 4090", "--explain", "--volume", volume)
    assert got.rc == 0, got.stderr
    assert got.stdout == (ROOT / "test" / "cli" / "plan_table.txt").read_text()


def test_a_type_needs_no_volume_and_no_network(hostler, tmp_path):
    got = hostler("plan", "gpu-worker", "--offline", "--gpu", "RTX 4090", "--volume", tmp_path / "none")
    assert got.rc == 0, got.stderr


def test_the_case_by_hand_is_what_the_program_says(plan):
    text = (ROOT / "doc" / "memory-model.md").read_text().split("## One case by hand")[1]
    item = plan("24GB", MISTRAL)["items"][0]
    sums = {round(float(number.replace(",", ""))) for number in re.findall(r"[\d,]+\.\d\d", text)}
    assert {item["need_mib"], item["slack_mib"], item["budget_mib"], item["activation_mib"], item["graphs_mib"]} <= sums
    assert f"{item['kv_tokens']:,} tokens" in text


# ------------------------------------------------------------------ the fleet

def test_a_fleet_is_planned_over_all_its_hosts(coordinator, hostler, volume):  # noqa: F811
    at = coordinator()
    small, large = planted("12GB")["gpus"], planted("24GB 24GB")["gpus"]
    at.register("a", host="one", state="running", gpus=small)
    at.register("b", host="two", state="running", gpus=large)
    at.register("c", host="two", state="running", gpus=large)       # of a host each GPU once
    at.register("d", host="three", state="stopped", gpus=planted("48GB")["gpus"])
    got = hostler("plan", "--json", "--fleet", "gpu-worker", "ocr", "--volume", volume, env={"COORDINATOR_URL": at.url})
    assert got.rc == 0, got.stderr
    document = json.loads(got.stdout)
    jsonschema.validate(document, SCHEMA)
    assert [(g["host"], g["uuid"]) for g in document["ledger"]] == [("one", "GPU-0"), ("two", "GPU-0"), ("two", "GPU-1")]
    table = hostler("plan", "--fleet", MISTRAL, "--tp", "2", "--volume", volume, env={"COORDINATOR_URL": at.url})
    assert table.rc == 0 and "each on GPU-0 on two and GPU-1 on two" in table.stdout


def test_a_fleet_takes_no_other_gpus_and_needs_a_coordinator(hostler, volume):
    got = hostler("plan", "--fleet", "--gpu", "L4", MISTRAL, "--volume", volume)
    assert got.rc == 2 and "--fleet plans over the fleet's GPUs: name no others" in got.stderr
    got = hostler("plan", "--fleet", MISTRAL, "--volume", volume)
    assert got.rc == 2 and "COORDINATOR_URL" in got.stderr
