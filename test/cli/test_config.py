"""What people type and set: options, variables, hostler.yaml, help; and the words that answer them."""
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import fcntl
import termios
import time

import pytest

from conftest import ROOT, SLOW, hostler_binary
from volume import assert_complete

pytestmark = pytest.mark.sanitize

TYPES = "vllm, gpu-worker, gpu-highmem, ocr, embedding, cpu-worker, all"


def said(got):
    """the two lines of an error"""
    assert got.stdout == ""
    return got.stderr.splitlines()


# ------------------------------------------------------------------ help

def test_help_names_every_command_and_help_of_each_is_no_error(hostler):
    names = re.findall(r"^  ([a-z]+) ", hostler("help").stdout, re.M)
    assert {"pull", "help", "completion"} <= set(names)
    assert hostler("--help").stdout == hostler("help").stdout == hostler("-h").stdout
    for name in names:
        one = hostler("help", name)
        assert one.rc == 0 and one.stderr == ""
        assert one.stdout.startswith(f"usage: hostler {name}")
        assert hostler(name, "--help").stdout == one.stdout


def test_help_of_a_command_needs_no_good_configuration(hostler):
    got = hostler("pull", "--help", env={"WORKER_TYPE": "bogus", "HOSTLER_CONNECTIONS": "many"})
    assert got.rc == 0
    assert "--limit-rate SIZE" in got.stdout


def test_help_lists_the_variables(hostler):
    got = hostler("help", "environment")
    assert got.rc == 0
    assert "MODEL_CACHE_DIR" in got.stdout and "HOSTLER_EXTRA_CA" in got.stdout


def test_the_version_is_one_line(hostler):
    assert re.fullmatch(r"hostler \d+\.\d+\.\d+\n", hostler("--version").stdout)


def test_bash_completes_commands_options_and_models(hostler):
    script = hostler("completion", "bash").stdout
    ask = script + """
complete_it() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _hostler; echo "${COMPREPLY[@]}"; }
complete_it hostler pu
complete_it hostler pull --dry
complete_it hostler pull gpu-w
complete_it hostler pull --progress pl
complete_it hostler pull --ollama-via ap
"""
    got = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, timeout=60, check=True)
    assert got.stdout.splitlines() == ["pull", "--dry-run", "gpu-worker", "plain", "api"]
    assert got.stderr == ""


# ------------------------------------------------------------------ words that are not taken

@pytest.mark.parametrize("args, lines", [
    (["pul"], ['hostler: "pul" is no command of hostler', "hint: did you mean hostler pull? See hostler help"]),
    (["--volume", "/x", "pull"], ["hostler: no command is given before --volume",
                                  "hint: options follow the command: hostler COMMAND [OPTION...]"]),
    (["frobnicate"], ['hostler: "frobnicate" is no command of hostler', "hint: see hostler help"]),
    (["help", "pulll"], ['hostler: "pulll" is no command of hostler',
                         "hint: did you mean hostler pull? See hostler help"]),
    (["pull", "--updaet"], ["hostler: pull does not know --updaet",
                            "hint: did you mean --update? See hostler help pull"]),
    (["pull", "-x"], ["hostler: pull does not know -x", "hint: see hostler help pull"]),
    (["pull", "--revision"], ["hostler: --revision needs a value", "hint: see hostler help"]),
    (["pull", "-j", "many"], ['hostler: --connections: "many": not a whole number from 0 to 128',
                              "hint: see hostler help"]),
    (["pull", "--limit-rate", "5Q"],
     ['hostler: --limit-rate: "5Q": not a size, which is like 5M, 1.5 GiB or 250kB', "hint: see hostler help"]),
    (["completion", "fish"], ["hostler: completion takes the name of a shell, which is bash",
                              "hint: source <(hostler completion bash)"]),
])
def test_a_word_that_is_not_taken_is_answered_word_for_word(hostler, args, lines):
    got = hostler(*args)
    assert got.rc == 2
    assert said(got) == lines


