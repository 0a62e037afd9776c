"""The coordinator answers as doc/openapi.yaml describes it, whatever it is asked."""
import itertools
import json
import os
import re
import subprocess

import pytest
from conftest import ROOT, SLOW
from coordinating import DESCRIPTION, described, filled

pytestmark = pytest.mark.sanitize

ROUTE = re.compile(r'\{"(\w+)", "([^"]+)", AUTH_(\w+), (?:true|false), "(\w+)",')


def test_the_table_of_routes_and_the_description_name_the_same():
    table = (ROOT / "src/coord/routes.c").read_text().split("routes[] = {")[1].split("};")[0]
    routes = [(method, path, {"NONE": None}.get(scope, scope.lower()))
              for method, path, scope, _ in ROUTE.findall(table)]
    assert len(routes) == table.count("handle_")
    assert sorted(routes, key=str) == sorted(((m, re.sub(r"\{.*?\}", "{}", p), s) for m, p, s in described()), key=str)


def test_a_method_that_is_not_described_is_told_which_are(coordinator):
    at = coordinator()
    by_path = {p: sorted(m for m, _, _ in group)
               for p, group in itertools.groupby(sorted(described(), key=lambda d: d[1]), lambda d: d[1])}
    for path, methods in by_path.items():
        for method in {"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"} - set(methods):
            status, headers, body = at.request(method, filled(path))
            assert (status, json.loads(body)["error"]["code"]) == (405, "method_not_allowed"), (method, path)
            assert sorted(set(headers["Allow"].split(", ")) - {"HEAD"}) == methods
            assert ("HEAD" in headers["Allow"]) == ("GET" in methods)


def test_head_is_answered_where_get_is_without_a_body(coordinator):
    at = coordinator()
    at.register()
    for method, path, _ in described():
        if method == "GET":
            assert (got := at.request("HEAD", filled(path)))[0] == 200, (path, got)
            assert got[2] == b""
    assert at.request("HEAD", "/nothing")[0] == 404


def test_schemathesis_finds_nothing(coordinator, hostler, tmp_path):
    file = tmp_path / "token"
    assert hostler("coordinator", "--make-token", file).rc == 0
    at = coordinator("--token-file", file)
    done = subprocess.run(
        [ROOT / ".venv-api/bin/schemathesis", "run", DESCRIPTION, "--url", at.url,
         "--header", f"Authorization: Bearer {file.read_text().strip()}",
         # The stream has no end to wait for: test/unit/coord/events.c and test_page.py follow it.
         "--exclude-operation-id", "events",
         "--generation-deterministic", "--max-examples", "50", "--request-timeout", str(10 * SLOW),
         "--continue-on-failure", "--no-color"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": ROOT / "test/openapi", "SCHEMATHESIS_HOOKS": "hooks"},
        capture_output=True, text=True, timeout=110 * SLOW)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout
    assert at.ask("/healthz") == (200, {"ok": True})


@pytest.mark.parametrize("body", [
    b'{"id":"a\\u0000b","instance":"i","host":"h"}', b'{"id":"a","instance":"i","host":"h","more":"\\u0000"}',
    b'{"id":"a","instance":"i","host":"h","more\\u0000":1}', b'{"id":"a","instance":"i","host":"h","more":9223372036854775808}',
    b'{"id":"a","instance":"i","host":"h","id":"b"}', b'{"id":"\xff","instance":"i","host":"h"}',
    b'{"id":"a","instance":"i","host":"h","more":' + b"[" * 64 + b"]" * 64 + b"}", b"[]", b"null", b"", b"{}{}"])
def test_a_body_that_no_schema_can_forbid_is_refused(coordinator, body):
    at = coordinator()
    assert (got := at.ask("/v1/workers", body))[0] == 400, got
    assert at.workers() == []


def test_a_path_or_query_with_a_nul_or_a_broken_escape_is_refused(coordinator):
    at = coordinator()
    for target in ("/v1/workers/%00", "/v1/workers/a%00b", "/v1/workers/%", "/v1/workers/%4", "/v1/workers/%zz",
                   "/v1/workers?label=%00", "/v1/workers?%=", "/v1/workers?" + "&".join(["a"] * 33),
                   "/v1/workers?" + "&".join(["label=a"] * 17), "/v1/workers?state=Running"):
        assert at.ask(target)[0] == 400, target
    assert at.ask("/v1/workers?" + "&".join(["label=a"] * 16)) == (200, {"workers": []})
    assert at.ask("/v1/workers/%ff")[0] == 404
