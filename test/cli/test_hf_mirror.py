"""The Hugging Face source before origins that the stand-in hub does not play: mirrors under a path and
on other hosts, and answers made to do harm."""
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from test_hf import contents, snapshot, words

TOKEN = "hf_forTheMirrorOnly"
COMMIT = "63a8b081895390a26e140280378bc85ec8bce07a"
OID = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"


class Origin:
    """A server whose answers are given by answer(path) -> (status, headers, body); remembers what was asked."""

    def __init__(self, answer, host="127.0.0.1"):
        asked = self.asked = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm, wbufsize = True, -1

            def do_GET(self):
                asked.append((self.path, self.headers.get("Authorization")))
                status, headers, body = answer(self.path)
                body = body if isinstance(body, bytes) else body.encode()
                self.send_response(status)
                for name, value in {"Content-Length": len(body), **headers}.items():
                    for one in value if isinstance(value, list) else [value]:
                        self.send_header(name, str(one))
                self.end_headers()
                try:
                    self.wfile.write(body)
                    self.wfile.flush()
                except OSError:             # who asked has heard enough
                    self.close_connection = True

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer((host, 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *args: None       # clients that leave are no news
        self.url = f"http://{host}:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def origin():
    running = []

    def start(answer, **how):
        running.append(Origin(answer, **how))
        return running[-1]

    yield start
    for one in running:
        one.close()


# ------------------------------------------------------------------ mirrors

@pytest.mark.parametrize("status", [302, 307, 308])
def test_a_mirror_under_a_path_may_lead_to_another_host_without_our_token(models, hub, hostler, volume, origin, status):
    models.small("org/tiny", weights=2000)
    real = hub("--page-size", "3", "--xet")
    mirror = origin(lambda path: (status, {"Location": real.url + path.removeprefix("/hub/x")}, ""))
    got = hostler.pull("hf:org/tiny", env={"HF_ENDPOINT": f"{mirror.url}/hub/x/", "HF_TOKEN": TOKEN})
    assert got.rc == 0, got.stderr
    assert snapshot(volume, "org/tiny") == contents(models, "org/tiny")
    assert all(path.startswith("/hub/x/") for path, _ in mirror.asked)
    assert {token for _, token in mirror.asked} == {f"Bearer {TOKEN}"}
    assert {r["auth"] for r in real.log()} == {False}


def test_a_refusal_behind_a_mirror_says_that_the_token_stayed_behind(models, hub, hostler, origin):
    models.small("org/private", weights=2000)
    real = hub("--private", f"org/private:{TOKEN}")
    mirror = origin(lambda path: (307, {"Location": real.url + path}, ""))
    got = hostler.pull("hf:org/private", env={"HF_ENDPOINT": mirror.url, "HF_TOKEN": TOKEN})
    assert got.rc == 4
    host = real.url.removeprefix("http://")
    assert words(got) == (f"hf:org/private: no such model at {host}, or a private one",
                          f"{mirror.url} leads to {host}, and the token from HF_TOKEN goes to its own host only; "
                          "set HF_ENDPOINT to where the model is")
    assert {r["auth"] for r in real.log()} == {False}


def test_the_hub_may_be_asked_by_plain_http_only_where_that_was_allowed(hostler):
    got = hostler.pull("hf:org/tiny", env={"HF_ENDPOINT": "http://hub.invalid"})
    assert got.rc == 5
    assert words(got)[0] == "hf:org/tiny: hub.invalid would be asked by plain http"
    assert "--insecure-http hub.invalid" in words(got)[1]


def test_an_endpoint_that_is_no_url_is_named(hostler):
    for bad in ("huggingface.co", "ftp://huggingface.co", "https://huggingface.co?token=secret"):
        got = hostler.pull("hf:org/tiny", env={"HF_ENDPOINT": bad})
        assert got.rc == 2, bad
        assert "HF_ENDPOINT" in got.stderr
        assert "secret" not in got.stderr


# ------------------------------------------------------------------ answers made to do harm

def entry(path="config.json", size=0, **more):
    return {"type": "file", "path": path, "size": size, "oid": OID, **more}


def hub_of(entries, tree_headers=None, revision=None):
    """a hub of one model whose listing is these entries (or this text)"""
    def answer(path):
        if "/revision/" in path:
            return 200, {}, revision or json.dumps({"sha": COMMIT})
        if "/tree/" in path:
            headers = tree_headers(path) if tree_headers else {}
            return 200, headers, entries if isinstance(entries, (str, bytes)) else json.dumps(entries)
        return 404, {}, ""

    return answer


LFS = {"oid": "0" * 64, "size": 5, "pointerSize": 134}
LISTINGS = {
    "leads upwards": ([entry("../../x")], 10, r"\.\./\.\./x"),
    "an absolute path": ([entry("/etc/passwd")], 10, "/etc/passwd"),
    "an empty path": ([entry("")], 10, "its listing"),
    "a control character": ([entry("a\x1b[31mb")], 10, r"its listing: .*\\x1b"),
    "a path of 2 kB": ([entry("x/" * 1000 + "x")], 10, "its listing"),
    "a path named twice": ([entry("a"), entry("b"), entry("a")], 10, "the listing names a twice"),
    "a file that is a folder": ([entry("a"), entry("a/b")], 10, "the listing has a both as a file and as a folder"),
    "a size below zero": ([entry(size=-1)], 5, 'config.json: "size" should be a whole number from 0'),
    "a size beyond all": ([entry(size=1 << 62)], 10, "are more than any file has"),
    "sizes beyond all together": ([entry(f"{i}", size=1 << 50) for i in range(3)], 10, r"larger than 2\^50 bytes"),
    "two sizes": ([entry(size=4, lfs=LFS)], 5, "the listing says both 4 and 5 bytes"),
    "an id that leads upwards": ([entry(oid="../../../x")], 10, "config.json: "),
    "a digest of no kind": ([entry(size=5, lfs={**LFS, "oid": "0" * 63})], 10, 'config.json: "lfs": '),
    "no array": ({"error": "?"}, 5, "its listing: the listing is no array"),
    "broken JSON": ('[{"type":"file"', 5, "its listing: broken JSON"),
    "nested too deep": ("[" * 100 + "]" * 100, 10, "its listing: JSON nested deeper than 64 levels"),
}


@pytest.mark.sanitize
@pytest.mark.parametrize("case", LISTINGS)
def test_a_hostile_listing_is_refused_and_leaves_nothing(hostler, volume, tmp_path, origin, case):
    listing, status, message = LISTINGS[case]
    got = hostler.pull("hf:org/bad", env={"HF_ENDPOINT": origin(hub_of(listing)).url})
    assert got.rc == status, got.stderr
    assert re.search(message, words(got)[0]), got.stderr
    assert "\x1b" not in got.stderr
    assert not [p for p in tmp_path.rglob("*") if p.name in ("x", "passwd", "config.json")]


@pytest.mark.parametrize("sha", ["../../../x", "main", "0" * 39, "0" * 39 + "G"])
def test_a_commit_that_is_none_is_refused(hostler, origin, sha):
    hub = origin(hub_of([], revision=json.dumps({"sha": sha})))
    got = hostler.pull("hf:org/bad", env={"HF_ENDPOINT": hub.url})
    assert got.rc == 5
    assert words(got)[0] == f'hf:org/bad: its revision: the sha "{sha}" is no commit'


def test_a_listing_that_leads_to_itself_ends(hostler, origin):
    hub = origin(hub_of([entry()], lambda path: {"Link": '</x?cursor=1>; rel="next"'}))
    got = hostler.pull("hf:org/bad", env={"HF_ENDPOINT": hub.url})
    assert got.rc == 10
    assert words(got)[0] == "hf:org/bad: a page of its listing leads to itself"
    assert len(hub.asked) == 3


def test_a_listing_without_end_ends(hostler, origin):
    def link(path):
        n = int(re.search(r"cursor=(\d+)", path)[1]) if "cursor=" in path else 0
        return {"Link": f'<https://elsewhere.invalid/x?cursor={n + 1}>; rel="next"'}

    hub = origin(hub_of([], link))
    got = hostler.pull("hf:org/bad", env={"HF_ENDPOINT": hub.url})
    assert got.rc == 10
    assert words(got)[0] == "hf:org/bad: its listing has more than 2000 pages"


@pytest.mark.parametrize("link", ["https://elsewhere.invalid/next", "ftp://x/y", "//", ""])
def test_a_link_without_a_query_is_no_next_page(hostler, origin, link):
    hub = origin(hub_of([entry()], lambda path: {"Link": f'<{link}>; rel="next"'}))
    got = hostler.pull("hf:org/bad", env={"HF_ENDPOINT": hub.url})
    assert got.rc == 5
    assert words(got)[0] == "hf:org/bad: its listing: the link to its next page has no query"


def test_an_answer_without_end_is_cut_off(hostler, origin):
    hub = origin(hub_of(b"[" + b" " * (33 << 20)))
    got = hostler.pull("hf:org/bad", env={"HF_ENDPOINT": hub.url})
    assert got.rc == 10
    assert words(got)[0] == f"hf:org/bad: {hub.url.removeprefix('http://')}: the answer is longer than it may be"


def test_a_disabled_model_is_told_by_its_record_too(hostler, origin):
    hub = origin(hub_of([], revision=json.dumps({"sha": COMMIT, "disabled": True})))
    got = hostler.pull("hf:org/bad", env={"HF_ENDPOINT": hub.url})
    assert got.rc == 4
    assert words(got)[0] == "hf:org/bad is disabled at 127.0.0.1"


def test_a_repository_without_files_says_so(hostler, origin):
    got = hostler.pull("hf:org/empty", env={"HF_ENDPOINT": origin(hub_of([])).url})
    assert got.rc == 3
    assert words(got)[0] == "hf:org/empty holds no files"


def test_a_file_from_another_commit_is_not_taken(hostler, origin):
    listing = hub_of([entry(size=5, lfs=LFS)])

    def answer(path):
        if "/resolve/" in path:
            return 302, {"Location": "/bytes", "X-Repo-Commit": "1" * 40, "X-Linked-Size": 5}, ""
        return listing(path)

    hub = origin(answer)
    got = hostler.pull("hf:org/bad", env={"HF_ENDPOINT": hub.url})
    assert got.rc == 5
    assert words(got)[0] == (f"hf:org/bad: config.json: {hub.url.removeprefix('http://')} gives it from commit "
                             f"{'1' * 40}, asked for was {COMMIT}")
    assert "/bytes" not in [path for path, _ in hub.asked]


def test_an_answer_of_another_kind_is_told_by_its_status(hostler, origin):
    for status, headers in ((204, {}), (302, {})):
        got = hostler.pull("hf:org/bad", env={"HF_ENDPOINT": origin(lambda path: (status, headers, "")).url})
        assert got.rc == 5
        assert words(got) == (f"hf:org/bad: 127.0.0.1 answers {status}",
                              "HF_ENDPOINT may lead to something else than a Hub; if not, try again later")


def test_links_to_other_pages_than_the_next_end_the_listing(hostler, origin):
    link = ['<https://x/?a>; rel="prev"', '<https://x/?b>; rel="last"']
    hub = origin(hub_of([entry()], lambda path: {"Link": link}))
    assert hostler.pull("hf:org/one", "--dry-run", env={"HF_ENDPOINT": hub.url}).rc == 0
    assert len(hub.asked) == 2


def test_a_redirect_to_what_is_no_name_is_followed_and_forgotten(hostler, origin):
    listing = hub_of([entry()])

    def answer(path):
        if path.startswith("/api/models/old/name/"):
            return 307, {"Location": path.replace("old/name", "a--b/c.git")}, ""
        return listing(path)

    hub = origin(answer)
    assert hostler.pull("hf:old/name", "--dry-run", env={"HF_ENDPOINT": hub.url}).rc == 0
    assert len([path for path, _ in hub.asked if path.startswith("/api/models/old/name/")]) == 2


def test_only_so_many_topics_of_warnings_are_passed_on(hostler, origin):
    listing = hub_of([])

    def answer(path):
        status, headers, body = listing(path)
        return status, {**headers, "X-HF-Warning": [f"topic{i}; x" for i in range(20)]}, body

    got = hostler.pull("hf:org/empty", env={"HF_ENDPOINT": origin(answer).url})
    assert got.stderr.count("127.0.0.1 warns: topic") == 8


def test_a_warning_of_the_hub_is_passed_on_once(hostler, origin):
    listing = hub_of([])

    def answer(path):
        status, headers, body = listing(path)
        return status, {**headers, "X-HF-Warning": ["deprecated; use\x07a new one", "other; too"]}, body

    got = hostler.pull("hf:org/empty", env={"HF_ENDPOINT": origin(answer).url})
    assert got.stderr.count("127.0.0.1 warns: deprecated; use\\x07a new one") == 1
    assert got.stderr.count("127.0.0.1 warns: other; too") == 1