@pytest.mark.parametrize("variable, value, lines", [
    ("WORKER_TYPE", "gpu", ['hostler: WORKER_TYPE: "gpu" is no worker type', f"hint: it takes one of {TYPES}"]),
    ("ENABLE_GPU", "maybe", ['hostler: ENABLE_GPU: "maybe": not one of auto, true, false, 1, 0, yes, no',
                             "hint: see hostler help"]),
    ("MIN_GPU_MEMORY_GB", "8GB",
     ['hostler: MIN_GPU_MEMORY_GB: "8GB": not a number of gigabytes, which is like 8 or 0.5',
      "hint: see hostler help"]),
    ("HOSTLER_WAIT", "soon",
     ['hostler: HOSTLER_WAIT: "soon": not a duration, which is like 500ms, 30s, 1.5m, 2h or 1d',
      "hint: see hostler help"]),
    ("MODEL_CACHE_DIR", "/models              # Main cache directory",
     ["hostler: MODEL_CACHE_DIR: its value has a blank and a # in it, as if a comment stood behind it",
      "hint: in an env file a comment needs a line of its own; quotes are kept too"]),
])
def test_a_variable_s_bad_value_is_named_with_what_it_takes(hostler, variable, value, lines):
    got = hostler("pull", "hf:org/tiny", env={variable: value})
    assert got.rc == 2
    assert said(got) == lines


def test_a_secret_is_in_no_message(hostler):
    got = hostler("pull", "hf:org/tiny", env={"HF_TOKEN": "hf_secret # mine"})
    assert got.rc == 2
    assert "HF_TOKEN" in got.stderr and "hf_secret" not in got.stderr


def test_nothing_named_is_answered_with_the_types(hostler, volume):
    got = hostler.pull()
    assert got.rc == 2
    assert said(got) == ["hostler: no worker type and no model is named, and WORKER_TYPE is not set",
                         f"hint: name a model or one of the worker types {TYPES}"]


@pytest.mark.skipif(os.path.exists("/models"), reason="this machine has a /models")
def test_without_a_volume_the_hint_is_a_folder_of_one_s_own(hostler):
    got = hostler("pull", "hf:org/tiny")
    assert got.rc == 2
    assert "/models" in got.stderr and "--volume ~/models" in got.stderr
    assert not os.path.exists("/models")


def test_an_error_is_an_event_too(hostler):
    got = hostler("pull", "--json", "--bogus")
    assert got.rc == 2
    event, = got.events()
    assert event["event"] == "error" and event["code"] == "USAGE" and event["exit"] == 2
    assert event["message"] == "pull does not know --bogus"


def test_a_full_stdout_is_an_error_of_help(hostler):
    got = hostler("help", wrap=["bash", "-c", 'exec "$@" >/dev/full', "-"])
    assert got.rc == 2
    assert said(got) == ["hostler: writing to stdout: No space left on device",
                         "hint: send the output where it can be written"]


def test_events_that_stdout_does_not_take_are_an_error_and_the_download_is_whole(models, hub, hostler, volume):
    models.small("org/tiny")
    got = hostler.pull("hf:org/tiny", "--json", hub=hub(), wrap=["bash", "-c", 'exec "$@" >/dev/full', "-"])
    assert got.rc == 2
    assert got.stderr.endswith("hostler: events were lost: writing to stdout: No space left on device\n"
                               "hint: send the output where it can be written; the work itself was done\n")
    assert got.stderr.count("hostler: ") == 1
    assert_complete(volume, "org/tiny", models.files("org/tiny"))


def test_too_few_open_files_are_told_before_anything_else(hostler, volume):
    few = ["bash", "-c", 'ulimit -n 16; exec "$@"', "-"]
    got = hostler.pull("hf:org/tiny", wrap=few, env={"HF_TOKEN_PATH": "/dev/null", "WORKER_TYPE": "bogus"})
    assert got.rc == 2
    assert said(got) == ["hostler: the limit of open files is 16, and 64 are needed", "hint: raise it: ulimit -n 64"]
    assert list(volume.iterdir()) == []


def test_as_many_open_files_as_are_asked_for_suffice(source, hostler, volume):
    wanted = source.make("org/m", weights=12_000_000, shards=8, seed=1)
    source.serve()
    got = hostler.pull(*source.references(wanted, "org/m"), wrap=["bash", "-c", 'ulimit -n 64; exec "$@"', "-"],
                       **source.how())
    assert got.rc == 0, got.stderr
    source.assert_complete(volume, "org/m", wanted)


