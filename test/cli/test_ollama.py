"""The Ollama source, before Debian's docker-registry and before a server that plays what that does not."""
import json
import re

import pytest
from registry import expected, layer, make_model, model_of, push_model, store
from test_hf import words

HOME = "registry.ollama.ai/library"
BLOBS = "/blobs/sha256:"


def at(there, **more):
    return {"OLLAMA_REGISTRY": there.url, **more}


def sizes(*models):
    """of all blobs together, each once"""
    return sum({hex: blob.size for model in models for hex, blob in model.blobs.items()}.values())


def tokens(server):
    return {one["auth"] for one in server.requests()}


def said(server):
    return [(one["method"], one["path"]) for one in server.requests()]


# ------------------------------------------------------------------ what comes

@pytest.mark.sanitize
@pytest.mark.parametrize("redirect", [False, True])
def test_a_model_comes_as_it_was_pushed(registry, hostler, volume, redirect):
    there = registry(redirect=redirect)
    tiny = there.push("library/tiny:latest", make_model(size=5_000_000, projector=100_000))
    got = hostler.pull("ollama:tiny", env=at(there))
    assert got.rc == 0, got.stderr
    assert store(volume) == expected({f"{HOME}/tiny/latest": tiny})
    if redirect:
        assert there.files.bytes_sent() == sizes(tiny)
        assert {one["path"].split("/")[-2] for one in there.files.requests()} == set(tiny.blobs)


def test_a_registry_may_be_named_by_the_model(registry, hostler, volume):
    there = registry()
    mine = there.push("me/mine:v1.5-q4_K_M", make_model())
    got = hostler.pull(f"ollama:{there.host}/me/mine:v1.5-q4_K_M")
    assert got.rc == 0, got.stderr
    assert store(volume) == expected({f"{there.host}/me/mine/v1.5-q4_K_M": mine})


def test_a_registry_may_lie_under_a_path(registry, front, hostler, volume):
    there = registry()
    tiny = there.push("library/tiny:latest", make_model())
    before = front(there, prefix="/proxy/ollama")
    got = hostler.pull("ollama:tiny", env={"OLLAMA_REGISTRY": f"{before.url}/proxy/ollama/"})
    assert got.rc == 0, got.stderr
    assert store(volume) == expected({f"{HOME}/tiny/latest": tiny})
    assert all(path.startswith("/proxy/ollama/v2/library/tiny/") for _, path in said(before))


def test_blobs_that_tags_and_models_share_come_once(registry, front, hostler, volume):
    there = registry()
    first = there.push("library/tiny:latest", make_model(size=3_000_000))
    other = there.push("library/tiny:other", model_of([*first.layers, layer("system", b"Be brief.")]))
    third = there.push("me/mine:latest", make_model(share=first.layers[:1], projector=50_000))
    before = front(there)
    got = hostler.pull("ollama:tiny", "ollama:tiny:other", "ollama:me/mine", env=at(before))
    assert got.rc == 0, got.stderr
    assert before.bytes_sent(BLOBS) == sizes(first, other, third)
    assert store(volume) == expected({f"{HOME}/tiny/latest": first, f"{HOME}/tiny/other": other,
                                      "registry.ollama.ai/me/mine/latest": third})


def test_a_digest_that_a_manifest_names_twice_comes_once(registry, front, hostler, volume):
    there = registry()
    weights = make_model(size=2_500_000).layers[0]
    twice = there.push("library/twice:latest", model_of([weights, layer("license", b"L"), layer("license", b"M"),
                                                         layer("license", b"L"), layer("rune", b"unknown kind")]))
    before = front(there)
    got = hostler.pull("ollama:twice", env=at(before))
    assert got.rc == 0, got.stderr
    assert before.bytes_sent(BLOBS) == sizes(twice)
    assert store(volume) == expected({f"{HOME}/twice/latest": twice})


def test_what_is_complete_asks_nothing_and_update_asks_for_the_manifest(registry, front, hostler, volume):
    there = registry()
    old = there.push("library/tiny:latest", make_model(size=300_000))
    before = front(there)
    assert hostler.pull("ollama:tiny", env=at(before)).rc == 0
    asked = len(before.requests())
    assert hostler.pull("ollama:tiny", env=at(before)).rc == 0
    assert len(before.requests()) == asked
    assert hostler.pull("ollama:tiny", "--update", env=at(before)).rc == 0
    assert said(before)[asked:] == [("GET", "/v2/library/tiny/manifests/latest")]

    new = there.push("library/tiny:latest", make_model(share=old.layers[:1], projector=20_000))
    sent = before.bytes_sent(BLOBS)
    got = hostler.pull("ollama:tiny", "--update", env=at(before))
    assert got.rc == 0, got.stderr
    assert before.bytes_sent(BLOBS) - sent == sizes(old, new) - sizes(old)
    assert store(volume)[f"manifests/{HOME}/tiny/latest"] == new.manifest


