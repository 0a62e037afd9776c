"""The Hugging Face source against the stand-in hub: who may have what, in which words; revisions, pages,
old names, tokens, the choice of files."""
import re

import pytest

TOKEN = "hf_thatMayReadIt"
OTHER = "hf_ofSomebodyElse"
SHA = "[0-9a-f]{40}"


def words(got):
    """the error and its hint, without the request's id, which is another each time"""
    said = re.search(r"^hostler: (.*)\nhint: (.*)$", got.stderr, re.M)
    assert said, got.stderr
    message = re.sub(r" \(request Root=[0-9a-f-]+\)$", "", said.group(1))
    assert message != said.group(1) or "(request" not in message
    return message, said.group(2)


def snapshot(volume, repo, commit=None):
    """path -> bytes of what readers see"""
    top = volume / "huggingface/hub" / f"models--{repo.replace('/', '--')}" / "snapshots"
    if commit is None:
        (top,) = top.iterdir()
    else:
        top = top / commit
    return {p.relative_to(top).as_posix(): p.read_bytes() for p in sorted(top.rglob("*")) if p.is_file()}


def contents(models, repo):
    return {name: path.read_bytes() for name, path in models.files(repo).items()}


# ------------------------------------------------------------------ who may have what

# repository, token -> exit status, message, hint; PAGE is the model's page, HOST the hub's
REFUSALS = {
    "missing": ("org/nope", None, 4, "{ref}: no such model at {host}, or a private one",
                "check the spelling at {page}, or set HF_TOKEN to a token that may read it; "
                "a model of Ollama is written ollama:org/nope"),
    "missing with a token": ("org/nope", OTHER, 3,
                             "{ref}: no such model at {host}, or one that the token from HF_TOKEN may not see",
                             "check the spelling at {page}, or take a token of an account that may read it; "
                             "a model of Ollama is written ollama:org/nope"),
    "private": ("org/private", None, 4, "{ref}: no such model at {host}, or a private one",
                "check the spelling at {page}, or set HF_TOKEN to a token that may read it; "
                "a model of Ollama is written ollama:org/private"),
    "private, another's token": ("org/private", OTHER, 3,
                                 "{ref}: no such model at {host}, or one that the token from HF_TOKEN may not see",
                                 "check the spelling at {page}, or take a token of an account that may read it; "
                                 "a model of Ollama is written ollama:org/private"),
    "gated": ("org/gated", None, 4, "{ref} is gated: it is given only to who accepted its licence",
              "accept the licence at {page}, then set HF_TOKEN to a token of that account"),
    "gated, another's token": ("org/gated", OTHER, 4,
                               "{ref} is gated, and the account of the token from HF_TOKEN has no access",
                               "accept the licence at {page} with the account of the token from HF_TOKEN"),
    "bad token, public model": ("org/public", "hf_expired", 4,
                                "{ref}: {host} does not accept the token from HF_TOKEN: wrong or expired",
                                "take a new one from {url}/settings/tokens, or remove it: public models need none"),
    "disabled": ("org/disabled", None, 4, "{ref} is disabled at {host}", "{page} may say why"),
}


@pytest.fixture
def guarded(models, hub):
    for name in ("public", "private", "gated", "disabled"):
        models.small(f"org/{name}", weights=2000)

    def start(*args):
        return hub("--private", f"org/private:{TOKEN}", "--gated", f"org/gated:{TOKEN}", "--token", OTHER,
                   "--disabled", "org/disabled", "--xet", *args)

    return start


@pytest.mark.parametrize("case", REFUSALS)
@pytest.mark.parametrize("how", [(), ("--dry-run",)], ids=["pull", "dry run"])
def test_a_refusal_says_why_and_what_to_do(guarded, hostler, case, how):
    repo, token, status, message, hint = REFUSALS[case]
    origin = guarded()
    known = {"ref": f"hf:{repo}", "url": origin.url, "host": origin.url.removeprefix("http://"),
             "page": f"{origin.url}/{repo}"}
    got = hostler.pull(f"hf:{repo}", *how, hub=origin, env={"HF_TOKEN": token})
    assert words(got) == (message.format(**known), hint.format(**known))
    assert got.rc == status
    assert token is None or token not in got.stdout + got.stderr


