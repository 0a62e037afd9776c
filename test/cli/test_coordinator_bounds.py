"""The coordinator under clients that are slow, many, greedy or cut off, and its file under kills."""
import contextlib
import json
import random
import re
import resource
import socket
import struct
import threading
import time

import pytest
from conftest import SLOW
from coordinating import Coordinator, poll

# What a Prometheus line is: a name, labels, a number (Prometheus' exposition formats; OpenMetrics 1.0).
LINE = re.compile(r'([a-z_:][a-z0-9_:]*)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*)\})? (-?[0-9.]+(?:e[+-]?[0-9]+)?|NaN|[+-]Inf)')


def dial(at, source="127.0.0.1"):
    return socket.create_connection(at.at, timeout=30 * SLOW, source_address=(source, 0))


def counted(at, what):
    """how many connections or streams it says that it has; the one that asks is a connection too"""
    return int(re.search(rf"^hostler_http_{what} (\d+)", at.request("GET", "/metrics")[2].decode(), re.M).group(1))


def closed(line):
    """the other side has ended it; what it said before does not matter"""
    with contextlib.suppress(ConnectionError):
        while line.recv(4096):
            pass
    return True


def test_who_sends_a_request_drop_by_drop_is_cut_off(coordinator):
    at = coordinator("--request-timeout", "500ms")
    began, line = time.monotonic(), dial(at)
    gone = threading.Thread(target=closed, args=(line,))
    gone.start()
    with contextlib.suppress(OSError):
        for byte in b"GET /v1/workers HTTP/1.1\r\nHost: c\r\nX-Slow: " + b"z" * 10_000:
            line.sendall(bytes([byte]))
            time.sleep(0.02)
    gone.join(30 * SLOW)
    assert not gone.is_alive() and time.monotonic() - began < 20 * SLOW
    assert at.ask("/v1/workers") == (200, {"workers": []})


def test_a_body_that_never_comes_is_not_waited_for(coordinator):
    at = coordinator("--request-timeout", "500ms")
    line = dial(at)
    line.sendall(b"POST /v1/workers HTTP/1.1\r\nHost: c\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{")
    assert closed(line)
    assert at.ask("/v1/workers")[0] == 200


def test_more_connections_than_it_takes_are_refused_and_those_that_end_make_room(coordinator):
    at = coordinator("--max-connections", "40")
    held = [dial(at, f"127.0.0.{1 + i % 4}") for i in range(40)]
    with pytest.raises((ConnectionError, TimeoutError)):
        for _ in range(3):
            at.request("GET", "/v1/workers", timeout=2)
    for line in held:
        line.close()
    for _ in range(100):
        with contextlib.suppress(OSError):
            if at.request("GET", "/healthz")[0] == 200:
                assert poll(lambda: counted(at, "connections") <= 3, 5), counted(at, "connections")
                return
        time.sleep(0.05)
    pytest.fail("no room was made")


def test_thousands_of_idle_connections_keep_nobody_waiting(hostler, tmp_path):
    """ten thousand, or as many as this container's limit of descriptors has room for"""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    count = min(10_000, most - 1_000)
    assert count >= 2_000, f"ulimit -n {most} has no room for this test"
    at = Coordinator(hostler, "--data-dir", tmp_path / "registry", "--max-connections", "20000", "--request-timeout", "120s")
    held = [dial(at, f"127.0.0.{1 + i % 4}") for i in range(count)]
    try:
        for i in range(20):
            assert at.register(f"w{i}")[0] == 200
        assert count <= counted(at, "connections") <= count + 21      # and those of the requests, if they are not yet cleared away
    finally:
        for line in held:
            line.close()


@contextlib.contextmanager
def following(at, count):
    """so many clients of the stream, each of which has had its first frame"""
    with contextlib.ExitStack() as all_of_them:
        lines = [all_of_them.enter_context(dial(at, f"127.0.0.{1 + i % 4}")) for i in range(count)]
        for line in lines:
            line.sendall(b"GET /v1/events HTTP/1.1\r\nHost: c\r\n\r\n")
        for line in lines:
            said = b""
            while b"]}\n\n" not in said:
                more = line.recv(4096)
                assert more, said
                said += more
        yield lines