def test_the_manifest_is_asked_for_as_ollama_reads_it(registry, front, hostler):
    there = registry()
    there.push("library/tiny:latest", make_model())
    before = front(there)
    assert hostler.pull("ollama:tiny", env=at(before)).rc == 0
    (first,) = before.requests("/manifests/")
    assert (first["accept"], first["auth"]) == (push_model.MANIFEST_TYPE, None)
    assert re.fullmatch(r"hostler/\S+", first["agent"])


@pytest.mark.parametrize("option", ["--include", "--exclude"])
def test_patterns_choose_nothing_and_that_is_said(registry, hostler, volume, option):
    there = registry()
    tiny = there.push("library/tiny:latest", make_model())
    got = hostler.pull("ollama:tiny", option, "*.json", env=at(there))
    assert got.rc == 0, got.stderr
    assert store(volume) == expected({"registry.ollama.ai/library/tiny/latest": tiny})
    said = [line.partition(" ")[2] for line in got.stderr.splitlines() if " WARN " in line]
    assert said == [f"WARN {option} chooses nothing here: a model of Ollama is fetched whole model=ollama:tiny"]


def test_a_dry_run_lists_what_would_come(registry, front, hostler, volume):
    there = registry()
    tiny = there.push("library/tiny:latest", make_model(size=300_000))
    before = front(there, auth="token")
    got = hostler.pull("ollama:tiny", "--dry-run", "--json", env=at(before))
    assert got.rc == 0, got.stderr
    (model,) = json.loads(got.stdout)["models"]
    assert (model["model"], model["revision"], model["origin"]) == ("ollama:tiny", tiny.id, before.url)
    assert (model["bytes"], model["access"]) == (sizes(tiny), "yes")
    assert [one["path"] for one in model["files"]] == ["config", "license", "model", "params", "template"]
    assert list(volume.iterdir()) == []
    assert before.bytes_sent(BLOBS) <= 1


# ------------------------------------------------------------------ tokens

@pytest.mark.sanitize
def test_a_token_is_got_and_goes_to_the_registry_alone(registry, front, hostler, volume):
    there = registry(redirect=True)
    tiny = there.push("library/tiny:latest", make_model(size=3_000_000))
    before = front(there, auth="token")
    got = hostler.pull("ollama:tiny", "-v", "--debug=all", env=at(before))
    assert got.rc == 0, got.stderr
    assert store(volume) == expected({f"{HOME}/tiny/latest": tiny})
    assert [one["path"] for one in before.requests("/token")] == [
        "/token?service=front&scope=repository%3Alibrary%2Ftiny%3Apull"]
    assert {one["auth"] for one in before.requests("/token")} == {None}
    assert {one["auth"] for one in before.requests(BLOBS)} == {"Bearer token-1"}
    assert tokens(there.files) == {None}
    assert "token-1" not in got.stderr + got.stdout
    for file in volume.rglob("*"):
        assert not file.is_file() or b"token-1" not in file.read_bytes()


@pytest.mark.sanitize
@pytest.mark.parametrize("redirect, uses", [(False, 8), (True, 3)])
def test_tokens_that_have_their_day_are_replaced_while_files_come(registry, front, hostler, volume, redirect, uses):
    there = registry(redirect=redirect)
    tiny = there.push("library/tiny:latest", make_model(size=12_000_000, projector=6_000_000))
    before = front(there, auth="token", uses=uses)
    got = hostler.pull("ollama:tiny", env=at(before))
    assert got.rc == 0, got.stderr
    assert store(volume) == expected({f"{HOME}/tiny/latest": tiny})
    assert len(before.tokens) > 1
    assert redirect or before.bytes_sent(BLOBS) == sizes(tiny)


def test_a_token_may_come_from_another_host_by_https(registry, front, hostler, volume, certificates):
    there = registry()
    tiny = there.push("library/tiny:latest", make_model())
    giver = front(there, auth="token", name="localhost", tls=certificates)
    before = front(there, auth="token", realm=f"{giver.url}/token")
    before.tokens = giver.tokens
    got = hostler.pull("ollama:tiny", env=at(before, HOSTLER_EXTRA_CA=certificates / "ca.pem"))
    assert got.rc == 0, got.stderr
    assert store(volume) == expected({f"{HOME}/tiny/latest": tiny})
    assert {one["path"].partition("?")[0] for one in giver.requests()} == {"/token"}
    assert tokens(giver) == {None}