@pytest.mark.parametrize("args, lines", [
    (["GPU-WORKER"], ['hostler: "GPU-WORKER" is no worker type: their names are in lower case',
                      "hint: did you mean gpu-worker? A model of that name is written ollama:GPU-WORKER"]),
    (["org/name@v1", "--revision", "v2"],
     ["hostler: hf:org/name@v1 is at v1 by its name, and --revision asks for v2", "hint: write one of the two"]),
    (["org/name@main", "--revision", "v2"],
     ["hostler: hf:org/name is at main by its name, and --revision asks for v2", "hint: write one of the two"]),
    (["ollama:x:7b", "--revision", "13b"],
     ["hostler: ollama:x:7b is at 7b by its name, and --revision asks for 13b", "hint: write one of the two"]),
])
def test_what_may_be_a_slip_is_not_guessed_at(hostler, volume, args, lines):
    got = hostler.pull(*args)
    assert got.rc == 2
    assert said(got) == lines
    assert list(volume.iterdir()) == []


def test_a_revision_may_be_named_twice_if_it_is_the_same(models, hub, hostler):
    models.small("org/tiny")
    got = hostler.pull("hf:org/tiny@main", "--revision", "main", hub=hub())
    assert got.rc == 0, got.stderr


def test_help_takes_one_command(hostler):
    assert said(hostler("help", "pull", "help"))[0] == "hostler: help takes one command"


# ------------------------------------------------------------------ names of models

def test_what_was_written_and_what_is_taken_for_it_is_told(hostler):
    got = hostler.pull("llava-next:34b-v1.5-q4_K_M", "--offline")
    assert got.rc != 0
    assert ("WARN there is no llava-next:34b-v1.5-q4_K_M: ollama:llava:34b-v1.6-q4_K_M is taken for it"
            in got.stderr)


def test_optional_models_that_are_left_out_are_named(hostler):
    assert "--optional" in hostler.pull("ocr", "--offline").stderr
    assert "--optional" not in hostler.pull("ocr", "--offline", "--optional").stderr


def test_a_revision_is_for_one_model(models, hub, hostler):
    models.small("org/tiny", weights=10_000)
    origin = hub()
    commit = origin.commit("org/tiny")
    two = hostler.pull("hf:org/tiny", "hf:org/other", "--revision", "v1")
    assert two.rc == 2
    assert said(two) == ["hostler: --revision takes one model, and 2 are named",
                         "hint: write the revision into the name: org/name@v1"]
    one = hostler.pull("hf:org/tiny", "--revision", commit, hub=origin)
    assert one.rc == 0, one.stderr
    assert f"model=hf:org/tiny@{commit}" in one.stderr


# ------------------------------------------------------------------ hostler.yaml

def yaml(hostler, text):
    path = hostler.folder / "hostler.yaml"
    path.write_text(text)
    return path


def test_a_model_and_a_type_of_the_file_are_pulled(models, hub, hostler, volume):
    models.small("corp/ours", weights=10_000)
    origin = hub()
    config = yaml(hostler, "models:\n  ours: {source: hf:corp/ours, aliases: [Our-Model]}\n"
                           "workers:\n  night-shift: {models: [our-model]}\n")
    got = hostler.pull("night-shift", "--config", config, hub=origin)
    assert got.rc == 0, got.stderr
    assert (volume / "huggingface/hub/models--corp--ours/refs/main").exists()
    by_type = {"HOSTLER_CONFIG": config, "WORKER_TYPE": "night-shift"}
    assert "Complete model=hf:corp/ours" in hostler.pull(hub=origin, env=by_type).stderr


def test_the_documented_file_and_types_are_the_real_ones(hostler):
    text = (ROOT / "doc/configuration.md").read_text()
    config = yaml(hostler, re.search(r"```yaml\n(.*?)```", text, re.S).group(1))
    got = hostler.pull("search", "--offline", "--config", config)
    assert "corp/reranker@v2" in got.stderr and "optional, left out" in got.stderr, got.stderr
    types = re.findall(r"^\| `([\w-]+)` \| ([\w., -]+?) \|", text, re.M)
    assert [name for name, _ in types] == TYPES.split(", ")
    for name, models in types:
        got = hostler.pull(name, "--offline", env={"LOG_FORMAT": "json"})
        failed = [json.loads(line) for line in got.stderr.splitlines()]
        assert len([e for e in failed if e["event"] == "error"]) == len(models.split(", ")), name


