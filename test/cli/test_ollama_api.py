"""Models of Ollama that a running Ollama pulls: waiting for it, its progress, its faults, what is said of whom."""
import json
import re
import signal

import pytest

NAME = "llava:7b"
MODEL = "ollama:llava:7b"
SIZES = "400M,60M,1k"


@pytest.fixture
def running(ollama):
    """running(*arguments) is a running Ollama whose registry has MODEL"""
    return lambda *args: ollama("--model", f"{NAME}={SIZES}", *args)


@pytest.fixture
def pull(hostler):
    """pull(server, *arguments) asks it for MODEL"""
    def run(server, *args, start=False, env=None, models=(MODEL,), **how):
        how["env"] = {"OLLAMA_URL": server.url, **(env or {})}
        return (hostler.start_pull if start else hostler.pull)(*models, "--ollama-via", "api", *args, **how)

    return run


def said(text, got):
    assert text in got.stderr, f"no {text!r} in:\n{got.stderr}"


# ------------------------------------------------------------------ what goes well

@pytest.mark.sanitize
def test_it_pulls_and_what_it_has_is_only_looked_at(running, pull, volume):
    server = running()
    got = pull(server, "--json")
    assert got.rc == 0, got.stderr
    assert server.paths() == ["GET /api/version", "GET /api/tags", "POST /api/pull", "GET /api/tags",
                              "POST /api/show"]
    asked = [r for r in server.log() if r["path"] == "/api/pull"][0]
    assert asked["body"] == '{"model":"llava:7b","stream":true}' and asked["type"] == "application/json"
    kinds = [e["event"] for e in got.events()]
    assert kinds[0] == "start" and kinds[-2:] == ["published", "done"] and "progress" in kinds
    assert got.events("start")[0]["message"] == f"by the Ollama at {server.url}"
    published = got.events("published")[0]
    assert published["model"] == MODEL and published["path"] == server.url and len(published["revision"]) == 64
    assert published["message"] == f"verified by the Ollama at {server.url}, as it says; not by hostler"
    assert got.events("done")[0]["bytes"] == (460 << 20) + 1024
    assert sorted(p.name for p in volume.iterdir()) == []

    server.reset()
    got = pull(server)
    assert got.rc == 0 and "nothing fetched" in got.stderr
    said(f"Complete model={MODEL} the Ollama at {server.url} says that it has it, not checked for newer (--update)",
         got)
    assert server.paths() == ["GET /api/version", "GET /api/tags", "POST /api/show"]


def test_progress_is_a_line_in_five_seconds_and_a_sum_over_its_digests(running, pull):
    server = running("--steps", 40)
    got = pull(server, "--json")
    progress = got.events("progress")
    assert len(re.findall(r"Downloading .*%", got.stderr)) == 1
    assert [e["total"] for e in progress][0] == 400 << 20
    assert all(e["bytes"] <= e["total"] for e in progress)


def test_update_asks_it_and_tells_a_moved_tag_from_one_that_did_not(running, pull):
    server = running("--listed", NAME)
    got = pull(server, "--update", "--json")
    assert got.rc == 0 and "POST /api/pull" in server.paths()
    assert got.events("present")[0]["message"] == f"the Ollama at {server.url} says that it has it"
    assert not got.events("published") and got.events("done")[0]["bytes"] == 0
    server.control("set", {"moved": NAME})
    got = pull(server, "--update", "--json")
    assert got.rc == 0 and got.events("published") and not got.events("present")


def test_it_is_told_where_plain_http_is_allowed(ollama, pull):
    name = "registry.example:5000/team/own:v1"
    server = ollama("--model", f"{name}=1M")
    got = pull(server, "--insecure-http", "registry.example:5000", models=[f"ollama:{name}"])
    assert got.rc == 0, got.stderr
    asked = [r["body"] for r in server.log() if r["path"] == "/api/pull"]
    assert asked == [f'{{"model":"{name}","insecure":true,"stream":true}}']


def test_a_url_may_lack_its_scheme_and_end_in_a_slash(running, pull):
    server = running("--listed", NAME)
    assert pull(server, env={"OLLAMA_URL": server.url.removeprefix("http://") + "/"}).rc == 0


def test_a_proxy_is_not_asked_for_an_ollama_on_loopback(running, pull, free_port):
    server = running("--listed", NAME)
    assert pull(server, env={"http_proxy": f"http://127.0.0.1:{free_port}"}).rc == 0


def test_names_are_compared_without_regard_to_case(ollama, pull):
    server = ollama("--model", "team/Own:V1=1M", "--listed", "team/Own:V1")
    got = pull(server, models=["ollama:team/own:v1"])
    assert got.rc == 0, got.stderr
    assert "Complete" in got.stderr and "POST /api/pull" not in server.paths()


