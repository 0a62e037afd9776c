"""A plan at work: `run --plan auto` and `pull --plan auto` fetch the form that fits, and run puts the settings in."""
import json

import pytest

pytestmark = pytest.mark.sanitize

MISTRAL, GPTQ = "mistralai/Mistral-7B-Instruct-v0.2", "TheBloke/Mistral-7B-Instruct-v0.2-GPTQ"


@pytest.fixture
def both(models, hub):
    models.small(MISTRAL, weights=300_000)
    models.small(GPTQ, weights=200_000, seed=2)
    return hub()


@pytest.fixture
def card(tmp_path):
    """the words that say which GPUs there are, by CUDA's totals in MiB"""
    def make(*totals):
        path = tmp_path / "gpus.json"
        path.write_text(json.dumps({"gpus": [
            {"uuid": f"GPU-{i}", "index": i, "total_mib": total + 350, "reserved_mib": 350, "sm": "8.9"}
            for i, total in enumerate(totals)]}))
        return ["--gpus-from", path]

    return make


def fetched(volume):
    return sorted(p.name for p in (volume / "huggingface/hub").glob("models--*"))


def folder(repo):
    return "models--" + repo.replace("/", "--")


def run(hostler, volume, origin, words, *command):
    return hostler("run", "--worker", "vllm", "--volume", volume, *words, "--", *command, hub=origin)


def test_the_form_that_fits_is_fetched_and_its_settings_reach_the_command(both, card, hostler, volume):
    got = run(hostler, volume, both, ["--plan", "auto", *card(7838)], "printf", "<%s>\n", "{u:}", "{ctx:mistral-7b-instruct}",
              "{tp:}", "{gpus:}", "{path:mistral-7b-instruct}", "--served-model-name", "{name:mistral-7b-instruct}",
              "{vllm-args}")
    assert got.rc == 0, got.stderr
    assert fetched(volume) == [folder(GPTQ)]
    said = [line[1:-1] for line in got.stdout.splitlines() if line.startswith("<")]
    assert said[:4] == ["0.92", "4096", "1", "GPU-0"]
    assert said[4].endswith(GPTQ) and said[6] == GPTQ
    assert said[7:] == ["--dtype", "float16", "--max-model-len", "4096", "--gpu-memory-utilization", "0.92",
                        "--max-num-seqs", "256", "--max-num-batched-tokens", "2048"]
    assert f"{GPTQ} takes its place: the plan has no room for more" in got.stdout


def test_with_room_the_model_itself_is_fetched(both, card, hostler, volume):
    got = run(hostler, volume, both, ["--plan", "auto", *card(11908, 11908)], "echo", "tp {tp:} on {gpus:}")
    assert got.rc == 0, got.stderr
    assert fetched(volume) == [folder(MISTRAL)]
    assert "tp 2 on GPU-0,GPU-1" in got.stdout.splitlines()


def test_what_does_not_run_is_refused_before_anything_is_fetched(both, card, hostler, volume, tmp_path):
    small = tmp_path / "hostler.yaml"
    small.write_text("workers:\n  vllm: {min_gpu_memory: 1GB}\n")
    got = run(hostler, volume, both, ["--plan", "auto", "--config", small, *card(4000)], "true")
    assert got.rc == 11
    assert "vllm/mistral-7b-instruct does not run here: " in got.stdout + got.stderr
    assert both.requests() == 0 and not (volume / "huggingface").exists()


@pytest.mark.parametrize("word", ["{u:}", "{vllm-args}", "{gpus:mistral-7b-instruct}"])
def test_without_a_plan_its_words_are_refused(word, both, hostler, volume, card):
    got = run(hostler, volume, both, card(24124), "echo", word)
    assert got.rc == 2
    assert "there is no plan to take it from" in got.stdout + got.stderr
    assert "run with --plan auto, or write the setting itself" in got.stdout + got.stderr


def test_a_model_that_is_none_of_the_worker_s_is_refused_at_once(both, hostler, volume, card):
    got = run(hostler, volume, both, ["--plan", "auto", *card(24124)], "echo", "{u:llava:7b}")
    assert got.rc == 2, got.stdout + got.stderr
    assert "{u:llava:7b}: no model of this worker" in got.stdout + got.stderr
    assert both.requests() == 0


def test_pull_fetches_the_planned_form_alone(both, card, hostler, volume):
    got = hostler.pull("vllm", "--plan", "auto", *card(7838), hub=both)
    assert got.rc == 0, got.stderr
    assert fetched(volume) == [folder(GPTQ)]
    assert both.requests() > 0


def test_pull_without_a_plan_fetches_what_is_named(both, card, hostler, volume):
    assert hostler.pull("vllm", hub=both).rc == 0
    assert fetched(volume) == [folder(MISTRAL)]