@pytest.mark.parametrize("text, line", [
    ("defaults: {connectionz: 3}\n", '1:12: unknown key "connectionz"'),
    ("models:\n  a: {source: hf:o/n}\n  a: {source: hf:o/m}\n", '3:3: the key "a" is there already, in line 2'),
    ("workers:\n  w: {models: [nothing-like-it]}\n", '2:16: there is no model "nothing-like-it"'),
    ("defaults: {connections: [1]}\n", "1:25: connections must be a text, not a list"),
    ("a: &x 1\n", "1:4: anchors are not taken here"),
    ("models: {\n", "2:1: did not find expected node content"),
])
def test_a_fault_in_the_file_has_its_place(hostler, text, line):
    config = yaml(hostler, text)
    got = hostler("pull", "hf:org/tiny", "--config", config)
    assert got.rc == 2
    assert got.stderr.splitlines()[0] == f"hostler: {config}:{line}"


def test_flags_win_over_variables_over_the_file(models, hub, hostler):
    models.small("org/tiny", weights=10_000)
    origin = hub()
    config = yaml(hostler, "defaults: {log_format: json, progress: none}\n")
    from_file = hostler.pull("hf:org/tiny", "--config", config, hub=origin)
    assert all(json.loads(line)["ts"] for line in from_file.stderr.splitlines())
    over_file = hostler.pull("hf:org/tiny", "--config", config, hub=origin, env={"LOG_FORMAT": "text"})
    assert "INFO Complete model=hf:org/tiny" in over_file.stderr
    over_all = hostler.pull("hf:org/tiny", hub=origin, env={"HOSTLER_VOLUME": "/nowhere/at/all"})
    assert over_all.rc == 0


@pytest.mark.parametrize("variable", ["HOSTLER_EXTRA_CA", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_an_authority_of_one_s_own_is_trusted(models, hub, hostler, certificates, variable):
    models.small("org/tiny", weights=10_000)
    origin = hub("--tls-cert", certificates / "server.pem", "--tls-key", certificates / "server.key")
    refused = hostler.pull("hf:org/tiny", hub=origin)
    assert refused.rc == 5 and "certificate" in refused.stderr
    trusted = hostler.pull("hf:org/tiny", hub=origin, env={variable: certificates / "ca.pem"})
    assert trusted.rc == 0, trusted.stderr


def test_an_extra_authority_does_not_displace_another(models, hub, hostler, certificates, tmp_path):
    models.small("org/tiny", weights=10_000)
    origin = hub("--tls-cert", certificates / "server.pem", "--tls-key", certificates / "server.key")
    other = tmp_path / "other.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", "/dev/null", "-out", other, "-subj", "/CN=Another authority"],
                   check=True, capture_output=True, timeout=60)
    env = {"SSL_CERT_FILE": certificates / "ca.pem", "HOSTLER_EXTRA_CA": other}
    got = hostler.pull("hf:org/tiny", hub=origin, env=env)
    assert got.rc == 0, got.stderr


# ------------------------------------------------------------------ where the words go

def test_the_guide_s_script_takes_types_and_logs_to_stdout(hostler, volume):
    script = hostler.folder / "download-models.sh"
    script.symlink_to(hostler_binary())
    got = hostler("bogus", argv0=str(script), env={"MODEL_CACHE_DIR": volume})
    assert got.rc == 2
    assert got.stderr.splitlines() == ['hostler: "bogus" is no worker type',
                                       f"hint: download-models.sh takes {TYPES}"]
    assert re.search(r'^\S+Z ERROR "bogus" is no worker type', got.stdout, re.M)


