"""The command lines of the guide to models that this program is made for, as they stand there: what is started in an image.

The image is a root folder with mounts of its own (unshare, chroot): /usr of this host, our program in /usr/local/bin under both
its names, a volume at /models, an empty /var/log. What stands for `docker logs` is what the program wrote to stdout."""
import os
import shutil

import pytest
from conftest import hostler_binary
from registry import expected, make_model, store
from volume import assert_complete

MISTRAL = "mistralai/Mistral-7B-Instruct-v0.2"
MINILM = "sentence-transformers/all-MiniLM-L6-v2"
TAGS = {"llava": "7b", "llama3.2": "latest", "nomic-embed-text": "latest"}
SCRIPT = "/usr/local/bin/download-models.sh"
# what each type of the guide needs
TYPES = {
    "gpu-worker": [MISTRAL, "llava", "llama3.2", "nomic-embed-text"],
    "ocr": ["llava"],
    "embedding": [MINILM, "nomic-embed-text"],
    "vllm": [MISTRAL],
    "cpu-worker": ["llama3.2", "nomic-embed-text"],
    "all": [MISTRAL, MINILM, "llava", "llama3.2", "nomic-embed-text"],
}
# "Environment Variables" of the guide, word for word; the stand-ins' addresses come on top
VARIABLES = {
    "MODEL_CACHE_DIR": "/models", "HF_HOME": "/models/huggingface", "OLLAMA_MODELS": "/models/ollama", "VLLM_CACHE": "/models/vllm",
    "MIN_GPU_MEMORY_GB": "8", "ENABLE_GPU": "auto", "OLLAMA_URL": "http://localhost:11434", "LOG_LEVEL": "INFO",
    "LOG_FILE": "/var/log/model-download.log", "WORKER_TYPE": "gpu-worker",
}
# The outer folders first: what is mounted in them lies upon them.
ENTER = """
root=$1; volume=$2; program=$3; shift 3
mount --rbind /usr "$root/usr" && mount --bind "$program" "$root/usr/local/bin" && mount --rbind /etc "$root/etc" &&
mount --rbind /proc "$root/proc" && mount --rbind /dev "$root/dev" && mount --bind "$volume" "$root/models" &&
exec chroot "$root" "$@"
"""


@pytest.fixture
def image(mount_namespace, hostler, volume, tmp_path):
    """image(*argv) runs it in there, as the whole of a container; image.root is its root"""
    root = tmp_path / "image"
    for name in ("usr", "etc", "proc", "dev", "models", "tmp", "var/log"):
        (root / name).mkdir(parents=True)
    for name in ("bin", "lib", "lib64", "sbin"):
        (root / name).symlink_to(f"usr/{name}")
    program = tmp_path / "program"
    program.mkdir()
    shutil.copy(hostler_binary(), program / "hostler")
    (program / "download-models.sh").symlink_to("hostler")

    def run(*argv, env=None):
        return hostler("-c", ENTER, "sh", root, volume, program, *argv, argv0="sh", wrap=mount_namespace, env={"LOG_FILE": None, **env})

    run.root = root
    return run


@pytest.fixture
def origins(models, hub, registry):
    """the environment that leads to the models of the guide, and what each of them is"""
    models.small(MISTRAL, weights=300_000, shards=2)
    models.small(MINILM, weights=100_000)
    there = registry()
    pushed = {name: (f"registry.ollama.ai/library/{name}/{tag}", there.push(f"library/{name}:{tag}", make_model(200_000, seed=i)))
              for i, (name, tag) in enumerate(TAGS.items())}
    return {"HF_ENDPOINT": hub().url, "OLLAMA_REGISTRY": there.url}, pushed


def assert_holds(volume, models, pushed, wanted):
    """the volume has what is wanted, whole, and nothing else"""
    hub = volume / "huggingface/hub"
    got = sorted(p.name for p in hub.glob("models--*")) if hub.exists() else []
    assert got == sorted("models--" + name.replace("/", "--") for name in wanted if "/" in name)
    for name in wanted:
        if "/" in name:
            assert_complete(volume, name, models.files(name))
    assert (store(volume) if (volume / "ollama").exists() else {}) == expected(dict(pushed[n] for n in wanted if n in pushed))


