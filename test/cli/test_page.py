"""The coordinator's page in a real browser (Chromium, driven by playwright-core): live, filtered, safe, small, dark, by keyboard."""
import http.client
import json
import subprocess
import urllib.request

import pytest
from conftest import ROOT
from coordinating import Coordinator
from etcd import Relay

HOSTILE = "<img src=x onerror=\"document.title='owned'\">'\"&amp;"
SHOTS = ROOT / "build" / "screenshots"


class Browser:
    """expected: what the console may say, beside nothing"""
    expected = ()

    def __init__(self):
        self.process = subprocess.Popen(["node", ROOT / "test/tools/browse.js", ROOT / ".node"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        said = json.loads(line)
        assert "ok" in said, said
        return said["ok"]

    def do(self, what, **more):
        self.process.stdin.write(json.dumps({"do": what, **more}) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def wait(self, js):
        self.do("wait", js=js)

    def eval(self, js):
        return self.do("eval", js=js)

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)


@pytest.fixture
def browser():
    one = Browser()
    yield one
    seen = one.do("seen")
    one.close()
    assert [e for e in seen["errors"] if not any(text in e for text in one.expected)] == []
    assert len({u.split("/")[2] for u in seen["urls"] if u.startswith("http")}) == 1, seen["urls"]


@pytest.fixture
def at(hostler, tmp_path):
    return Coordinator(hostler, "--data-dir", tmp_path / "registry", "--rate", "100000", "--max-workers", "20000")


GPU = {"uuid": "GPU-5c3f2a1b", "name": "NVIDIA L4", "total_mib": 23034, "cuda_total_mib": 22434, "used_mib": 20000,
       "state": "ok", "processes": [{"pid": 4711, "name": "vllm", "mib": 19000}]}


def text_of(part):
    return f"document.getElementById({part!r}).innerText"


def test_the_page_follows_the_fleet(at, browser):
    at.register("gpu-worker-1", type="vllm", host="gpu-3", state="downloading", gpus=[GPU],
                models=[{"name": "hf:org/name", "revision": "0" * 40}], progress={"bytes": 25, "total": 100, "bps": 5})
    browser.do("open", url=at.url + "/")
    browser.wait("document.querySelector('[data-id=gpu-worker-1] progress')?.value === 25")
    assert "25% of 100 B 5 B/s eta 15s" in browser.eval(text_of("workers"))
    assert "live" == browser.eval(text_of("line"))
    for part, text in (("gpus", "gpu-worker-1, vllm 19000 MiB"), ("models", "hf:org/name"), ("counts", "downloading 1")):
        assert text in browser.eval(text_of(part)).replace("\n", " "), part
    assert browser.eval("document.querySelector('#gpus meter').title") == "20000 of 22434 MiB used"
    at.say("report", "gpu-worker-1", state="running", progress={"bytes": 0, "total": 0, "bps": 0})
    browser.wait("document.querySelector('[data-id=gpu-worker-1]').dataset.state === 'running'")
    assert "downloading → running" in browser.eval(text_of("changes"))
    at.say("leave", "gpu-worker-1", reason="told to end")
    browser.wait("document.getElementById('changes').innerText.includes('running → stopped: told to end')")
    SHOTS.mkdir(exist_ok=True)
    browser.do("shot", path=str(SHOTS / "page.png"))


def rows_of(part):
    return f"[...document.querySelectorAll('#{part} .row')].map((row) => [...row.children].map((cell) => cell.innerText))"


def test_a_model_is_one_row_whatever_its_workers_call_it(at, browser):
    for id, host, name in (("a", "gpu-1", "mistral-7b-instruct"), ("b", "gpu-2", "hf:mistralai/Mistral-7B-Instruct-v0.2"),
                           ("c", "gpu-1", "mistralai/Mistral-7B-Instruct-v0.2"), ("d", "cpu-1", "hf:org/name"),
                           ("e", "cpu-2", "org/name"), ("0", "cpu-3", ".."), ("g", "cpu-3", "no such / name"),
                           ("h", "gpu-2", "llava-7b"), ("i", "gpu-3", "ollama:llava:7b")):
        at.register(id, host=host, state="running", models=[{"name": name, "revision": ""}])
    browser.do("open", url=at.url + "/")
    browser.expected = ["404"]      # for the one that no address can name
    expected = [["..", "cpu-3"], ["hf:org/name", "cpu-1, cpu-2"], ["llava-7b", "gpu-2, gpu-3"],
                ["mistral-7b-instruct", "gpu-1, gpu-2"], ["no such / name", "cpu-3"]]
    browser.wait(f"JSON.stringify({rows_of('models')}) === {json.dumps(json.dumps(expected, separators=(',', ':')))}")
    # as the API groups them
    assert [[m["name"], ", ".join(sorted({h["host"] for h in m["hosts"]}))] for m in at.ask("/v1/models")[1]["models"]] == expected
    browser.do("type", at="#filter", text="llava-7b")
    browser.wait("document.querySelectorAll('.worker').length === 2")


def test_a_gpu_that_several_workers_report_is_one_row_with_all_of_them(at, browser):
    other = {**GPU, "uuid": "GPU-other"}
    at.register("a", host="gpu-1", state="running", gpus=[{**GPU, "used_mib": 5000}, other])
    at.register("b", host="gpu-1", state="running", gpus=[{**GPU, "used_mib": 6000}])
    at.register("gone", host="gpu-1", state="failed", gpus=[{**GPU, "used_mib": 1}])
    at.register("c", host="gpu-2", state="running", gpus=[GPU])
    browser.do("open", url=at.url + "/")
    browser.wait("document.querySelectorAll('.worker').length === 4")
    found = browser.eval(rows_of("gpus"))
    assert sorted((row[0], row[-1]) for row in found) == [
        ("gpu-1", "a, vllm 19000 MiB"), ("gpu-1", "gone (failed), a, b, vllm 19000 MiB"), ("gpu-2", "c, vllm 19000 MiB")]
    used = "[...document.querySelectorAll('#gpus meter')].map((m) => m.value).sort((x, y) => x - y).join()"
    assert browser.eval(used) == "6000,20000,20000"     # b spoke last
    at.say("report", "a", gpus=[{**GPU, "used_mib": 7000}, other])
    browser.wait(used + " === '7000,20000,20000'")


def test_a_hostile_name_shows_as_text_with_and_without_script(at, browser):
    at.register(HOSTILE, type=HOSTILE[:60], state="running", reason="</script><script>document.title='owned'</script>",
                labels={HOSTILE[:60]: HOSTILE}, models=[{"name": "hf:" + HOSTILE, "revision": ""}])
    plain = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(at.url + "/", timeout=30)
    policy, html = plain.headers["Content-Security-Policy"], plain.read().decode()
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert "<img" not in html and "&lt;img src=x onerror=&quot;" in html
    browser.do("open", url=at.url + "/")
    browser.wait("document.querySelector('.worker')")
    browser.do("click", at=".worker")
    browser.wait("!document.getElementById('details').hidden")
    assert HOSTILE in browser.eval(text_of("detail-list"))
    assert browser.eval("document.title") == "Hostler: workers"
    assert browser.eval("document.querySelectorAll('img, body script').length") == 0


def test_the_filter_and_the_keyboard(at, browser):
    for i in range(30):
        at.register(f"worker-{i:02}", host=f"host-{i % 3}", state="running", labels={"site": "berlin" if i < 5 else "oslo"})
    browser.do("open", url=at.url + "/")
    browser.wait("document.querySelectorAll('.worker').length > 5")
    browser.do("press", key="/")
    assert browser.eval("document.activeElement.id") == "filter"
    for key in "site=berlin":
        browser.do("press", key=key)
    browser.wait("document.querySelectorAll('.worker').length === 5")
    browser.do("press", key="Escape")
    browser.wait("document.querySelectorAll('.worker').length > 5")
    for _ in range(5):
        browser.do("press", key="Tab")
        if browser.eval("document.activeElement.id") == "workers":
            break
    # by its own word: not every browser lets a list that scrolls be reached unasked
    assert browser.eval("[document.activeElement.id, document.activeElement.tabIndex]") == ["workers", 0]
    browser.do("press", key="End")
    browser.wait("document.querySelector('[data-id=worker-29]')")


def test_ten_thousand_workers_are_rows_in_sight(at, browser):
    line = http.client.HTTPConnection(at.url.removeprefix("http://"))
    for i in range(10_000):
        line.request("POST", "/v1/workers", json.dumps({"id": f"w{i:05}", "instance": "i", "host": "h", "state": "running"}),
                     {"Content-Type": "application/json"})
        assert line.getresponse().read()
    browser.do("open", url=at.url + "/")
    browser.wait("document.getElementById('counts').innerText.includes('10000')")
    assert browser.eval("document.querySelectorAll('.worker').length") < 100
    browser.eval("document.getElementById('workers').scrollTop = 5000 * 34")
    browser.wait("document.querySelector('[data-id=w05000]')")
    # in sight, each row below the one before
    tops = browser.eval("[...document.querySelectorAll('#workers .row')].map((row) => row.getBoundingClientRect().top)")
    assert {round(y - x) for x, y in zip(tops, tops[1:])} == {34}
    inside = """(() => { const [row, list] = ['[data-id=w05000]', '#workers'].map((s) => document.querySelector(s).getBoundingClientRect());
                         return row.top >= list.top - 34 && row.bottom <= list.bottom + 34; })()"""
    assert browser.eval(inside)
    at.say("report", "w05001", instance="i", state="draining")
    browser.wait("document.getElementById('changes').innerText.includes('draining')")


def test_it_fits_a_phone_and_goes_dark(at, browser):
    at.register("a-worker-with-a-name-that-is-longer-than-a-phone-is-wide." * 4, state="running", host="h" * 200, gpus=[GPU],
                models=[{"name": "hf:org/" + "m" * 90, "revision": ""}])
    browser.do("size", width=320, height=640)
    browser.do("open", url=at.url + "/")
    browser.wait("document.querySelector('.worker')")
    assert browser.eval("document.documentElement.scrollWidth") <= 320
    light = browser.eval("getComputedStyle(document.body).backgroundColor")
    browser.do("dark", on=True)
    assert browser.eval("getComputedStyle(document.body).backgroundColor") != light
    SHOTS.mkdir(exist_ok=True)
    browser.do("shot", path=str(SHOTS / "phone-dark.png"))


def test_with_tokens_it_asks_for_one_and_keeps_it_for_the_tab(hostler, tmp_path, browser):
    file = tmp_path / "token"
    assert hostler("coordinator", "--make-token", file).rc == 0
    token = file.read_text().strip()
    at = Coordinator(hostler, "--data-dir", tmp_path / "registry", "--token-file", file)
    assert at.ask("/v1/workers", {"id": "secret-worker", "instance": "i", "host": "h"}, token=token)[0] == 200
    # as it comes, before the script takes anything out of it
    status, _, html = at.request("GET", "/")
    assert status == 200 and b"secret-worker" not in html
    browser.do("open", url=at.url + "/")
    browser.expected = ["401"]
    browser.wait("!document.getElementById('ask').hidden")
    assert "secret-worker" not in browser.eval("document.documentElement.outerHTML")
    browser.do("type", at="#token", text=token)
    browser.do("press", key="Enter")
    browser.wait("document.querySelector('[data-id=secret-worker]')")
    browser.do("open", url=at.url + "/")
    browser.wait("document.querySelector('[data-id=secret-worker]')")


def test_it_says_so_when_the_coordinator_goes_and_comes_back(hostler, tmp_path, browser):
    at = Coordinator(hostler, "--data-dir", tmp_path / "registry")
    at.register("w", state="running")
    browser.do("open", url=at.url + "/")
    browser.wait("document.getElementById('line').innerText === 'live'")
    browser.expected = ["ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_REFUSED"]
    port = int(at.url.rsplit(":", 1)[1])
    at.child.signal(15)
    at.child.finish()
    browser.wait("document.getElementById('line').innerText.includes('no connection to the coordinator')")
    Coordinator(hostler, "--data-dir", tmp_path / "registry", port=port)
    browser.wait("document.getElementById('line').innerText === 'live' && document.querySelector('[data-id=w]')")


def test_who_is_forgotten_leaves_the_page(hostler, tmp_path, browser):
    at = Coordinator(hostler, "--data-dir", tmp_path / "registry", "--keep-lost", "1s")
    at.register("stays", state="running")
    at.register("goes", state="running")
    browser.do("open", url=at.url + "/")
    browser.wait("document.querySelector('[data-id=goes]')")
    at.say("leave", "goes")
    browser.wait("!document.querySelector('[data-id=goes]') && document.querySelector('[data-id=stays]')")
    assert browser.eval(text_of("counts")) == "running 1"


def test_after_a_broken_connection_it_tells_what_it_missed(at, browser):
    relay = Relay(at.at[1])
    at.register("w", state="running")
    browser.do("open", url=relay.url + "/")
    browser.wait("document.querySelector('[data-id=w]')")
    browser.expected = ["ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET"]
    relay.shut = True
    browser.wait("document.getElementById('line').innerText.includes('no connection to the coordinator')")
    at.say("report", "w", state="draining")
    relay.shut = False
    browser.wait("document.getElementById('line').innerText === 'live' && document.querySelector('[data-state=draining]')")
    # by its last id: a page that began anew would know no change
    assert "running → draining" in browser.eval(text_of("changes"))
    relay.close()


def test_the_plan_of_a_host_stands_beside_what_its_workers_hold(at, browser):
    cards = [{**GPU, "uuid": f"GPU-{i}", "sm": "8.9", "used_mib": used, "processes": []} for i, used in enumerate((0, 21000))]
    at.register("w1", type="vllm", host="gpu-3", state="running", gpus=cards, holds=[{"uuid": "GPU-1", "mib": 20500, "planned_mib": 0}])
    at.register("w2", type=HOSTILE, host="gpu-4", state="running", gpus=cards)
    browser.do("open", url=at.url + "/")
    browser.wait("document.querySelector('#picture svg')")
    titles = browser.eval("[...document.querySelectorAll('#picture title')].map((t) => t.textContent).join('\\n')")
    assert "vllm/mistral-7b-instruct: 20.7 GiB" in titles and "now w1: 20.0 GiB" in titles and "now held by others: 500 MiB" in titles
    # The plan leaves it where it is: both bars of the second GPU, and the square below, have one colour.
    assert browser.eval("new Set([...document.querySelectorAll('#picture rect')].filter((r) => !r.getAttribute('fill').match(/888|none/))"
                        ".map((r) => r.getAttribute('fill') + (+r.getAttribute('y') > 50))).size") == 1
    assert browser.eval("getComputedStyle(document.querySelector('#picture text')).fill === getComputedStyle(document.body).color")
    browser.do("shot", path=str(SHOTS / "page-plan.png"))
    # The other host has no worker that the catalog knows: the picture is of what is in use alone.
    browser.eval("(() => { const s = document.getElementById('plan-host'); s.value = 'gpu-4'; s.dispatchEvent(new Event('change')); })()")
    browser.wait("document.querySelector('#picture svg') && !document.querySelector('#picture').textContent.includes('mistral')")
    assert "held by others: 20.5 GiB" in browser.eval("document.getElementById('picture').textContent")
    at.say("leave", "w1", reason="told to end")
    at.say("leave", "w2", reason="told to end")
    browser.wait("document.getElementById('plan').hidden")
    assert browser.eval("document.title") == "Hostler: workers"
