"""The stand-in hub and the fixtures themselves: what later tests measure with must measure right."""
import gzip
import json
import ssl
import time
import urllib.error
import urllib.request

import pytest
import safetensors.numpy
from conftest import sha256_of


def ask(url, proxy=None, ca=None, **headers):
    handlers = [urllib.request.ProxyHandler({"http": proxy, "https": proxy} if proxy else {})]
    if ca:
        handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca)))
    return urllib.request.build_opener(*handlers).open(urllib.request.Request(url, headers=headers), timeout=10)


def get(url, **how):
    with ask(url, **how) as answer:
        return answer.status, answer.read()


def test_a_repo_is_listed_and_served_with_every_byte_counted(models, hub):
    models.small("org/tiny")
    origin = hub()
    sha = origin.commit("org/tiny")
    _, tree = get(f"{origin.url}/api/models/org/tiny/tree/{sha}?recursive=true")
    listed = {e["path"]: e["size"] for e in json.loads(tree)}
    assert listed == {name: p.stat().st_size for name, p in models.files("org/tiny").items()}

    origin.reset()
    for name, path in models.files("org/tiny").items():
        _, body = get(f"{origin.url}/org/tiny/resolve/{sha}/{name}")
        assert body == path.read_bytes()
    assert origin.bytes_sent("cdn") == models.bytes("org/tiny", lfs=True)
    assert origin.requests("cdn") == 1


def test_a_range_is_answered_with_its_bytes_alone(models, hub):
    models.small("org/tiny")
    origin = hub()
    origin.reset()
    status, body = get(f"{origin.url}/org/tiny/resolve/main/model.safetensors", Range="bytes=100-299")
    assert status == 206
    assert body == models.files("org/tiny")["model.safetensors"].read_bytes()[100:300]
    assert [(r["range"], r["sent"]) for r in origin.log("cdn")] == [("bytes=100-299", 200)]


def test_a_fault_strikes_as_often_as_it_was_told_to(models, hub):
    models.small("org/tiny")
    origin = hub()
    origin.fault("status", code=503, match="config.json", times=1)
    with pytest.raises(urllib.error.HTTPError, match="503"):
        get(f"{origin.url}/org/tiny/resolve/main/config.json")
    assert get(f"{origin.url}/org/tiny/resolve/main/config.json")[0] == 200
    assert origin.faults()[0]["hits"] == 1


@pytest.mark.parametrize("action, status, content_range, first", [
    ("norange", 200, None, 0),
    ("wrongrange", 206, "bytes 10-19/1000", 9),
    ("otherrange", 206, "bytes 11-20/1000", 11),
    ("wrongtotal", 206, "bytes 10-19/1001", 10),
])
def test_a_range_can_be_answered_wrongly(models, hub, action, status, content_range, first):
    data = bytes(range(250)) * 4
    models.make("org/tiny", {"a.bin": data})
    origin = hub()
    origin.fault(action, port="cdn")
    with ask(f"{origin.url}/org/tiny/resolve/main/a.bin", Range="bytes=10-19") as answer:
        assert (answer.status, answer.headers["Content-Range"]) == (status, content_range)
        assert answer.read()[:10] == data[first:first + 10]


def test_a_file_can_be_compressed_without_being_asked_for_it(models, hub):
    models.make("org/tiny", {"a.bin": b"a" * 1000})
    origin = hub()
    origin.fault("gzip", port="cdn")
    with ask(f"{origin.url}/org/tiny/resolve/main/a.bin") as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(answer.read()) == b"a" * 1000


def test_a_redirect_can_lead_to_itself(models, hub):
    models.make("org/tiny", {"a.bin": b"a"})
    origin = hub()
    origin.fault("loop", port="cdn", times=-1)
    with pytest.raises(urllib.error.HTTPError, match="infinite loop"):
        ask(f"{origin.url}/org/tiny/resolve/main/a.bin")


def test_the_proxy_passes_both_kinds_on_and_knows_who_may(models, hub, proxy, certificates):
    models.make("org/tiny", {"a.txt": "plain"})
    plain = hub()
    tls = hub("--tls-cert", certificates / "server.pem", "--tls-key", certificates / "server.key")
    path = "/org/tiny/raw/main/a.txt"
    through = proxy("--credentials", "who:what")
    known = through.url.replace("//", "//who:what@")
    assert get(plain.url + path, proxy=known) == (200, b"plain")
    assert get(tls.url + path, proxy=known, ca=certificates / "ca.pem") == (200, b"plain")
    assert [method for method, _ in through.requests()] == ["GET", "CONNECT"]
    with pytest.raises(urllib.error.HTTPError, match="407"):
        ask(plain.url + path, proxy=through.url)


def test_the_certificate_is_good_only_to_who_knows_its_authority(models, hub, certificates):
    models.make("org/tiny", {"a.txt": "plain"})
    tls = hub("--tls-cert", certificates / "server.pem", "--tls-key", certificates / "server.key")
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        ask(tls.url + "/org/tiny/raw/main/a.txt")
    assert tls.requests() == 0


def test_a_branch_can_move_to_other_files(models, hub, tmp_path):
    models.small("org/tiny")
    origin = hub()
    before = origin.commit("org/tiny")
    after = origin.move("org/tiny", "main", folder=models.small("org/tiny", seed=2, folder=tmp_path / "next"))
    assert after != before
    assert origin.commit("org/tiny") == after


def test_made_weights_are_opened_by_the_real_library(models):
    top = models.small("org/tiny", weights=200_000, shards=2)
    shards = sorted(top.glob("*.safetensors"))
    assert len(shards) == 2
    tensors = [safetensors.numpy.load_file(p)["weight"] for p in shards]
    assert all(p.stat().st_size == 100_000 for p in shards)
    assert sha256_of(shards[0]) != sha256_of(shards[1])
    assert tensors[0].size < 100_000


def test_the_real_client_takes_the_stand_in_for_the_hub(models, hub, reader):
    models.small("org/tiny", shards=2)
    origin = hub("--rev", f"org/tiny@refs/pr/1={models.small('org/tiny', seed=2, folder=models.root.parent / 'pr')}")
    for revision in (None, "refs/pr/1"):
        snapshot = reader.snapshot("org/tiny", revision, hub=origin)
        assert snapshot.name == origin.commit("org/tiny", revision or "main")
    assert (snapshot / "config.json").read_bytes() == (models.root.parent / "pr" / "config.json").read_bytes()
    assert reader.snapshot("org/tiny", "refs/pr/1") == snapshot        # offline
    found = reader.scan()
    assert found["warnings"] == []
    assert sorted(found["repos"]["org/tiny"]) == sorted([origin.commit("org/tiny"), snapshot.name])


def test_a_cdn_with_a_grudge_gives_many_connections_a_crawl(hub):
    origin = hub("--synth", "org/m:model.safetensors=64M,1", "--grudge", "1,100K")
    url = f"{origin.url}/org/m/resolve/main/model.safetensors"

    def seconds():
        began = time.monotonic()
        get(url, Range="bytes=0-99999")
        return time.monotonic() - began

    assert get(url, Range="bytes=0-99999")[0] == 206
    with ask(url):                      # a body that nobody reads stays under way
        assert seconds() > 1.9          # each of the two gets half of the rate