def test_dry_run_names_it_and_pulls_nothing(running, pull):
    server = running()
    got = pull(server, "--dry-run")
    assert got.rc == 0, got.stderr
    assert got.stdout == (f"{MODEL}  by the Ollama at {server.url}\n"
                          "  to be pulled by it; how large it is, it says when it pulls\n")
    assert server.paths() == ["GET /api/version", "GET /api/tags"]
    assert pull(server).rc == 0
    got = pull(server, "--dry-run", "--json")
    doc = json.loads(got.stdout)["models"][0]
    assert doc["by"] == server.url and doc["listed"] is True and doc["bytes"] == (460 << 20) + 1024
    got = pull(server, "--dry-run")
    assert re.fullmatch(rf"{MODEL}  by the Ollama at {server.url}\n  there, as it says: 482 MB, [0-9a-f]{{64}}\n",
                        got.stdout), got.stdout


def test_offline_asks_nobody(running, pull):
    server = running("--listed", NAME)
    for more in ([], ["--dry-run"]):
        got = pull(server, "--offline", *more)
        assert got.rc == 3
        said(f"hostler: {MODEL}: offline, so the Ollama at {server.url} is not asked for it\n"
             "hint: without --offline it is asked whether it has it\n", got)
    assert server.paths() == []


# ------------------------------------------------------------------ readiness

def test_one_that_accepts_and_does_not_answer_yet_is_waited_for(running, pull):
    server = running()
    server.control("set", {"silent_for": 3})
    got = pull(server)
    assert got.rc == 0, got.stderr
    said(f"the Ollama at {server.url} is ready after ", got)
    said(f"the Ollama at {server.url} is not ready yet (", got)
    assert "version 0.33.0" in got.stderr


def test_the_wait_says_so_and_has_an_end(running, pull):
    server = running()
    server.control("set", {"ready": "503"})
    got = pull(server, "--give-up", "2s")
    assert got.rc == 5
    said(f"the Ollama at {server.url} is not ready yet (it answers 503); waiting up to 2s model={MODEL}", got)
    said(f"hostler: {MODEL}: the Ollama at {server.url} is not ready: it answers 503; waited 2s\n"
         "hint: start it, or name another with OLLAMA_URL\n", got)


def test_one_that_is_not_started_yet_is_waited_for(pull, ollama, free_port):
    class Later:
        url = f"http://127.0.0.1:{free_port}"

    child = pull(Later, start=True)
    child.err.wait_for(r"is not ready yet \(.*cannot connect: Connection refused\); waiting up to 2m", 20)
    server = ollama("--model", f"{NAME}={SIZES}", "--port", free_port)
    got = child.finish()
    assert got.rc == 0, got.stderr
    assert server.listed() == [NAME]


def test_what_is_no_ollama_is_said_at_once(running, pull):
    server = running()
    server.control("set", {"ready": "other"})
    got = pull(server)
    assert got.rc == 2 and got.seconds < 10
    said(f"hostler: {MODEL}: {server.url} answers GET /api/version as no Ollama does (status 404)\n"
         "hint: name a running Ollama with OLLAMA_URL\n", got)


@pytest.mark.sanitize
def test_others_go_on_while_it_is_not_ready(running, pull, models, hub, volume):
    server = running()
    server.control("set", {"ready": "503"})
    models.small("org/tiny")
    child = pull(server, models=[MODEL, "hf:org/tiny"], hub=hub(), start=True)
    child.err.wait_for("Published model=hf:org/tiny", 30)
    server.control("set", {"ready": "yes"})
    assert child.finish().rc == 0


# ------------------------------------------------------------------ faults of a pull

REFUSALS = [
    ("pull model manifest: file does not exist", 3, "finds no such model: pull model manifest: file does not exist"),
    ("write /x: no space left on device", 7, "has no space left: write /x: no space left on device"),
    ("pull model manifest: 412: ", 2, "is too old for this model: pull model manifest: 412:"),
    ("unauthorized: access denied", 4, "is not allowed to have it: unauthorized: access denied"),
    ("open /x: permission denied", 9, "cannot write its store: open /x: permission denied"),
    ("http: no Location header in response", 2, "cannot take models from that registry: http: no Location header"),
]


@pytest.mark.parametrize("text, status, words", REFUSALS)
def test_an_error_in_an_answer_of_200_has_its_status(running, pull, text, status, words):
    server = running()
    server.control("set", {"faults": [{"at": 3, "do": "error", "text": text}]})
    got = pull(server)
    assert got.rc == status, got.stderr
    said(f"hostler: {MODEL}: the Ollama at {server.url} {words}", got)
    assert server.paths().count("POST /api/pull") == 1 and server.listed() == []


