"""Links, FIFOs, sockets, folders and files planted at every name of a store.

Whatever it is, a pull ends soon, with a status that fits and words that name it, changes nothing outside the volume,
and publishes nothing from there.
"""
import pytest
from conftest import sha256_of
from planting import (KINDS, LINKS, Name, Planting, file, file_that_is_passed, folder, folder_that_is_passed, lease,
                      refused)
from registry import expected, make_model, store
from volume import assert_complete, git_blob_id

REPO, FOLDER = "org/model", "models--org--model"
HUB, RECEIPTS = "huggingface/hub", ".hostler/receipts"

# ------------------------------------------------------------------ Ollama's store

TAG = "registry.ollama.ai/library/tiny/latest"
OWN = f"ollama/.hostler/models/{TAG}"
OF_A_BLOB = "ollama/.hostler/sha256-{large}"


def parents(path):
    """the folders of a path, and itself"""
    parts = path.split("/")
    return ["/".join(parts[:i]) for i in range(1, len(parts) + 1)]


def ollama_blob(path):
    """A link that stays in the store is a deduplicated blob, and a server's own. One that leads nowhere is replaced,
    as is everything by a pull that fetches again, but for a directory."""
    said = {**refused(("link", "link to nothing"), "{at} is a link that leads out of the store"),
            **refused(("fifo", "socket", "other kind"), "{at} is no regular file")}
    return Name(path, False, said, said_forced=file(path, "{above}: {base}: cannot publish").said)


OLLAMA = [
    *(folder(f"ollama/{name}") for name in ("blobs", *parents(f"manifests/{TAG}")[:-1], *parents(f".hostler/models/{TAG}"))),
    lease(f"{OWN}/lease"),
    *(file_that_is_passed(f"{OWN}/{name}") for name in (
        "lease.claim.aaaaaaaaaaaaaaaa", "tmp-0123456789abcdef", ".hostler-try-0123", "{small}.aaaaaaaaaaaaaaaa.part",
        "{small}.aaaaaaaaaaaaaaaa.journal")),
    # Only a pull that fetches the blob looks there.
    folder(OF_A_BLOB, states=("fresh", "forced")), lease(f"{OF_A_BLOB}/lease", states=("fresh", "forced")),
    *(file_that_is_passed(f"{OF_A_BLOB}/{name}") for name in (
        "lease.claim.aaaaaaaaaaaaaaaa", ".hostler-try-0123", "{large}.aaaaaaaaaaaaaaaa.part",
        "{large}.aaaaaaaaaaaaaaaa.journal")),
    ollama_blob("ollama/blobs/sha256-{large}"), ollama_blob("ollama/blobs/sha256-{small}"),
    file(f"ollama/manifests/{TAG}", f"{{at}}: rename to manifests/{TAG}"),
    folder_that_is_passed("ollama/models"), folder_that_is_passed("ollama/models/tiny"),
    file_that_is_passed("ollama/models/tiny/latest"),
    *(folder(path) for path in (*parents(f"{RECEIPTS}/ollama/{TAG}")[:-1], f"{RECEIPTS}/ollama-store")),
    file(f"{RECEIPTS}/ollama/{TAG[:-7]}/model-latest", f"{{volume}}: rename to {RECEIPTS}/ollama/{TAG[:-7]}/model-latest"),
    file_that_is_passed(f"{RECEIPTS}/ollama/{TAG[:-7]}/tmp-0123456789abcdef"),
    file(f"{RECEIPTS}/ollama-store/blobs", f"{{volume}}: rename to {RECEIPTS}/ollama-store/blobs"),
    file_that_is_passed(f"{RECEIPTS}/ollama-store/tmp-0123456789abcdef"),
]


@pytest.fixture
def ollama_planting(hostler, registry, tmp_path):
    there = registry()
    tiny = there.push("library/tiny:latest", make_model(size=1_200_000))
    by_size = sorted(tiny.blobs.values(), key=lambda blob: blob.size)
    names = {"large": by_size[-1].hex, "small": by_size[0].hex}
    wanted = expected({TAG: tiny})

    def check(volume):
        assert {name: data for name, data in store(volume).items() if name in wanted} == wanted

    return Planting(hostler, tmp_path, "ollama:tiny", {"OLLAMA_REGISTRY": there.url}, names, check)


# In a complete store links at every name again, and one kind of what is no file; by --force links.
STATES = {"fresh": KINDS, "complete": ("link", "fifo"), "forced": ("link", "other kind")}


