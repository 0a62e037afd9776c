"""Every way in which an origin can fail, each alone, by the program: one table of what comes of it.

The stand-in hub plays the faults (its --help names them); test_transfer.py has odder origins."""
import re

import pytest

from conftest import SLOW
from volume import assert_complete

MIB = 1 << 20
SIZE = 8_000_000
PATIENCE = ("--give-up", "2s", "--first-byte", "700ms")
SMALL = "config|tokenizer|README|LICENSE"

# Each fault strikes the CDN, if it does not say port="api". COMES: the pull succeeds, and the CDN sent
# at most so many times the size. FAILS: the exit status, and a pattern of what stderr says.
COMES = {
    "reset": ([dict(action="reset", after=MIB, times=3)], 1.45),
    "cut body": ([dict(action="close", after=700_000, times=3)], 1.3),
    "cut body at every request": ([dict(action="close", after=1_900_000, times=-1)], 1.05),
    "closed without an answer": ([dict(action="drop", times=3)], 1.0),
    "stall": ([dict(action="stall", after=300_000, delay=2)], 1.2),
    "no first byte": ([dict(action="hang", delay=2)], 1.0),
    "500": ([dict(action="status", code=500, times=2)], 1.0),
    "502 of the origin": ([dict(action="status", code=502, port="api", times=2)], 1.0),
    "503 with Retry-After": ([dict(action="status", code=503, retry_after=1)], 1.0),
    "429 with Retry-After": ([dict(action="status", code=429, retry_after=3)], 1.0),
    "429 with RateLimit": ([dict(action="status", code=429, rl_t=1, port="api")], 1.0),
    "429 without": ([dict(action="status", code=429, times=2)], 1.0),
    "408": ([dict(action="status", code=408)], 1.0),
    "expired link at first": ([dict(action="expired", times=1)], 1.0),
    "expired link in the middle": ([dict(action="expired", skip=2, times=1)], 1.0),
    "401 of the link": ([dict(action="status", code=401, skip=1)], 1.0),
    "410 of the link": ([dict(action="status", code=410, skip=1)], 1.0),
    "400 of the link": ([dict(action="status", code=400, skip=1)], 1.0),
    "416 once": ([dict(action="status", code=416, skip=1)], 1.0),
    "200 for a range": ([dict(action="norange", times=-1)], 1.0),
    "200 for a later range": ([dict(action="norange", times=-1, skip=1)], 4.0),
    "wrong Content-Range": ([dict(action="otherrange", delta=4096, skip=1)], 1.3),
    "wrong total once": ([dict(action="wrongtotal", skip=1)], 1.3),
    "wrong bytes under the right range": ([dict(action="wrongrange", delta=1, skip=1)], 2.0),
    "one flipped byte": ([dict(action="corrupt", after=123)], 2.0),
    "compressed once": ([dict(action="gzip")], 1.3),
    "page of a portal once": ([dict(action="html", times=2)], 1.0),
    "body that ends too soon": ([dict(action="badlen", delta=1000)], 1.0),
    "no length": ([dict(action="nolen")], 1.0),
    "503 of the API": ([dict(action="status", code=503, port="api", match="/api/models", times=2)], 1.0),
    "429 of the API": ([dict(action="status", code=429, rl_t=1, port="api", match="/api/models")], 1.0),
    "429 of the API, with Retry-After": ([dict(action="status", code=429, retry_after=1, port="api",
                                               match="/api/models")], 1.0),
    "API closed without an answer": ([dict(action="drop", port="api", match="/api/models", times=2)], 1.0),
    "API reset": ([dict(action="drop", abs=1, port="api", match="/api/models")], 1.0),
    "API without a first byte": ([dict(action="hang", delay=2, port="api", match="/api/models")], 1.0),
    "slow first answers": ([dict(action="slow", delay=0.3, times=3)], 1.0),
}
FAILS = {
    "refused for ever": ([dict(action="drop", times=-1)], 5, r"closed without an answer; no progress for 2s\n.*--give-up"),
    "503 for ever": ([dict(action="status", code=503, times=-1)], 5, r"it answers 503; no progress for"),
    "stall for ever": ([dict(action="stall", delay=2, times=-1)], 5, r"(nearly nothing comes any more|no byte comes); no progress for"),
    "no first byte ever": ([dict(action="hang", delay=2, times=-1)], 5, r"no byte comes; no progress for"),
    "a wait that is too long": ([dict(action="status", code=429, retry_after=3600, times=-1)], 5,
                                r"it answers 429 and asks to wait 1h00m"),
    "403 for ever": ([dict(action="expired", times=-1)], 5, r"it answers 403; no progress for"),
    "404 of the origin": ([dict(action="status", code=404, port="api", match="resolve", times=-1)], 3,
                          r"model\.safetensors is listed, but .* does not have it"),
    "401 of the origin": ([dict(action="status", code=401, port="api", match="resolve", times=-1)], 4,
                          r"no such model at .*, or a private one"),
    "another size": ([dict(action="wrongtotal", delta=7, times=-1)], 5,
                     r"wrong total: the file is 8000007 bytes there, 8000000 in the listing"),
    "wrong Content-Range for ever": ([dict(action="otherrange", delta=4096, times=-1)], 5,
                                     r"another range comes than was asked for"),
    "compressed for ever": ([dict(action="gzip", times=-1)], 5, r"coding that was not asked for \(gzip\)"),
    "a portal for ever": ([dict(action="html", times=-1)], 5, r"127\.0\.0\.\d:\d+: a web page .* captive portal"),
    "503 of the API for ever": ([dict(action="status", code=503, port="api", match="/api/models", times=-1)], 5,
                                r"127\.0\.0\.1:\d+: it answers 503; tried \d+ times in 2s"),
    "API closed for ever": ([dict(action="drop", port="api", match="/api/models", times=-1)], 5,
                            r"closed without an answer; tried \d+ times in 2s\n.*--give-up"),
    "API without a first byte ever": ([dict(action="hang", delay=3, port="api", match="/api/models", times=-1)], 5,
                                      r"no answer in time; tried \d+ times"),
    "API with a wait that is too long": ([dict(action="status", code=429, retry_after=3600, port="api",
                                               match="/api/models", times=-1)], 5,
                                         r"it answers 429 and asks to wait 1h00m"),
    "redirect loop": ([dict(action="loop", port="api", match="resolve", times=-1)], 5, r"the redirects do not end"),
    "wrong bytes for ever": ([dict(action="corrupt", after=123, times=-1)], 6,
                             r"its digest is [0-9a-f]{64}, it should be [0-9a-f]{64}"),
}