def test_the_guide_s_script_pulls_its_type(models, hub, hostler, volume):
    models.small("mistralai/Mistral-7B-Instruct-v0.2", weights=10_000)
    origin = hub()
    script = hostler.folder / "download-models.sh"
    script.symlink_to(hostler_binary())
    env = {"MODEL_CACHE_DIR": volume}
    got = hostler("vllm", argv0=str(script), hub=origin, env=env)
    assert got.rc == 0, got.stdout
    assert re.search(r"INFO Downloading model=hf:mistralai/Mistral-7B-Instruct-v0.2 ", got.stdout)
    assert got.stderr == ""
    again = hostler(argv0=str(script), hub=origin, env={**env, "WORKER_TYPE": "vllm"})
    assert "INFO Complete model=hf:mistralai/Mistral-7B-Instruct-v0.2 revision" in again.stdout


def test_the_log_file_is_a_copy_that_tail_can_follow(models, hub, hostler):
    models.small("org/tiny", weights=10_000)
    log = hostler.folder / "copy.log"
    got = hostler.pull("hf:org/tiny", "-q", hub=hub(), env={"LOG_FILE": log})
    assert got.rc == 0 and got.stderr == "" and got.stdout == ""
    lines = log.read_text().splitlines()
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO Downloading model=hf:org/tiny ", lines[0])
    assert " INFO Done 1 model, " in lines[-1]


def test_a_log_file_that_cannot_be_written_is_a_warning(models, hub, hostler):
    models.small("org/tiny", weights=10_000)
    got = hostler.pull("hf:org/tiny", hub=hub(), env={"LOG_FILE": "/nowhere/x.log"})
    assert got.rc == 0
    assert "WARN LOG_FILE /nowhere/x.log cannot be written: No such file or directory" in got.stderr


def test_a_strange_log_level_is_one_warning(models, hub, hostler):
    models.small("org/tiny", weights=10_000)
    got = hostler.pull("hf:org/tiny", hub=hub(), env={"LOG_LEVEL": "loud"})
    assert got.rc == 0
    assert got.stderr.count("LOG_LEVEL") == 1
    assert "INFO Done" in got.stderr


def test_debug_tells_of_the_parts_named_alone(models, hub, hostler, volume):
    models.small("org/tiny", weights=10_000)
    origin = hub()
    first = hostler.pull("hf:org/tiny", "--debug=pull", hub=origin)
    assert "DEBUG checking -> waiting model=hf:org/tiny" in first.stderr and "hub cache" not in first.stderr
    second = hostler.pull("hf:org/tiny", "--debug", "configuration", hub=origin)
    assert f"hub cache {volume}/huggingface/hub" in second.stderr and "->" not in second.stderr
    assert "->" in hostler.pull("hf:org/tiny", "-v", hub=origin).stderr


def test_the_events_are_json_lines_on_stdout(models, hub, hostler):
    models.small("org/tiny", weights=10_000)
    got = hostler.pull("hf:org/tiny", "--json", hub=hub())
    assert got.rc == 0
    names = [e["event"] for e in got.events()]
    assert names[0] == "start" and names[-1] == "done" and "published" in names
    assert all(e["model"] == "hf:org/tiny" for e in got.events() if e["event"] in ("start", "file", "published"))
    done, = got.events("done")
    assert done["models"] == 1 and done["bytes"] == models.bytes("org/tiny")
    present, = hostler.pull("hf:org/tiny", "--json").events("present")
    assert len(present["revision"]) == 40


def test_a_dry_run_in_json_is_one_document(models, hub, hostler):
    models.small("org/tiny", weights=10_000)
    got = hostler.pull("hf:org/tiny", "--dry-run", "--json", hub=hub())
    assert got.rc == 0, got.stderr
    assert json.loads(got.stdout)["models"]


def test_a_closed_stdout_does_not_stop_the_work(models, hub, hostler, volume):
    models.small("org/tiny", weights=10_000)
    closed = ["bash", "-c", 'exec "$@" >&-', "-"]
    got = hostler.pull("hf:org/tiny", "--json", hub=hub(), wrap=closed)
    assert got.rc == 0, got.stderr
    assert (volume / "huggingface/hub/models--org--tiny/refs/main").exists()


# ------------------------------------------------------------------ on a terminal