def test_a_gated_api_is_refused_in_the_same_words(guarded, hostler):
    origin = guarded("--gated-api", "closed")
    got = hostler.pull("hf:org/gated", hub=origin)
    assert got.rc == 4
    assert words(got)[0] == "hf:org/gated is gated: it is given only to who accepted its licence"


def test_a_refusal_quotes_the_request(guarded, hostler):
    got = hostler.pull("hf:org/nope", hub=guarded())
    assert re.search(r"or a private one \(request Root=1-[0-9a-f]+-[0-9a-f]+\)$", got.stderr, re.M)


@pytest.mark.sanitize
@pytest.mark.parametrize("repo", ["org/private", "org/gated"])
def test_a_token_opens_what_it_may_read_and_goes_to_the_hub_only(guarded, hostler, volume, models, repo):
    origin = guarded()
    got = hostler.pull(f"hf:{repo}", "-v", hub=origin, env={"HF_TOKEN": TOKEN})
    assert got.rc == 0, got.stderr
    assert snapshot(volume, repo) == contents(models, repo)
    assert {r["auth"] for r in origin.log("api")} == {True}
    assert {r["auth"] for r in origin.log("cdn")} == {False}
    assert TOKEN not in got.stdout + got.stderr
    kept = [p for p in volume.rglob("*") if p.is_file() and TOKEN.encode() in p.read_bytes()]
    assert kept == []


def test_the_token_of_a_file_is_found_where_the_client_keeps_it(guarded, hostler, volume, tmp_path):
    origin = guarded()
    homes = {name: tmp_path / name for name in ("named", "hf", "xdg", "home")}
    files = {"HF_TOKEN_PATH": homes["named"] / "secret", "HF_HOME": homes["hf"] / "token",
             "XDG_CACHE_HOME": homes["xdg"] / "huggingface/token", "HOME": homes["home"] / ".cache/huggingface/token"}
    for variable, file in files.items():
        file.parent.mkdir(parents=True)
        file.write_text(TOKEN + "\r\n")
        value = file if variable == "HF_TOKEN_PATH" else homes[file.relative_to(tmp_path).parts[0]]
        got = hostler.pull("hf:org/gated", "--dry-run", hub=origin, env={variable: value, "HF_TOKEN": ""})
        assert got.rc == 0, f"{variable}: {got.stderr}"
        file.write_text("hf_old\n")
        got = hostler.pull("hf:org/gated", "--dry-run", hub=origin, env={variable: value})
        assert f"does not accept the token from {file}: wrong or expired" in words(got)[0]


def test_a_token_that_none_can_be_is_refused_with_its_place_alone(models, hub, hostler, tmp_path):
    models.small("org/tiny", weights=2000)
    origin = hub()
    file = tmp_path / "token"
    file.write_text("hf_two words")
    got = hostler.pull("hf:org/tiny", hub=origin, env={"HF_TOKEN_PATH": file})
    assert got.rc == 2
    assert f"{file}: the token holds a blank or another character that none has" in got.stderr
    assert "two words" not in got.stderr
    assert origin.requests() == 0


def test_a_complete_model_starts_in_spite_of_a_bad_token(models, hub, hostler):
    models.small("org/tiny", weights=2000)
    origin = hub("--token", TOKEN)
    assert hostler.pull("hf:org/tiny", hub=origin).rc == 0
    origin.reset()
    assert hostler.pull("hf:org/tiny", hub=origin, env={"HF_TOKEN": "not one"}).rc == 0
    assert origin.requests() == 0


# ------------------------------------------------------------------ revisions and names