# (the guide's line, what is started, with which variables, the type that it is about)
LINES = [
    *((f"{SCRIPT} {name}", [SCRIPT, name], {}, name) for name in TYPES),
    ("download-models.sh by its name", ["download-models.sh", "ocr"], {}, "ocr"),
    ("docker run IMAGE download-models.sh gpu-worker, entrypoint hostler run --", ["hostler", "run", "--", SCRIPT, "gpu-worker"], {}, "gpu-worker"),
    ("docker run IMAGE download-models.sh all, entrypoint hostler run --", ["hostler", "run", "--", SCRIPT, "all"], {}, "all"),
    ("docker run -e OLLAMA_URL=http://host.docker.internal:11434 IMAGE download-models.sh all", [SCRIPT, "all"],
     {"OLLAMA_URL": "http://host.docker.internal:11434"}, "all"),
    ("the environment variables, and no argument", [SCRIPT], VARIABLES, "gpu-worker"),
    ("./scripts/download-models.sh all", ["sh", "-c", "cd /usr/local && ./bin/download-models.sh all"], {}, "all"),
    ("WORKER_TYPE=ocr, MODEL_CACHE_DIR, OLLAMA_MODELS", [SCRIPT], {"WORKER_TYPE": "ocr", "MODEL_CACHE_DIR": "/models", "OLLAMA_MODELS": "/models/ollama"}, "ocr"),
    ("WORKER_TYPE=cpu-worker, and the worker itself", ["hostler", "run", "--", "sh", "-c", "echo worker serves"],
     {"WORKER_TYPE": "cpu-worker", "MODEL_CACHE_DIR": "/models"}, "cpu-worker"),
    ("HF_HOME and TRANSFORMERS_CACHE of the production setup", [SCRIPT, "vllm"],
     {"HF_HOME": "/models/huggingface", "TRANSFORMERS_CACHE": "/models/huggingface"}, "vllm"),
]


@pytest.mark.parametrize("argv, env, kind", [line[1:] for line in LINES], ids=[line[0] for line in LINES])
def test_a_line_of_the_guide_fills_the_volume(image, origins, models, volume, argv, env, kind):
    there, pushed = origins
    got = image(*argv, env={**there, **env})
    assert got.rc == 0, f"{got.stdout}\n{got.stderr}"
    assert got.stderr == ""                                       # `docker logs X | grep` reads stdout alone
    told = [line for line in got.stdout.splitlines() if "Downloading" in line]
    assert len({word for line in told for word in line.split() if word.startswith("model=")}) == len(TYPES[kind])
    log = (image.root / "var/log/model-download.log").read_text()  # `docker exec X tail -f`
    assert all(line in log.splitlines() for line in told)
    wanted = {"huggingface" if "/" in name else "ollama" for name in TYPES[kind]}
    assert wanted <= set(os.listdir(volume))                      # `du -sh /models/*`
    if "run" in argv and "sh" in argv:
        assert got.stdout.splitlines()[-4:].count("worker serves") == 1
    assert_holds(volume, models, pushed, TYPES[kind])


def test_the_second_start_asks_nobody(image, origins):
    there, _ = origins
    assert image(SCRIPT, "all", env=there).rc == 0
    got = image(SCRIPT, "all", env={"HF_ENDPOINT": "http://127.0.0.1:9", "OLLAMA_REGISTRY": "http://127.0.0.1:9"})
    assert got.rc == 0 and "Downloading" not in got.stdout, got.stdout


def test_a_worker_that_needs_a_gpu_does_not_start_without_one_but_can_be_filled(image, origins, models, volume):
    there, pushed = origins
    got = image("hostler", "run", "--", "sh", "-c", "echo never", env={**there, **VARIABLES, "NVIDIA_VISIBLE_DEVICES": "void"})
    assert got.rc == 11 and "never" not in got.stdout.splitlines()
    assert not (volume / "ollama").exists()                       # the gate comes before the first byte
    assert image(SCRIPT, env={**there, **VARIABLES}).rc == 0
    assert_holds(volume, models, pushed, TYPES["gpu-worker"])


@pytest.mark.parametrize("entrypoint", [[], ["hostler", "run", "--"]], ids=["none", "hostler run --"])
def test_a_type_that_the_guide_does_not_have_is_told_with_those_it_has(image, volume, entrypoint):
    got = image(*entrypoint, SCRIPT, "ocr-worker", env={})
    assert got.rc == 2
    assert '"ocr-worker" is no worker type' in got.stderr
    assert all(name in got.stderr for name in TYPES)
    assert os.listdir(volume) == []