def test_a_realm_by_http_on_another_host_is_not_asked(registry, front, hostler):
    there = registry()
    there.push("library/tiny:latest", make_model())
    giver = front(there, auth="token", name="localhost")
    before = front(there, auth="token", realm=f"{giver.url}/token")
    got = hostler.pull("ollama:tiny", env=at(before))
    assert got.rc == 10
    assert words(got)[0] == f"ollama:tiny: {before.host} sends us to {giver.host} for a token, by plain http"
    assert giver.requests() == []


def test_a_registry_that_wants_a_password_is_named(registry, front, hostler):
    there = registry()
    there.push("library/tiny:latest", make_model())
    before = front(there, auth="basic")
    got = hostler.pull("ollama:tiny", env=at(before))
    assert got.rc == 4
    assert words(got) == (f"ollama:tiny: {before.host} wants a user and a password (Basic), which are not sent",
                          "let the registry serve this model to everybody who can reach it, or give tokens (Bearer) "
                          "to everybody")


def test_a_token_that_is_never_good_is_the_end(registry, front, hostler):
    there = registry()
    there.push("library/tiny:latest", make_model())
    before = front(there, auth="token", uses=0)
    got = hostler.pull("ollama:tiny", env=at(before))
    assert got.rc == 4
    assert words(got)[0] == f"ollama:tiny: {before.host} refuses (401): authentication required"
    assert len(before.tokens) == 1


def test_a_token_that_is_good_for_the_manifest_only_is_the_end(registry, front, hostler, volume):
    there = registry()
    there.push("library/tiny:latest", make_model())
    before = front(there, auth="token")
    before.say(BLOBS, 401, {"WWW-Authenticate": f'Bearer realm="{before.url}/token"'}, times=None)
    got = hostler.pull("ollama:tiny", env=at(before))
    assert got.rc == 4
    assert words(got)[0] == f"ollama:tiny: {before.host} refuses (401)"
    assert len(before.tokens) < 10
    assert store(volume) == {}


# ------------------------------------------------------------------ refusals

def test_a_model_that_is_not_there_is_named_with_where_to_look(registry, hostler, volume):
    there = registry()
    there.push("library/tiny:latest", make_model())
    for name, hint in {
        "tiny:7b": "its tags are at https://ollama.com/library/tiny/tags",
        "llava-next:34b-v1.5-q4_K_M": "LLaVA-NeXT is version 1.6 of llava there: ollama:llava:7b, ollama:llava:13b, "
                                      "ollama:llava:34b",
        "BAAI/bge-m3": "its tags are at https://ollama.com/BAAI/bge-m3/tags; a model of Hugging Face is written "
                       "hf:BAAI/bge-m3",
    }.items():
        got = hostler.pull(f"ollama:{name}", env=at(there))
        tag = name.partition(":")[2] or "latest"
        assert got.rc == 3, got.stderr
        assert words(got) == (f"ollama:{name}: {there.host} has no such model, or not with the tag {tag}", hint)
    assert store(volume) == {}


def test_capitals_are_named_as_what_a_registry_does_not_take(registry, hostler):
    there = registry()
    got = hostler.pull(f"ollama:{there.host}/Library/tiny")
    assert got.rc == 3
    assert words(got)[1] == "registries want names in lower case: Library/tiny has capitals"


def test_a_blob_that_the_registry_lost_is_named(registry, hostler, volume):
    there = registry()
    tiny = there.push("library/tiny:latest", make_model())
    lost = tiny.layers[0]
    there.blob(lost.hex).unlink()
    got = hostler.pull("ollama:tiny", env=at(there))
    assert got.rc == 3, got.stderr
    assert words(got)[0] == (f"ollama:tiny: its manifest names model (sha256:{lost.hex}), but {there.host} "
                             "does not have it")
    assert f"manifests/{HOME}/tiny/latest" not in store(volume)


def test_cloud_models_are_refused_with_words(registry, hostler):
    there = registry()
    there.push("library/big:latest", model_of([], remote_host="https://ollama.com", remote_model="big"))
    got = hostler.pull("ollama:big:cloud", env=at(there))
    assert (got.rc, words(got)[0]) == (2, "big:cloud runs in Ollama's cloud and has no weights to pull")
    got = hostler.pull("ollama:big", env=at(there))
    assert (got.rc, words(got)[0]) == (2, "ollama:big: its manifest names no weights: it runs in Ollama's cloud, or "
                                          "is no model")