def test_a_refusal_before_the_stream_has_its_words(running, pull):
    server = running()
    server.control("set", {"faults": [{"do": "status", "code": 400, "body": {"error": "invalid model name"}}]})
    got = pull(server)
    assert got.rc == 2
    said("does not take this name: invalid model name", got)


@pytest.mark.parametrize("fault, words", [
    ({"do": "end"}, "ended its answer without success"),
    ({"do": "cut"}, "the connection was "),
    ({"do": "garbage"}, "a line of its answer: broken JSON"),
    ({"do": "array"}, "a line of its answer is no object"),
    ({"do": "wrong_type"}, "status"),
    ({"do": "error", "text": "max retries exceeded: EOF"}, "could not fetch it: max retries exceeded: EOF"),
    ({"do": "status", "code": 500, "body": {"error": "unlucky"}}, "could not pull it: unlucky"),
])
@pytest.mark.sanitize
def test_what_may_pass_is_asked_again_and_said(running, pull, fault, words):
    server = running()
    server.control("set", {"faults": [{"at": 3, **fault}]})
    got = pull(server)
    assert got.rc == 0, got.stderr
    assert re.search(rf"WARN {MODEL}: the Ollama at {server.url}.*{re.escape(words)}.*; asking it again in ",
                     got.stderr), got.stderr
    assert server.paths().count("POST /api/pull") == 2 and server.listed() == [NAME]


def test_what_does_not_pass_is_given_up(running, pull):
    server = running()
    server.control("set", {"faults": [{"at": 3, "do": "end"}] * 50})
    got = pull(server, "--give-up", "3s")
    assert got.rc == 5 and 2 < got.seconds < 60
    said(f"hostler: {MODEL}: the Ollama at {server.url} ended its answer without success", got)


def test_wrong_bytes_are_asked_for_twice(running, pull):
    server = running()
    fault = {"at": 9, "do": "error", "text": "digest mismatch, file must be downloaded again: want a, got b"}
    server.control("set", {"faults": [fault]})
    assert pull(server).rc == 0
    server = running()
    server.control("set", {"faults": [fault] * 9})
    got = pull(server)
    assert got.rc == 6 and server.paths().count("POST /api/pull") == 2
    said("got wrong bytes: digest mismatch, file must be downloaded again: want a, got b", got)


def test_silence_is_a_stall_and_it_goes_on_afterwards(running, pull):
    server = running()
    server.control("set", {"faults": [{"at": 3, "do": "stall"}]})
    got = pull(server, "--first-byte", "1s")
    assert got.rc == 0, got.stderr
    said("nearly nothing comes any more; asking it again in ", got)
    assert [r["end"] for r in server.log() if r["path"] == "/api/pull"] == ["cut", "ok"]


def test_lines_without_progress_are_standing_still(running, pull):
    server = running()
    server.control("set", {"faults": [{"at": 3, "do": "still"}]})
    got = pull(server, "--give-up", "2s")
    assert got.rc == 5, got.stderr
    assert re.search(rf"hostler: {MODEL}: the Ollama at {server.url} stands still at 105 MB of 419 MB for 2s\n",
                     got.stderr), got.stderr
    assert server.log()[-1]["end"].startswith("client:")        # that it stops is the client's going


def test_silence_while_it_verifies_is_none(running, pull):
    server = running()
    server.control("set", {"faults": [{"do": "slow", "seconds": 2.5}]})
    got = pull(server, "--first-byte", "1s", "--give-up", "60s")
    assert got.rc == 0 and "stalls" not in got.stderr


@pytest.mark.parametrize("fault", [{"at": 4, "do": "back"}, {"do": "mlx"}, {"do": "bare"}])
def test_odd_progress_does_no_harm(running, pull, fault):
    server = running()
    server.control("set", {"faults": [fault]})
    got = pull(server, "--json")
    assert got.rc == 0, got.stderr
    assert all(e["bytes"] <= e["total"] for e in got.events("progress"))


@pytest.mark.sanitize
def test_a_line_without_an_end_is_hostile(running, pull):
    server = running()
    server.control("set", {"faults": [{"at": 3, "do": "endless"}]})
    got = pull(server)
    assert got.rc == 10 and server.paths().count("POST /api/pull") == 1
    said("the answer is longer than it may be", got)