def test_revisions_of_every_kind_are_found(models, hub, hostler, volume, tmp_path):
    models.small("org/tiny", weights=2000)
    older = models.small("org/tiny", weights=2000, seed=2, folder=tmp_path / "older")
    origin = hub("--rev", f"org/tiny@v1.0={older}", "--rev", f"org/tiny@refs/pr/1={older}")
    old, new = origin.commit("org/tiny", "v1.0"), origin.commit("org/tiny")
    for revision, commit in {"main": new, "v1.0": old, "refs/pr/1": old, old: old, old[:9]: old}.items():
        got = hostler.pull(f"hf:org/tiny@{revision}", "--json", hub=origin)
        assert got.rc == 0, got.stderr
        assert (volume / "huggingface/hub/models--org--tiny/snapshots" / commit).is_dir()
    ways = {r["path"] for r in origin.log("api") if "/revision/" in r["path"]}
    assert "/api/models/org/tiny/revision/refs%2Fpr%2F1" in ways
    assert f"/api/models/org/tiny/revision/{old}" not in ways, "a full commit needs no request to be one"


def test_update_asks_whether_a_branch_moved_and_nothing_else_does(models, hub, hostler, volume, tmp_path):
    models.small("org/tiny", weights=2000)
    origin = hub()
    before = origin.commit("org/tiny")
    assert hostler.pull("hf:org/tiny", f"hf:org/tiny@{before}", hub=origin).rc == 0
    origin.reset()
    assert hostler.pull("hf:org/tiny", "--update", hub=origin).rc == 0
    assert [r["path"] for r in origin.log()] == ["/api/models/org/tiny/revision/main"]
    after = origin.move("org/tiny", "main", folder=models.small("org/tiny", seed=2, folder=tmp_path / "next"))
    origin.reset()
    assert hostler.pull("hf:org/tiny", hub=origin).rc == 0
    assert hostler.pull(f"hf:org/tiny@{before}", "--update", hub=origin).rc == 0
    assert origin.requests() == 0
    assert hostler.pull("hf:org/tiny", "--update", hub=origin).rc == 0
    assert (volume / "huggingface/hub/models--org--tiny/refs/main").read_text() == after


def test_a_revision_that_is_not_there_is_named(models, hub, hostler):
    models.small("org/tiny", weights=2000)
    origin = hub()
    got = hostler.pull("hf:org/tiny@v9", hub=origin)
    assert got.rc == 3
    assert words(got) == ('hf:org/tiny@v9: there is no revision "v9"',
                          f"its branches and tags are at {origin.url}/org/tiny/tree/main")
    got = hostler.pull("hf:org/tiny@" + "0" * 40, hub=origin)
    assert got.rc == 3
    assert words(got)[0] == f'hf:org/tiny@{"0" * 40}: there is no revision "{"0" * 40}"'


def test_an_old_name_is_followed_once_and_keeps_its_folder(models, hub, hostler, volume):
    models.small("org/tiny", weights=2000)
    origin = hub("--alias", "old/name=org/tiny", "--page-size", "2")
    got = hostler.pull("hf:old/name", hub=origin)
    assert got.rc == 0, got.stderr
    assert snapshot(volume, "old/name") == contents(models, "org/tiny")
    assert not (volume / "huggingface/hub/models--org--tiny").exists()
    old = [r["path"] for r in origin.log("api") if "old/name" in r["path"]]
    assert old == ["/api/models/old/name/revision/main"]


def test_every_page_of_a_listing_is_read(models, hub, hostler, volume):
    files = {f"folder{i % 3}/file{i:03}.txt": f"{i}\n" for i in range(47)}
    models.make("org/many", files)
    # Behind a mirror the links to the next pages name the Hub itself: another host, never to be asked.
    origin = hub("--page-size", "7", "--public-url", "http://192.0.2.1:9")
    got = hostler.pull("hf:org/many", hub=origin, timeout=30)
    assert got.rc == 0, got.stderr
    assert {name: data.decode() for name, data in snapshot(volume, "org/many").items()} == files
    pages = [r for r in origin.log("api") if "/tree/" in r["path"]]
    assert len(pages) == 8    # 47 files and 3 folders