MANIFESTS = "/manifests/"


@pytest.mark.parametrize("status, headers, body, rc, message", [
    (412, {}, "this model requires a newer version of Ollama", 5,
     "{host} answers 412: this model requires a newer version of Ollama"),
    (400, {}, '{"errors":[{"code":"MANIFEST_INVALID","message":"manifest invalid"}]}', 5,
     "{host} answers 400: manifest invalid"),
    (403, {}, '{"errors":[{"code":"DENIED","message":"requested access is denied"}]}', 4,
     "{host} refuses (403): requested access is denied"),
    (200, {"Content-Type": "text/html"}, "<html>Please log in</html>", 5,
     "a web page came from {host} instead of a manifest"),
    (200, {}, '{"schemaVersion":1,"fsLayers":[]}', 10,
     "its manifest: it is of schema 1, which registries make for clients of before 2016, no manifest of a model"),
    (200, {}, '{"schemaVersion":2,"manifests":[]}', 10,
     "its manifest: it is an image index (one image for several platforms), no manifest of a model"),
    (200, {}, "[" * 2_000_000, 10, "its manifest: its text: JSON nested deeper than 64 levels"),
    (200, {}, '{"schemaVersion":2,"config":{"mediaType":"c","digest":"sha256:../../../etc/passwd","size":1},"layers":[]}',
     10, 'its manifest: config: the digest "sha256:../../../etc/passwd" is not "sha256:" and 64 hex digits'),
    (302, {"Location": "file:///etc/passwd"}, "", 10, None),
    (302, {"Location": "http://registry.invalid/"}, "", 5,
     "{host} redirects: registry.invalid would be asked by plain http"),
])
def test_answers_that_are_no_manifest(front, hostler, volume, status, headers, body, rc, message):
    before = front("http://127.0.0.1:1")
    before.say(MANIFESTS, status, headers, body, times=None)
    got = hostler.pull("ollama:tiny", env=at(before))
    assert got.rc == rc, got.stderr
    assert message is None or words(got)[0] == "ollama:tiny: " + message.format(host=before.host)
    assert words(got)[1]
    assert store(volume) == {}


def test_an_answer_longer_than_any_manifest_is_cut_off(front, hostler):
    before = front("http://127.0.0.1:1")
    before.say(MANIFESTS, 200, {}, " " * (8 << 20), times=None)
    got = hostler.pull("ollama:tiny", env=at(before))
    assert got.rc == 10
    assert words(got)[0] == f"ollama:tiny: {before.host}: the answer is longer than it may be"


def test_a_busy_registry_is_asked_again_when_it_said(registry, front, hostler, volume):
    there = registry()
    tiny = there.push("library/tiny:latest", make_model())
    before = front(there)
    before.say(MANIFESTS, 429, {"Retry-After": 1}, times=1)
    before.say(MANIFESTS, 500, {"Content-Type": "text/html"}, "<html>oops</html>", times=1)
    before.say(BLOBS, 429, {"Retry-After": 1}, times=1)
    before.say(BLOBS, 503, {}, "no server is available", times=2)
    got = hostler.pull("ollama:tiny", env=at(before))
    assert got.rc == 0, got.stderr
    assert got.seconds >= 2
    assert "it answers 429; trying again in 1" in got.stderr
    assert store(volume) == expected({f"{HOME}/tiny/latest": tiny})


def test_a_registry_that_stays_broken_is_named_after_all_tries(front, hostler):
    before = front("http://127.0.0.1:1")
    before.say(MANIFESTS, 500, {"Content-Type": "text/html"}, "<html>oops</html>", times=None)
    got = hostler.pull("ollama:tiny", "--give-up", "2s", env=at(before))
    assert got.rc == 5
    assert re.fullmatch(rf"ollama:tiny: {before.host}: it answers 500; tried \d+ times in \d+s", words(got)[0])


def test_a_size_that_is_not_the_manifests_is_an_error(registry, front, hostler, volume):
    there = registry()
    tiny = there.push("library/tiny:latest", make_model(size=300_000))
    size = tiny.layers[0].size
    before = front(there)
    before.say(MANIFESTS, 200, {}, tiny.manifest.replace(b'"size":%d' % size, b'"size":%d' % (size + 1)), times=None)
    got = hostler.pull("ollama:tiny", env=at(before))
    assert got.rc == 5, got.stderr
    assert words(got)[0] == (f"ollama:tiny: model: {before.host}: wrong total: the file is {size} bytes there, "
                             f"{size + 1} in the listing")
    assert f"blobs/sha256-{tiny.layers[0].hex}" not in store(volume)