def test_success_is_not_believed_of_one_that_does_not_list_it(running, pull):
    server = running()
    server.control("set", {"faults": [{"do": "forget"}]})
    got = pull(server)
    assert got.rc == 6
    said(f"hostler: {MODEL}: the Ollama at {server.url} said success, and then does not list it\n"
         "hint: remove the model there (ollama rm llava:7b) and pull it again\n", got)


def test_a_model_that_it_lists_without_its_weights_is_pulled_again(running, pull):
    server = running("--listed", NAME)
    server.control("set", {"partial": True})
    got = pull(server)
    assert got.rc == 6
    said(f"WARN the Ollama at {server.url} lists it and lacks a part of it; it pulls it again model={MODEL}", got)
    said("said success, and then that it has no such model: its store is damaged", got)
    server.control("set", {"partial": False})
    assert pull(server).rc == 0


def test_an_answer_that_is_cut_after_the_pull_does_not_undo_it(running, pull):
    server = running()
    server.control("set", {"tags_after": 1, "tags_faults": 1})
    got = pull(server)
    assert got.rc == 0, got.stderr
    assert "asking it again" in got.stderr and server.paths().count("POST /api/pull") == 1


HOSTILE = [None, 7, "x", [], {}, {"name": 7}, {"name": "../../x:y"}, {"name": "a\x1b[2J:b"}, {"name": "x" * 100_000},
           {"name": "llava:7b\n"}, {"name": "LLAVA:7B", "digest": "../../../etc/passwd", "size": -1}]


@pytest.mark.sanitize
def test_a_hostile_list_is_read_with_care(running, pull):
    server = running("--listed", NAME)
    server.control("set", {"tags": json.dumps({"models": HOSTILE[:-1]})})
    got = pull(server, "--dry-run")
    assert got.rc == 0 and "to be pulled by it" in got.stdout
    server.control("set", {"tags": json.dumps({"models": HOSTILE})})
    got = pull(server, "--json")
    assert got.rc == 0, got.stderr                   # it lists it, whatever it says of its digest and size
    assert "revision" not in got.events("present")[0] and "passwd" not in got.stdout + got.stderr


@pytest.mark.parametrize("text, status, words", [
    ("<html>", 5, "its list of models: broken JSON at line 1"),
    ("[" * 2_000_000, 10, "its list of models: JSON nested deeper than 64 levels"),
    (" " * (33 << 20), 10, "the answer is longer than it may be"),
])
def test_a_list_that_cannot_be_read_has_its_status(running, pull, text, status, words):
    server = running()
    server.control("set", {"tags": text})
    got = pull(server, "--give-up", "1s")
    assert got.rc == status, got.stderr
    said(words, got)


@pytest.mark.sanitize
def test_a_stop_ends_the_pull_there_too(running, pull):
    server = running()
    server.control("set", {"faults": [{"at": 3, "do": "stall"}]})
    child = pull(server, start=True)
    child.err.wait_for(r"Downloading .*%", 20)
    child.signal(signal.SIGTERM)
    got = child.finish(5)
    assert got.rc == 143
    assert [r["end"] for r in server.log() if r["path"] == "/api/pull"] == ["cut"]


def test_names_from_it_do_not_reach_the_terminal_raw(running, pull):
    server = running()
    server.control("set", {"faults": [{"at": 1, "do": "error", "text": "\x1b[2J\x07evil\nline no space left on device"}]})
    got = pull(server)
    assert got.rc == 7 and "\x1b" not in got.stderr and "\x07" not in got.stderr
    assert "\\x1b[2J\\x07evil\\x0aline" in got.stderr


# ------------------------------------------------------------------ options

def test_the_way_is_one_of_three(hostler):
    got = hostler.pull(MODEL, "--ollama-via", "smoke")
    assert got.rc == 2
    said('--ollama-via: "smoke": not one of auto, store, api', got)
    got = hostler.pull(MODEL, env={"HOSTLER_OLLAMA_VIA": "smoke"})
    assert got.rc == 2
    said('HOSTLER_OLLAMA_VIA: "smoke": not one of auto, store, api', got)


def test_models_of_others_are_not_its_business(running, pull, models, hub):
    models.small("org/tiny")
    server = running()
    assert pull(server, models=["hf:org/tiny"], hub=hub()).rc == 0
    assert server.paths() == []


def test_waiting_for_others_pulls_nothing(running, pull):
    server = running()
    child = pull(server, "--wait-for-others", start=True)
    child.err.wait_for(f"Waiting model={MODEL}", 20)
    assert "POST /api/pull" not in server.paths()
    assert pull(server).rc == 0
    got = child.finish()
    assert got.rc == 0 and server.paths().count("POST /api/pull") == 1
