"""What the tests of the coordinator share: a running one, its description, the answers of it as they came."""
import http.client
import itertools
import json
import pathlib
import re
import signal
import time
import urllib.parse

import pytest
import yaml
from conftest import SLOW

LISTENING = r"Listening on (https?://[^ ,]+),"
DESCRIPTION = pathlib.Path(__file__).parents[2] / "doc" / "openapi.yaml"


def poll(look, timeout):
    """looks until it gives something true, which is returned; what it gave last when the time is over"""
    end = time.monotonic() + timeout * SLOW
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


class Coordinator:
    def __init__(self, hostler, *args, port=0, address="127.0.0.1", **how):
        open_to_all = () if address == "127.0.0.1" else ("--allow-anonymous",)
        self.child = hostler.start("coordinator", "--listen", f"{address}:{port}", *open_to_all, *args, **how)
        self.url = self.child.out.wait_for(LISTENING, 30).group(1)
        self.at = (urllib.parse.urlsplit(self.url).hostname, urllib.parse.urlsplit(self.url).port)

    def request(self, method, path, body=None, headers=(), timeout=30):
        """status, headers and bytes of one answer; the path goes out as it is"""
        line = http.client.HTTPConnection(*self.at, timeout=timeout * SLOW)
        try:
            line.request(method, path, body, dict(headers))
            answer = line.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            line.close()

    def ask(self, path, body=None, token=None, method=None, timeout=30, **headers):
        """status and JSON of the answer"""
        headers = {k.replace("_", "-"): v for k, v in headers.items()}
        if body is not None:
            headers.setdefault("content-type", "application/json")
        if token:
            headers["authorization"] = f"Bearer {token}"
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        status, _, text = self.request(method or ("GET" if body is None else "POST"), path, data, headers, timeout)
        return status, json.loads(text)

    def register(self, id="w", instance="i1", **more):
        return self.ask("/v1/workers", {"id": id, "instance": instance, "host": "h", **more})

    def join(self, id="w", **more):
        """registers as a worker does: again, where it is told to ask later"""
        self.wait_for_status(200, lambda: self.register(id, **more))

    def say(self, what, id="w", instance="i1", **more):
        return self.ask(f"/v1/workers/{urllib.parse.quote(id, safe='')}/{what}", {"instance": instance, **more})

    def stop(self):
        """asked to, it ends at once"""
        self.child.signal(signal.SIGTERM)
        assert self.child.finish(10).rc == 0

    def workers(self):
        return self.ask("/v1/workers")[1]["workers"]

    def states(self):
        """id -> state; one that stands there twice is an error"""
        states = {}
        for w in self.workers():
            assert w["id"] not in states, f"{w['id']} is listed twice"
            states[w["id"]] = w["state"]
        return states

    def wait_for(self, states, timeout=20):
        """waits until exactly these are listed, in these states"""
        found = {}

        def look():
            nonlocal found
            found = self.states()
            return found == states

        if not poll(look, timeout):
            wrong = {id: (found.get(id), states.get(id)) for id in {*found, *states} if found.get(id) != states.get(id)}
            pytest.fail(f"after {timeout * SLOW:g} s {len(wrong)} are not as they should be, such as (listed, should be): "
                        f"{dict(itertools.islice(wrong.items(), 10))}")

    def wait_for_status(self, status, ask, timeout=20):
        """waits until a request is answered so; the answer"""
        got = None

        def look():
            nonlocal got
            got = ask()
            return got[0] == status

        assert poll(look, timeout), f"{status} is not answered within {timeout * SLOW:g} s, but {got}"
        return got[1]


@pytest.fixture
def coordinator(hostler, tmp_path):
    """coordinator(*arguments) starts one; all of a test share one registry"""
    return lambda *args, **how: Coordinator(hostler, "--data-dir", tmp_path / "registry", *args, **how)


def described():
    """(method, path, scope) of every operation of doc/openapi.yaml; scope is None, "read" or "write" """
    page = yaml.safe_load(DESCRIPTION.read_text())
    for path, item in page["paths"].items():
        for method in {"get", "put", "post", "delete", "options", "head", "patch", "trace"} & item.keys():
            needed = item[method].get("security", page["security"])
            yield method.upper(), path, needed[0]["bearer"][0] if needed else None


def filled(path):
    """a described path with something in place of its parameters"""
    return re.sub(r"\{.*?\}", "w", path)