def test_a_file_may_have_any_name_that_a_store_can_hold(models, hub, hostler, volume):
    files = {"a b#c%20?.txt": "1", "ünï/код.json": "2", "x&y=z+.md": "3", "q'u\"o.txt": "4",
             "model.safetensors": "5", "weights #1.safetensors": "6"}
    models.make("org/odd", files)
    got = hostler.pull("hf:org/odd", hub=hub())
    assert got.rc == 0, got.stderr
    assert {name: data.decode() for name, data in snapshot(volume, "org/odd").items()} == files


# ------------------------------------------------------------------ the choice of files

def test_the_default_selection_takes_weights_in_one_format(models, hub, hostler, volume):
    kept = {name: "x" for name in ("README.md", "config.json", "model.safetensors", "1_Pooling/config.json",
                                   "2_Dense/pytorch_model.bin", "tokenizer.json")}
    dropped = {name: "y" for name in ("pytorch_model.bin", "tf_model.h5", "onnx/model.onnx", "openvino/a.xml",
                                      "consolidated.safetensors", "model.gguf", "rust_model.ot")}
    models.make("org/mixed", {**kept, **dropped})
    origin = hub()
    assert hostler.pull("hf:org/mixed", hub=origin).rc == 0
    assert set(snapshot(volume, "org/mixed")) == set(kept)
    assert hostler.pull("hf:org/mixed", "--all-files", hub=origin).rc == 0
    assert set(snapshot(volume, "org/mixed")) == set(kept) | set(dropped)


def test_include_and_exclude_choose_as_the_client_does(models, hub, hostler, volume):
    models.make("org/mixed", {"a.bin": "1", "b/c.bin": "2", "b/d.json": "3", "e.txt": "4"})
    origin = hub()
    assert hostler.pull("hf:org/mixed", "--include", "*.bin", "--include", "e.*", "--exclude", "a*", hub=origin).rc == 0
    assert set(snapshot(volume, "org/mixed")) == {"b/c.bin", "e.txt"}
    got = hostler.pull("hf:org/mixed", "--include", "*.gguf", hub=origin)
    assert got.rc == 3
    assert words(got) == ("hf:org/mixed: none of its 4 files is selected by --include '*.gguf'",
                          "--dry-run --all-files lists the files")


def test_a_repository_of_only_gguf_wants_a_file_named(models, hub, hostler, volume):
    models.make("org/gguf", {"README.md": "x", "m.Q4_K_M.gguf": "1" * 2000, "m.Q8_0.gguf": "2" * 3000})
    origin = hub()
    got = hostler.pull("hf:org/gguf", hub=origin)
    assert got.rc == 2
    assert words(got) == ("hf:org/gguf holds weights as GGUF only, name the files to have: "
                          "m.Q4_K_M.gguf (2.0 kB), m.Q8_0.gguf (3.0 kB)",
                          "--include 'FILE or GLOB' (and --include '*.json' for what belongs to it), or --all-files")
    assert hostler.pull("hf:org/gguf", "--include", "*Q4_K_M*", hub=origin).rc == 0
    assert set(snapshot(volume, "org/gguf")) == {"m.Q4_K_M.gguf"}


# ------------------------------------------------------------------ a look before the pull

def test_a_dry_run_asks_for_one_byte_of_one_file(models, hub, hostler, volume):
    models.make("org/mixed", {"a.txt": "x" * 10, "empty": "", "big.safetensors": "y" * 3000,
                              "less.safetensors": "z" * 2000})
    origin = hub()
    assert hostler.pull("hf:org/mixed", "--dry-run", hub=origin).rc == 0
    asked = [(r["path"].rsplit("/", 1)[1], r["range"], r["port"]) for r in origin.log() if "/resolve/" in r["path"]]
    assert asked == [("less.safetensors", "bytes=0-0", "api")]
    assert origin.requests("cdn") == 0
    assert hostler.pull("hf:org/mixed", "--dry-run", "--include", "empty", hub=origin).rc == 0
    assert not (volume / "huggingface/hub/models--org--mixed/snapshots").exists()