class Terminal:
    """the program on a terminal of its own"""

    def __init__(self, argv, env, columns=80, rows=24):
        self.text = ""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.fd = master
        self.process = subprocess.Popen(argv, env={**env, "TERM": "xterm"}, stdin=slave, stdout=slave,
                                        stderr=slave, start_new_session=True)
        os.close(slave)

    def read_until(self, pattern, timeout=60):
        end = time.monotonic() + timeout * SLOW
        while pattern is None or not re.search(pattern, self.text):
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            assert ready, f"no {pattern!r} in:\n{self.text!r}"
            try:
                piece = os.read(self.fd, 65536)
            except OSError:             # the last holder of the terminal's other end is gone
                piece = b""
            if not piece:
                assert pattern is None, f"it ended without {pattern!r}:\n{self.text!r}"
                break
            self.text += piece.decode()

    def finish(self):
        self.read_until(None)
        os.close(self.fd)
        return self.process.wait(60 * SLOW)


def screen_of(text):
    """what a terminal would show at the end: the few sequences that bars use"""
    lines, row = [""], 0
    for part in re.findall(r"\x1b\[\d*[A-Z]|\r|\n|[^\x1b\r\n]+", text):
        if part == "\n":
            row += 1
            if row == len(lines):
                lines.append("")
        elif part.endswith("A") and part.startswith("\x1b["):
            row -= int(part[2:-1])
            assert row >= 0, "the cursor went above our own lines"
        elif part == "\x1b[J":
            del lines[row:]
            lines.append("")
        elif part == "\x1b[K":
            pass                        # each line is written from its start, and then cut
        elif part != "\r":
            lines[row] = part
    return [line for line in lines if line]


def test_bars_come_and_go_and_the_words_stay(models, hub, hostler, volume):
    models.small("org/tiny", weights=4_000_000, shards=2)
    env = hostler.env(hub=hub())
    t = Terminal([hostler_binary(), "pull", "hf:org/tiny", "--volume", str(volume), "--limit-rate", "2M"], env)
    t.read_until(r"\[=+>? *\] +\d+% [\d.]+ (MB )?of 2\.0 MB")
    t.read_until(r"\nhf:org/tiny \d+% ")
    assert t.finish() == 0
    assert "INFO Downloading" not in t.text
    left = screen_of(t.text)
    assert len(left) == 2
    assert " INFO Published model=hf:org/tiny " in left[0] and " INFO Done 1 model, " in left[1]
    widest = max(len(line) for line in re.split(r"[\r\n]+", re.sub(r"\x1b\[\d*[A-Z]", "", t.text))
                 if " INFO " not in line)
    assert widest < 80


def test_an_interrupt_takes_the_bars_away_and_says_so(models, hub, hostler, volume):
    models.small("org/tiny", weights=4_000_000)
    env = hostler.env(hub=hub())
    t = Terminal([hostler_binary(), "pull", "hf:org/tiny", "--volume", str(volume), "--limit-rate", "100k"], env)
    t.read_until(r"\nhf:org/tiny \d+% |model\.safetensors ")
    t.process.send_signal(signal.SIGINT)
    assert t.finish() == 130
    assert screen_of(t.text) == ["hostler: stopped by SIGINT"]


# ------------------------------------------------------------------ the start

def test_a_complete_model_loads_no_library_and_opens_no_socket(models, hub, hostler, tmp_path):
    models.small("org/tiny", weights=10_000)
    assert hostler.pull("hf:org/tiny", hub=hub()).rc == 0
    trace = tmp_path / "trace"
    strace = ["strace", "-f", "-o", trace, "-e", "trace=openat,socket,clone,clone3,execve"]
    got = hostler.pull("hf:org/tiny", wrap=strace, env={"ASAN_OPTIONS": "detect_leaks=0"})
    assert got.rc == 0, got.stderr
    calls = trace.read_text()
    assert not re.search(r"^\d+ +(socket|clone3?|fork|vfork)\(", calls, re.M), calls
    libraries = set(re.findall(r'"[^"]*/(lib[a-z+]+)[^"/]*\.so[^"]*"[^\n]* = \d', calls))
    assert libraries - {"libasan", "libubsan", "libtsan", "libm", "libgcc", "libstdc++"} == {"libc"}