@pytest.mark.sanitize
def test_wrong_bytes_are_not_published(registry, hostler, volume):
    there = registry()
    tiny = there.push("library/tiny:latest", make_model(size=300_000))
    file = there.blob(tiny.layers[0].hex)
    content = bytearray(file.read_bytes())
    content[1000] ^= 1
    file.write_bytes(content)
    got = hostler.pull("ollama:tiny", env=at(there))
    assert got.rc == 6, got.stderr
    assert f"blobs/sha256-{tiny.layers[0].hex}" not in store(volume)
    assert f"manifests/{HOME}/tiny/latest" not in store(volume)


def test_a_manifest_altered_on_its_way_is_not_believed(registry, front, hostler, volume):
    there = registry()
    tiny = there.push("library/tiny:latest", make_model())
    before = front(there)
    altered = tiny.manifest.replace(b'":', b'": ', 1)
    before.say(MANIFESTS, 200, {"Docker-Content-Digest": f"sha256:{tiny.id}"}, altered, times=1)
    assert hostler.pull("ollama:tiny", env=at(before)).rc == 0
    assert store(volume) == expected({f"{HOME}/tiny/latest": tiny})
    before.say(MANIFESTS, 200, {"Docker-Content-Digest": f"sha256:{tiny.id}"}, altered, times=None)
    got = hostler.pull("ollama:tiny", "--update", env=at(before))
    assert got.rc == 6
    assert f"but {before.host} says sha256:{tiny.id}" in words(got)[0]


# ------------------------------------------------------------------ by http and by https

@pytest.mark.sanitize
def test_an_https_registry_is_not_left_for_http(registry, front, hostler, certificates):
    there = registry(redirect=True)
    there.push("library/tiny:latest", make_model())
    before = front(there, tls=certificates)
    trusting = at(before, HOSTLER_EXTRA_CA=certificates / "ca.pem")
    got = hostler.pull("ollama:tiny", env=trusting)
    assert got.rc == 5, got.stderr
    assert f"an https address leads to plain http on {there.files.host}" in words(got)[0]
    assert there.files.requests() == []


def test_a_registry_by_https_serves_a_model(registry, front, hostler, volume, certificates):
    there = registry()
    tiny = there.push("library/tiny:latest", make_model(size=3_000_000))
    before = front(there, auth="token", tls=certificates)
    got = hostler.pull("ollama:tiny", env=at(before, HOSTLER_EXTRA_CA=certificates / "ca.pem"))
    assert got.rc == 0, got.stderr
    assert store(volume) == expected({f"{HOME}/tiny/latest": tiny})


def test_a_proxy_is_used_and_its_credentials_stay_with_it(registry, front, proxy, hostler, volume, certificates):
    there = registry()
    tiny = there.push("library/tiny:latest", make_model(size=3_000_000))
    before = front(there, tls=certificates)
    through = proxy("--credentials", "me:word")
    env = at(before, HOSTLER_EXTRA_CA=certificates / "ca.pem")
    got = hostler.pull("ollama:tiny", env={**env, "HTTPS_PROXY": through.url.replace("://", "://me:wrong@")})
    assert got.rc == 5, got.stderr
    assert "the proxy that HTTPS_PROXY names wants credentials (407)" in words(got)[0]
    assert "wrong" not in got.stderr and before.requests() == []
    got = hostler.pull("ollama:tiny", env={**env, "HTTPS_PROXY": through.url.replace("://", "://me:word@")})
    assert got.rc == 0, got.stderr
    assert store(volume) == expected({f"{HOME}/tiny/latest": tiny})
    assert {target for _, target in through.requests()} == {before.host}
    assert tokens(before) == {None}


def test_other_hosts_are_asked_by_https(hostler):
    got = hostler.pull("ollama:registry.invalid/me/mine", "--give-up", "1s")
    assert got.rc == 5
    assert words(got)[0].startswith("ollama:registry.invalid/me/mine: registry.invalid: ")
    got = hostler.pull("ollama:mine", env={"OLLAMA_REGISTRY": "http://registry.invalid"})
    assert got.rc == 5
    assert words(got) == ("ollama:mine: registry.invalid would be asked by plain http",
                          "use https, or allow this host with --insecure-http registry.invalid")