@pytest.mark.parametrize("how", ["closes", "says that it is done", "breaks off"])
def test_a_client_of_the_stream_that_goes_is_noticed_at_once(coordinator, how):
    at = coordinator()
    with following(at, 20) as lines, following(at, 3) as others:
        assert counted(at, "streams") == 23
        began = time.monotonic()
        for line in lines:
            if how == "breaks off":
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if how == "says that it is done":
                line.shutdown(socket.SHUT_WR)
            else:
                line.close()
        # The next comment, to which nobody would be there, comes after 15 s.
        assert poll(lambda: counted(at, "streams") == 3, 5), f"{counted(at, 'streams')} after {time.monotonic() - began:.1f} s"
        # Those that stay are told of the next change.
        at.register("w")
        for line in others:
            assert b'"id":"w"' in line.recv(4096)
        assert counted(at, "streams") == 3


def test_more_requests_than_the_rate_are_asked_to_come_later(coordinator):
    at = coordinator("--rate", "5")
    answers = [at.request("GET", "/v1/workers") for _ in range(60)]
    late = [headers for status, headers, _ in answers if status == 429]
    assert late and all(int(h["Retry-After"]) >= 1 for h in late)
    assert answers[0][0] == 200


def test_more_workers_than_it_takes_are_refused_and_those_it_has_go_on(coordinator):
    at = coordinator("--max-workers", "3")
    assert [at.register(f"w{i}")[0] for i in range(5)] == [200, 200, 200, 507, 507]
    assert at.say("beat", "w0")[0] == 200
    assert {w["id"] for w in at.workers()} == {"w0", "w1", "w2"}


@pytest.mark.parametrize("accept, end", [("text/plain", ""), ("application/openmetrics-text", "# EOF\n")])
def test_the_metrics_are_what_their_format_says(coordinator, accept, end):
    at = coordinator()
    at.register('w"\\', state="downloading", progress={"bytes": 1, "total": 5, "bps": 2})
    status, headers, body = at.request("GET", "/metrics", headers={"Accept": accept})
    text, types, seen = body.decode(), {}, {}
    assert status == 200 and headers["Content-Type"].startswith(accept) and text.endswith(end)
    for line in text.removesuffix("# EOF\n").splitlines():
        if line.startswith("# TYPE "):
            _, _, family, kind = line.split()
            assert family not in types and kind in ("counter", "gauge"), line
            types[family] = kind
        elif not line.startswith("# HELP "):
            name, labels, value = LINE.fullmatch(line).groups()
            family = name.removesuffix("_total") if end else name
            assert family in types, line
            assert (name, labels) not in seen, line
            assert name.endswith("_total") == (types[family] == "counter"), line
            seen[name, labels] = float(value)
    assert seen["hostler_workers", 'state="downloading"'] == 1
    assert seen["hostler_download_missing_bytes", None] == 4


def test_what_was_answered_is_known_after_each_of_two_hundred_kills(hostler, tmp_path):
    """at moments that a seed decides, while workers change their states"""
    order, told, changed = random.Random(11), {}, 0
    for turn in range(200):
        at = Coordinator(hostler, "--data-dir", tmp_path / "registry", "--ttl", "10m")
        if turn:
            assert at.states() == told | {id: state for id, state in unsure.items() if at.states().get(id) == state}, f"turn {turn}"
            told = at.states()
        unsure, stop = {}, threading.Timer(order.uniform(0, 0.03), at.child.process.kill)
        stop.start()
        try:
            while True:
                id, state = f"w{order.randrange(20)}", order.choice(["downloading", "running", "failed"])
                unsure = {id: state}                    # asked, and not answered yet: may be known or not
                assert at.register(id, instance=f"i{turn}-{changed}", state=state)[0] == 200
                told[id], unsure, changed = state, {}, changed + 1
        except (OSError, json.JSONDecodeError, AssertionError) as error:
            assert not isinstance(error, AssertionError), error
        except Exception as error:                      # http.client's own, for an answer that broke off
            assert type(error).__module__ == "http.client", error
        stop.join()
        at.child.process.wait()
    assert changed > 200


def test_a_token_that_cannot_be_written_leaves_no_file(hostler, faulty, volume):
    got = hostler("coordinator", "--make-token", volume / "token", env=faulty.env(nth=1, error="ENOSPC"))
    assert any("FAILS" in call for call in faulty.calls())
    assert got.rc != 0
    assert not (volume / "token").exists()
