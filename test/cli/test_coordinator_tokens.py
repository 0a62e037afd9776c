"""Who may ask the coordinator what: no answer without a token but the probes', none beyond its scope."""
import json
import re
import secrets
import socket

import pytest
from coordinating import described, filled

pytestmark = pytest.mark.sanitize

READ, WRITE, BOTH = ("r" * 32, "w" * 32, "b" * 32)
SCOPES = {READ: {"read"}, WRITE: {"write"}, BOTH: {"read", "write"}}


@pytest.fixture
def guarded(coordinator, tmp_path):
    """a coordinator that knows READ, WRITE and BOTH"""
    file = tmp_path / "tokens"
    file.write_text(f"# three of them\n{READ} read\n{WRITE} write\n{BOTH}\n")
    file.chmod(0o600)
    return coordinator("--token-file", file)


def ask(at, method, path, *authorization):
    """status and code of the answer to an operation; the stream's is read no further than its head"""
    headers = {"Content-Type": "application/json", **({"Authorization": authorization[0]} if authorization else {})}
    method = "HEAD" if path == "/v1/events" else method
    status, headers, body = at.request(method, filled(path), b"{}" if method == "POST" else None, headers)
    assert ("WWW-Authenticate" in headers) == (status == 401)
    if method == "HEAD":
        return status, {401: "unauthorized", 403: "forbidden"}.get(status)
    return status, json.loads(body).get("error", {}).get("code") if headers["Content-Type"] == "application/json" else None


OPERATIONS = sorted(described(), key=str)


def test_there_are_operations_of_each_scope():
    assert {scope for _, _, scope in OPERATIONS} == {None, "read", "write"}


@pytest.mark.parametrize("authorization", [
    (), ("",), ("Bearer",), ("Bearer " + "x" * 32,), ("Bearer " + READ[:-1],), ("Bearer " + READ + "r",), ("Basic " + BOTH,),
    (BOTH,), ("Bearer" + BOTH,), (f"Bearer {BOTH}, Bearer {BOTH}",), ("Bearer " + BOTH.upper(),), ("Bearer " + "b" * 2000,)],
    ids=lambda a: a[0][:20] if a else "none")
def test_without_a_token_that_is_known_nothing_is_answered_but_the_probes(guarded, authorization):
    for method, path, scope in OPERATIONS:
        want = (401, "unauthorized") if scope else (200, None)
        assert ask(guarded, method, path, *authorization) == want, (method, path)
    assert guarded.ask("/v1/workers", token=BOTH) == (200, {"workers": []})


def test_a_token_is_not_good_beyond_its_scope(guarded):
    for token, scopes in SCOPES.items():
        for method, path, scope in OPERATIONS:
            status, code = ask(guarded, method, path, f"Bearer {token}")
            if scope and scope not in scopes:
                assert (status, code) == (403, "forbidden"), (method, path)
            else:
                assert status in (200, 400, 404), (method, path)


def test_a_token_in_the_address_is_none(guarded):
    for name in ("token", "access_token", "authorization"):
        assert guarded.ask(f"/v1/workers?{name}={BOTH}")[0] == 401


def test_a_refused_body_is_not_read_and_says_nothing_of_what_is_known(guarded):
    assert guarded.ask("/v1/workers", {"id": "w", "instance": "i", "host": "h"}, token=BOTH)[0] == 200
    for path in ("/v1/workers/w", "/v1/workers/nobody"):
        assert guarded.ask(path, token=WRITE)[0] == 403
        assert guarded.ask(path)[0] == 401
    assert guarded.ask("/v1/workers", {"id": "x", "instance": "i", "host": "h"}, token=READ)[0] == 403
    status, said = guarded.ask("/v1/workers", token=READ)
    assert [w["id"] for w in said["workers"]] == ["w"]


def test_no_token_is_in_the_log_or_an_answer(guarded, hostler):
    for method, path, _ in OPERATIONS:
        for token in (BOTH, "y" * 32):
            ask(guarded, method, path, f"Bearer {token}")
    guarded.child.signal(15)
    got = guarded.child.finish()
    said = got.stdout + got.stderr + (hostler.folder / "log").read_text()
    assert "Listening" in said
    assert not re.search("b{16}|r{16}|w{16}|y{16}", said)


def need_address(address):
    """not every container has IPv6"""
    if address.startswith("["):
        try:
            with socket.socket(socket.AF_INET6) as probe:
                probe.bind(("::1", 0))
        except OSError as e:
            pytest.skip(f"no IPv6 here: {e}")


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", ":0"])
def test_it_does_not_listen_beyond_loopback_unless_told_so(hostler, tmp_path, address):
    need_address(address)
    folder = tmp_path / "registry"
    got = hostler("coordinator", "--listen", address, "--data-dir", folder)
    assert (got.rc, "--make-token" in got.stdout + got.stderr) == (2, True)
    assert not folder.exists()
    child = hostler.start("coordinator", "--listen", address, "--data-dir", folder, "--allow-anonymous")
    child.out.wait_for(r"Listening on http://(0\.0\.0\.0|\[::\]):\d+, 0 workers known, no token is asked for", 30)


@pytest.mark.parametrize("address", ["127.0.0.1:0", "127.1.2.3:0", "[::1]:0", "localhost:0"])
def test_on_loopback_it_listens_without(hostler, tmp_path, address):
    need_address(address)
    child = hostler.start("coordinator", "--listen", address, "--data-dir", tmp_path / "registry")
    child.out.wait_for(r"Listening on http://(127\.\d+\.\d+\.\d+|\[::1\]):\d+, 0 workers known, no token is asked for", 30)


def test_the_token_that_is_made_serves_both_sides_and_only_its_place_is_printed(hostler, coordinator, tmp_path):
    file = tmp_path / "token"
    got = hostler("coordinator", "--make-token", file)
    assert got.rc == 0
    token = file.read_text().strip()
    assert re.fullmatch("[0-9a-f]{64}", token)
    assert file.stat().st_mode & 0o777 == 0o600
    assert str(file) in got.stdout and token not in got.stdout + got.stderr
    at = coordinator("--token-file", file)
    assert hostler("workers", env={"COORDINATOR_URL": at.url}).rc == 4
    assert hostler("workers", env={"COORDINATOR_URL": at.url, "COORDINATOR_TOKEN_FILE": file}).rc == 0
    again = hostler("coordinator", "--make-token", file)
    assert (again.rc, file.read_text().strip()) == (2, token)
    assert hostler("coordinator", "--make-token", tmp_path / "other").rc == 0
    assert (tmp_path / "other").read_text().strip() != token


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o602])
def test_a_token_file_that_others_may_read_or_write_is_refused(hostler, tmp_path, mode):
    file = tmp_path / "tokens"
    file.write_text(secrets.token_hex(16) + "\n")
    file.chmod(mode)
    got = hostler("coordinator", "--token-file", file, "--data-dir", tmp_path / "registry", "--listen", "127.0.0.1:0")
    assert got.rc == 2
    assert f"chmod 600 {file}" in got.stdout + got.stderr


def test_a_line_that_is_no_token_is_named_and_not_shown(hostler, tmp_path):
    file = tmp_path / "tokens"
    file.write_text(f"{BOTH}\nnotatokenbutsecret! read\n")
    file.chmod(0o600)
    got = hostler("coordinator", "--token-file", file, "--data-dir", tmp_path / "registry", "--listen", "127.0.0.1:0")
    assert got.rc == 2
    assert f"{file}:2" in got.stdout + got.stderr
    assert "secret" not in got.stdout + got.stderr