def start(hub, models, faults, *args):
    models.small("org/m", weights=SIZE)
    origin = hub(*args)
    for fault in faults:
        how = {"port": "cdn", **fault}
        origin.fault(how.pop("action"), **how)
    return origin


@pytest.mark.parametrize("fault", COMES)
def test_the_file_comes_in_spite_of(fault, hub, models, hostler, volume):
    faults, most = COMES[fault]
    origin = start(hub, models, faults)
    got = hostler.pull("hf:org/m", *PATIENCE, hub=origin)
    assert got.rc == 0, got.stderr
    assert all(f["hits"] > 0 for f in origin.faults()), "the fault never struck"
    assert_complete(volume, "org/m", models.files("org/m"))
    assert origin.bytes_sent("cdn") <= most * SIZE + 65536


@pytest.mark.parametrize("fault", FAILS)
def test_the_last_word_on(fault, hub, models, hostler):
    faults, status, pattern = FAILS[fault]
    origin = start(hub, models, faults)
    got = hostler.pull("hf:org/m", *PATIENCE, hub=origin)
    assert got.rc == status, got.stderr
    assert re.search(pattern, got.stderr), got.stderr
    assert "Signature" not in got.stderr and "Expires" not in got.stderr
    assert got.seconds < 20 * SLOW