@pytest.mark.parametrize("state", STATES)
def test_what_is_planted_at_any_name_of_ollama_s_store_leads_nowhere_and_is_named(ollama_planting, state):
    ollama_planting.check_all(state, OLLAMA, STATES[state])

# ------------------------------------------------------------------ the cache of huggingface_hub

REPO_FOLDER = f"{HUB}/{FOLDER}"


def hf_blob(path):
    """Links are huggingface_hub's own, to its shared blob store; another one is no blob."""
    said = {**refused(LINKS, "{at} is a link that leads elsewhere than to a shared blob"),
            **refused(("fifo", "socket", "other kind"), "{at} is no regular file")}
    return Name(path, False, said, said_forced=file(path, f"/{REPO_FOLDER}: {{base}}: cannot publish").said)


def hf_pointer(path):
    return Name(path, False, refused(("other kind",), "{at} is a directory, where a file belongs"))


# Only what lies at the volume's root may be a link of the operator's.
HUB_ITSELF = Name(HUB, True, {
    **{kind: (10, "{at} leads out of the volume {volume}\nhint: only links at the volume's root may lead elsewhere\n")
       for kind in ("link", "link to nothing")},
    **{kind: (9, "{at}: cannot open directory: %s\nhint: something else has the name of a directory: look who made it, "
                 "and remove it\n" % why)
       for kind, why in {"link to itself": "Too many levels of symbolic links", "fifo": "Not a directory",
                         "socket": "Not a directory", "other kind": "Not a directory"}.items()}})

HF = [
    HUB_ITSELF, *(folder(f"{REPO_FOLDER}{name}") for name in (
        "", "/blobs", "/refs", "/snapshots", "/trees", "/.hostler", "/snapshots/{commit}", "/snapshots/{commit}/sub")),
    lease(f"{REPO_FOLDER}/.hostler/lease"),
    *(file_that_is_passed(f"{REPO_FOLDER}/.hostler/{name}") for name in (
        "{large}.aaaaaaaaaaaaaaaa.part", "{large}.aaaaaaaaaaaaaaaa.journal", "{small}.aaaaaaaaaaaaaaaa.part",
        "tmp-0123456789abcdef", "duplicate-0123", "snapshot-0123", ".hostler-try-0123", "lease.claim.aaaaaaaaaaaaaaaa")),
    hf_blob(f"{REPO_FOLDER}/blobs/{{large}}"), hf_blob(f"{REPO_FOLDER}/blobs/{{small}}"),
    hf_pointer(f"{REPO_FOLDER}/snapshots/{{commit}}/sub/a.txt"),
    hf_pointer(f"{REPO_FOLDER}/snapshots/{{commit}}/model.safetensors"),
    *(file(f"{REPO_FOLDER}/{name}", f"hostler: hf:{REPO}: {{volume}}/{REPO_FOLDER}: rename to {name}")
      for name in ("refs/main", "trees/{commit}.json")),
    file_that_is_passed(f"{HUB}/CACHEDIR.TAG"), folder_that_is_passed(f"{HUB}/.locks"),
    folder_that_is_passed(f"{HUB}/.locks/{FOLDER}"), file_that_is_passed(f"{HUB}/.locks/{FOLDER}/{{large}}.lock"),
    folder_that_is_passed(f"{HUB}/blobs"),
    *(folder(path) for path in parents(f"{RECEIPTS}/hf/{FOLDER}")),
    *(file(f"{RECEIPTS}/hf/{FOLDER}/{name}", f"{{volume}}: rename to {RECEIPTS}/hf/{FOLDER}/{name}")
      for name in ("model-main", "blobs")),
    file_that_is_passed(f"{RECEIPTS}/hf/{FOLDER}/tmp-0123456789abcdef"),
    *(folder_that_is_passed(f"vllm/{name}") for name in ("blobs", "org", "org/model", FOLDER)),
]


@pytest.fixture
def hf_planting(hostler, hub, models, tmp_path):
    models.small(REPO, weights=1_200_000, more={"sub/a.txt": "a file in a folder"})
    wanted, origin = models.files(REPO), hub()
    names = {"commit": origin.commit(REPO), "large": sha256_of(wanted["model.safetensors"]),
             "small": git_blob_id(wanted["config.json"])}
    return Planting(hostler, tmp_path, f"hf:{REPO}", {"HF_ENDPOINT": origin.url}, names,
                    lambda volume: assert_complete(volume, REPO, wanted))


@pytest.mark.parametrize("state", STATES)
def test_what_is_planted_at_any_name_of_the_cache_leads_nowhere_and_is_named(hf_planting, state):
    hf_planting.check_all(state, HF, STATES[state])