def test_a_dry_run_says_when_the_files_cannot_be_asked_for(models, hub, hostler):
    models.small("org/tiny", weights=2000)
    origin = hub()
    origin.fault("drop", match="/resolve/", times=-1)
    got = hostler.pull("hf:org/tiny", "--dry-run", "--give-up", "1s", hub=origin)
    assert got.rc == 5
    assert words(got)[0].startswith(f"hf:org/tiny: model.safetensors: {origin.url.removeprefix('http://')}: ")


# ------------------------------------------------------------------ a hub that is not at its best

def test_a_quota_that_is_used_up_is_waited_for(models, hub, hostler):
    models.small("org/tiny", weights=2000)
    origin = hub("--quota", "api=1,resolvers=4", "--window", "1")
    got = hostler.pull("hf:org/tiny", hub=origin, timeout=60)
    assert got.rc == 0, got.stderr
    assert 429 in {r["status"] for r in origin.log("api")}
    assert "429" in got.stderr, "it says what it waits for"


@pytest.mark.parametrize("match", ["/revision/", "/tree/"])
def test_a_web_page_instead_of_an_answer_is_asked_past_once(models, hub, hostler, tmp_path, match):
    models.small("org/tiny", weights=2000)
    origin = hub()
    origin.fault("html", match=match, times=1)
    assert hostler.pull("hf:org/tiny", hub=origin, volume=tmp_path / "volume").rc == 0
    origin.fault("html", match=match, times=-1)
    (tmp_path / "other").mkdir()
    got = hostler.pull("hf:org/tiny", hub=origin, volume=tmp_path / "other")
    assert got.rc == 5
    what = {"/revision/": "its revision", "/tree/": "its listing"}[match]
    assert words(got) == (f"hf:org/tiny: {what}: a web page came instead of the Hub's answer",
                          "a proxy or a captive portal may have answered: "
                          "look at HTTPS_PROXY, NO_PROXY and HF_ENDPOINT")


def test_a_hub_that_contradicts_its_listing_is_not_believed(models, hub, hostler, volume):
    models.small("org/tiny", weights=2000)
    origin = hub()
    host = origin.url.removeprefix("http://")
    origin.fault("badsize", match="resolve.*model.safetensors", times=-1, delta=1)
    got = hostler.pull("hf:org/tiny", hub=origin)
    assert got.rc == 6
    assert words(got)[0] == f"hf:org/tiny: model.safetensors: {host} now says 2001 bytes, its listing said 2000"
    origin.clear_faults()
    origin.fault("badetag", match="resolve.*model.safetensors", times=-1)
    got = hostler.pull("hf:org/tiny", hub=origin)
    assert got.rc == 6
    assert re.fullmatch(f"hf:org/tiny: model.safetensors: {host} now says digest 0{{64}}, "
                        "its listing said [0-9a-f]{64}", words(got)[0])
    assert not list(volume.glob("huggingface/hub/models--org--tiny/snapshots/*"))


def test_headers_that_a_mirror_leaves_out_are_not_missed(models, hub, hostler, volume):
    models.small("org/tiny", weights=2000)
    origin = hub("--small", "inline")
    origin.fault("nocommit", match="resolve", times=-1)
    assert hostler.pull("hf:org/tiny", hub=origin).rc == 0
    assert snapshot(volume, "org/tiny") == contents(models, "org/tiny")


def test_a_listed_file_that_the_hub_lost_is_named(models, hub, hostler):
    models.small("org/tiny", weights=2000)
    origin = hub()
    origin.fault("status", code=404, match="resolve.*config.json", times=-1)
    got = hostler.pull("hf:org/tiny", hub=origin)
    assert got.rc == 3
    assert re.fullmatch(f"hf:org/tiny: \\S*config.json is listed, but {origin.url.removeprefix('http://')} "
                        f"does not have it at {SHA}", words(got)[0])