def test_nobody_listens(hostler, hub, models):
    models.small("org/m")
    origin = hub()
    origin.close()
    got = hostler.pull("hf:org/m", *PATIENCE, hub=origin)
    assert got.rc == 5
    assert re.search(r"127\.0\.0\.1:\d+: cannot connect: Connection refused; tried \d+ times in 2s", got.stderr)


def test_a_name_that_does_not_resolve(hostler):
    got = hostler.pull("hf:org/m", *PATIENCE, env={"HF_ENDPOINT": "https://no-such-host.invalid"})
    assert got.rc == 5
    assert re.search(r"no-such-host\.invalid: the name does not resolve; tried \d+ times", got.stderr)


@pytest.fixture
def secure(hub, models, certificates):
    models.small("org/m", weights=SIZE)
    return hub("--tls-cert", certificates / "server.pem", "--tls-key", certificates / "server.key")


def test_a_certificate_that_does_not_verify_is_final_at_once_and_names_its_issuer(secure, hostler):
    got = hostler.pull("hf:org/m", hub=secure)
    assert got.rc == 5
    assert re.search(r"certificate does not verify.*issued by .*Test Authority.*\n.*HOSTLER_EXTRA_CA", got.stderr)
    assert got.seconds < 5 * SLOW
    assert not secure.requests()


def test_all_goes_over_tls_with_the_authority_named(secure, certificates, hostler, volume, models):
    got = hostler.pull("hf:org/m", hub=secure, env={"SSL_CERT_FILE": certificates / "ca.pem"})
    assert got.rc == 0, got.stderr
    assert_complete(volume, "org/m", models.files("org/m"))


def test_a_proxy_is_used_for_all_of_it(secure, certificates, proxy, hostler, volume, models):
    through = proxy()
    got = hostler.pull("hf:org/m", hub=secure,
                       env={"SSL_CERT_FILE": certificates / "ca.pem", "HTTPS_PROXY": through.url})
    assert got.rc == 0, got.stderr
    assert_complete(volume, "org/m", models.files("org/m"))
    assert {method for method, _ in through.requests()} == {"CONNECT"}
    assert len({target for _, target in through.requests()}) == 2       # the origin and the CDN


def test_a_proxy_that_wants_credentials_is_named_without_them(secure, certificates, proxy, hostler):
    through = proxy("--credentials", "me:word")
    env = {"SSL_CERT_FILE": certificates / "ca.pem", "HTTPS_PROXY": through.url.replace("//", "//me:wrong@")}
    got = hostler.pull("hf:org/m", hub=secure, env=env)
    assert got.rc == 5
    assert re.search(r"the proxy that HTTPS_PROXY names wants credentials \(407\)", got.stderr)
    assert "wrong" not in got.stderr
    env["HTTPS_PROXY"] = through.url.replace("//", "//me:word@")
    assert hostler.pull("hf:org/m", hub=secure, env=env).rc == 0


def test_links_that_live_a_second_are_asked_for_again_in_the_middle_of_a_file(hub, models, hostler, volume):
    models.small("org/m", weights=SIZE)
    origin = hub("--url-ttl", "1", "--rate", "700000")
    got = hostler.pull("hf:org/m", "-j", "2", hub=origin)
    assert got.rc == 0, got.stderr
    assert_complete(volume, "org/m", models.files("org/m"))
    asked = [r for r in origin.log("api") if r["path"].endswith("/model.safetensors")]
    assert len(asked) >= 2 and origin.bytes_sent("cdn") <= SIZE + 65536


def test_a_library_without_room_in_memory_is_not_called_missing(hostler, volume):
    tight = ["bash", "-c", 'ulimit -v 10000; exec "$@"', "-"]
    got = hostler.pull("hf:org/tiny", wrap=tight)
    assert got.rc == 2
    error = got.stderr.splitlines()
    assert re.match(r"hostler: cannot load lib\S+: .*(failed to map|annot allocate)", error[0])
    assert error[1] == ("hint: there is too little memory for it: raise the limit (ulimit -v), or give the container "
                        "more")
