"""What GPUs there are, as a driver tells of them that the tests play (test/tools/fake_nvml.c), and whether a worker may start."""
import json
import pathlib
import re

import pytest

from conftest import hostler_binary

# Which test plays what has gone wrong on real hosts:
#
#   a card of 8188 MiB is one of 8 GB and none of 12,     test_a_card_has_the_gigabytes_that_it_is_sold_by,
#   an L4 of 23034 MiB one of 24                          test_one_that_is_too_small_is_left_out_and_the_other_is_used
#   the library is newer than the kernel's module (18)    test_a_driver_of_another_version_is_one_warning_to_who_only_prefers_a_gpu
#   ENABLE_GPU=false opens no library                     test_with_enable_gpu_false_no_library_is_opened
#   no memory of its own (GB10): NVML tells none          test_memory_that_is_not_told_is_the_host_s,
#                                                         test_what_is_free_of_shared_memory_is_what_the_host_has_available
#   empty places between MIG instances                    test_instances_behind_holes_are_found_and_keep_their_numbers
#   one GPU of several cannot be had                      test_one_that_cannot_be_used_says_why_and_the_others_stay
#   memory that is ill                                    test_memory_that_is_ill_is_told_with_what_to_do
#   the library hangs or crashes                          test_a_library_that_fails_is_told_and_harms_nobody
L4 = "gpu GPU-5c3f2a1b-0000-0000-0000-000000000001 8.9 23034 600 20000 NVIDIA L4"
SMALL = "gpu GPU-00ab34cd-0000-0000-0000-000000000002 7.5 5700 300 5000 Quadro RTX 3000"
EIGHT = "gpu GPU-88888888-0000-0000-0000-000000000005 8.6 8188 350 7800 NVIDIA GeForce RTX 3070"
A100 = "gpu GPU-a100a100-0000-0000-0000-000000000003 8.0 81920 700 80000 NVIDIA A100-SXM4-80GB"


@pytest.fixture
def played(tmp_path):
    """played(*lines) is the environment in which the driver says that"""
    folder = pathlib.Path(hostler_binary()).parent / "test" / "tools"
    assert (folder / "libnvidia-ml.so.1").exists()

    def make(*lines, **more):
        scenario = tmp_path / "scenario"
        scenario.write_text("\n".join(lines) + "\n")
        return {"LD_LIBRARY_PATH": str(folder), "FAKE_NVML": str(scenario), **more}

    return make


@pytest.fixture
def gpus(hostler, volume, played):
    def run(*lines, args=(), **more):
        return hostler("gpus", "--volume", volume, *args, env=played(*lines, **more))

    return run


def listed(got):
    assert got.rc == 0, got.stderr
    return json.loads(got.stdout)


def test_a_host_without_gpus_is_no_error_and_says_what_was_looked_for(hostler, volume):
    got = hostler("gpus", "--volume", volume)
    assert got.rc == 0
    assert got.stdout.startswith("no NVIDIA driver: /proc/driver/nvidia and libnvidia-ml.so.1 are absent\n  hint: ")


def test_the_table_names_each_gpu_by_its_uuid(gpus):
    got = gpus(L4, SMALL)
    assert got.rc == 0, got.stderr
    lines = got.stdout.splitlines()
    assert lines[0].split() == ["INDEX", "GPU", "NAME", "SM", "MEMORY", "USED", "FREE", "STATE"]
    assert lines[1].split() == ["0", "GPU-5c3f2a1b", "NVIDIA", "L4", "8.9", "24.2", "GB", "2.6", "GB", "21.0", "GB", "ok"]
    assert lines[2].split()[:2] == ["1", "GPU-00ab34cd"]
    assert lines[-1] == "driver 580.95.05, CUDA 13.0"


def test_the_inventory_is_what_gpus_from_reads_back(gpus, hostler, volume, tmp_path):
    first = gpus(L4, "process 4711 2000", SMALL, args=["--json"])
    gpu = listed(first)["gpus"][0]
    assert (gpu["total_mib"], gpu["reserved_mib"], gpu["cuda_total_mib"], gpu["used_mib"]) == (23034, 600, 22434, 2434)
    assert gpu["processes"][0]["pid"] == 4711 and gpu["processes"][0]["mib"] == 2000
    file = tmp_path / "inventory.json"
    file.write_text(first.stdout)
    again = hostler("gpus", "--volume", volume, "--json", "--gpus-from", file)
    assert listed(again) == listed(first)


def test_an_older_library_is_asked_the_older_way(gpus):
    gpu = listed(gpus(L4, "v1", args=["--json"]))["gpus"][0]
    assert gpu["total_mib"] == 23034
    assert gpu["reserved_mib"] == 23034 * 18 // 1000
    assert gpu["state"] == "ok"


def test_instances_stand_below_the_gpu_that_is_cut(gpus):
    found = listed(gpus(A100, "instance MIG-1 9856 20 9800 NVIDIA A100-SXM4-80GB MIG 1g.10gb",
                        "instance MIG-2 20096 30 20000 NVIDIA A100-SXM4-80GB MIG 2g.20gb", args=["--json"]))["gpus"]
    assert [g["state"] for g in found] == ["mig-parent", "ok", "ok"]
    assert found[1]["mig"]["parent"] == found[0]["uuid"]
    assert [g["uuid"] for g in found[1:]] == ["MIG-1", "MIG-2"]


@pytest.mark.parametrize("line, state, reason", [
    ("handle 15", "lost", "it fell off the bus, or cannot be reached any more (NVML error 15)"),
    ("handle 4", "no-permission", "no permission (NVML error 4)"),
    ("handle 17", "no-permission", "the operating system or a cgroup blocks access (NVML error 17)"),
    ("handle 999", "faulty", "unknown error (NVML error 999)"),
    ("memory 16", "faulty", "it needs a reset (NVML error 16)"),
    ("mode 2", "no-permission", "its compute mode is prohibited: no program may use it"),
    ("recovery 1", "faulty", "the driver says that it needs a reset (recovery action 1)"),
])
def test_one_that_cannot_be_used_says_why_and_the_others_stay(gpus, line, state, reason):
    bad, good = listed(gpus(SMALL, line, L4, args=["--json"]))["gpus"]
    assert (bad["state"], bad["reason"]) == (state, reason)
    assert good["state"] == "ok"
    assert f" is {state}: {reason}" in gpus(SMALL, line, L4).stdout


GB10 = "gpu GPU-gb10gb10-0000-0000-0000-000000000004 12.1 0 0 0 NVIDIA GB10"
UNIFIED = [[GB10, "memory 3"], [GB10], [GB10, "v1"]]  # "not supported", or a total of 0, the newer way or the older
MEMINFO = "MemTotal:       127506841 kB\nMemFree:         1234567 kB\nMemAvailable:   98765432 kB\nBuffers:  4 kB\n"


@pytest.mark.parametrize("lines", UNIFIED)
def test_memory_that_is_not_told_is_the_host_s(gpus, lines):
    gpu, = listed(gpus(*lines, args=["--json"]))["gpus"]
    kib = dict(re.findall(r"^(\w+): +(\d+) kB$", pathlib.Path("/proc/meminfo").read_text(), re.M))
    assert gpu["unified"] is True and gpu["state"] == "ok"
    assert (gpu["total_mib"], gpu["cuda_total_mib"], gpu["reserved_mib"]) == (int(kib["MemTotal"]) // 1024,) * 2 + (0,)
    assert gpu["used_mib"] + gpu["free_mib"] == gpu["total_mib"]
    assert "CUDA does not count the page cache as free" in gpu["reason"]
    assert "/proc/sys/vm/drop_caches" in gpu["hint"]


@pytest.mark.parametrize("lines", UNIFIED)
def test_what_is_free_of_shared_memory_is_what_the_host_has_available(hostler, volume, played, tmp_path, mount_namespace,
                                                                      lines):
    recorded = tmp_path / "meminfo"
    recorded.write_text(MEMINFO)
    script = 'mount --bind "$0" /proc/meminfo || exit 99; exec "$@"'

    def run(*args):
        return hostler("gpus", "--volume", volume, *args, env=played(*lines),
                       wrap=[*mount_namespace, "sh", "-c", script, recorded])

    gpu, = listed(run("--json"))["gpus"]
    assert (gpu["total_mib"], gpu["free_mib"]) == (127506841 // 1024, 98765432 // 1024)
    assert gpu["used_mib"] == gpu["total_mib"] - gpu["free_mib"]
    text = run().stdout
    assert re.search(r"GPU-gb10gb10 +NVIDIA GB10 +12\.1 +131 GB +29\.4 GB +101 GB +ok\n", text), text
    assert "GPU-gb10gb10: it shares the host's memory" in text and "drop_caches" in text


@pytest.mark.parametrize("lines, reason", [
    (["init 9"], "no GPU"),
    (["init 18"], "the NVIDIA driver cannot be asked: driver/library mismatch (NVML error 18)"),
    (["init 999"], "the NVIDIA driver cannot be asked: unknown error (NVML error 999)"),
    (["crash init"], "libnvidia-ml.so.1 crashed (signal 11, Segmentation fault; it was asked to start)"),
    ([L4, "crash memory"], "libnvidia-ml.so.1 crashed (signal 11, Segmentation fault; it was asked for GPU 0, its memory)"),
    ([L4, "hang memory"], "the NVIDIA driver did not answer in 1s (it was asked for GPU 0, its memory)"),
])
def test_a_library_that_fails_is_told_and_harms_nobody(gpus, lines, reason):
    got = gpus(*lines, args=["--gpu-timeout", "1s"])
    assert got.rc == 0
    assert (reason in got.stdout) != (reason == "no GPU"), got.stdout
    assert "hint: " in got.stdout


@pytest.mark.parametrize("visible, states", [
    ("1", ["hidden", "ok"]), ("GPU-5c3f2a1b", ["ok", "hidden"]), ("", ["hidden", "hidden"]), ("-1", ["hidden", "hidden"]),
    ("0,9,1", ["ok", "hidden"]),
])
def test_what_the_environment_leaves_out_is_hidden(gpus, visible, states):
    found = listed(gpus(L4, L4.replace("5c3f2a1b", "77777777"), args=["--json"], CUDA_VISIBLE_DEVICES=visible))["gpus"]
    assert [g["state"] for g in found] == states


# ------------------------------------------------------------------ what is wrong with a GPU, and what to do

RESET = "nvidia-smi --gpu-reset as root while nothing uses it, or start the host again"


@pytest.mark.parametrize("line, state, reason, hint", [
    ("rows 0 1", "faulty", "rows of its memory are broken, and could not be replaced", "the card has to be replaced"),
    ("rows 1 1", "faulty", "rows of its memory are broken, and could not be replaced", "the card has to be replaced"),
    ("rows 1 0", "ok", "a reset is due: rows of its memory wait to be replaced", RESET),
    ("pages 1", "ok", "a reset is due: pages of its memory wait to be retired", RESET),
    ("ecc 3", "ok", "3 uncorrected errors of its memory since the driver was loaded", RESET),
    ("rows 0 0", "ok", "", ""),  # those that were replaced, and errors that were corrected, are no harm
    ("ecc 0", "ok", "", ""),
    ("pages 0", "ok", "", ""),
])
def test_memory_that_is_ill_is_told_with_what_to_do(gpus, line, state, reason, hint):
    ill, good = listed(gpus(SMALL, line, L4, args=["--json"]))["gpus"]
    assert (ill["state"], ill["reason"], ill["hint"]) == (state, reason, hint)
    assert (good["state"], good["reason"]) == ("ok", "")
    lines = gpus(SMALL, line, L4).stdout.splitlines()
    assert lines[1].split()[1] == "GPU-00ab34cd" and lines[1].split()[-1] == state
    head = "GPU-00ab34cd is faulty: " if state == "faulty" else "GPU-00ab34cd: "
    assert lines[5:] == ([head + reason, "  hint: " + hint] if reason else [])


def test_the_gravest_of_several_ills_is_told(gpus):
    gpu, = listed(gpus(SMALL, "ecc 1", "pages 1", "rows 1 0", "recovery 2", args=["--json"]))["gpus"]
    assert gpu["state"] == "faulty" and gpu["reason"] == "the driver says that it needs a new start of the host (recovery action 2)"
    gpu, = listed(gpus(SMALL, "ecc 1", "rows 1 0", args=["--json"]))["gpus"]
    assert gpu["state"] == "ok" and gpu["reason"] == "a reset is due: rows of its memory wait to be replaced"


def test_instances_behind_holes_are_found_and_keep_their_numbers(gpus):
    lines = [A100, "hole", "instance MIG-1 9856 20 9800 NVIDIA A100-SXM4-80GB MIG 1g.10gb", "hole", "hole",
             "instance MIG-2 20096 30 20000 NVIDIA A100-SXM4-80GB MIG 2g.20gb", L4]
    found = listed(gpus(*lines, args=["--json"]))["gpus"]
    assert [g["uuid"] for g in found[1:3]] == ["MIG-1", "MIG-2"]
    assert [g["state"] for g in found] == ["mig-parent", "ok", "ok", "ok"]
    table = gpus(*lines).stdout.splitlines()
    assert [line.split()[1] for line in table[1:5]] == ["GPU-a100a100", "MIG-1", "MIG-2", "GPU-5c3f2a1b"]
    # the numbers of instances, in the card:instance form, count the holes
    found = listed(gpus(*lines, args=["--json"], NVIDIA_VISIBLE_DEVICES="0:4"))["gpus"]
    assert [g["state"] for g in found] == ["mig-parent", "hidden", "ok", "hidden"]


def test_a_card_of_holes_alone_says_how_to_cut_it(gpus):
    gpu, = listed(gpus(A100, "hole", args=["--json"]))["gpus"]
    assert gpu["state"] == "mig-parent" and "nvidia-smi mig -cgi PROFILE -C" in gpu["hint"]


def test_of_a_card_that_is_cut_cuda_s_list_leaves_one_instance(gpus):
    lines = [A100, "instance MIG-1 9856 20 9800 NVIDIA A100 MIG 1g.10gb", "instance MIG-2 20096 30 20000 NVIDIA A100 MIG 2g.20gb"]
    for named in ("0", "GPU-a100a100"):
        found = listed(gpus(*lines, args=["--json"], CUDA_VISIBLE_DEVICES=named))["gpus"]
        assert [g["state"] for g in found] == ["mig-parent", "ok", "hidden"]


def other(n):
    return L4.replace("5c3f2a1b", f"{n}" * 8)


def test_how_gpus_are_joined_is_told_of_both(gpus):
    lines = [other(0), other(1), other(2), other(3), "nvlink 0 1", "topology 0 1 50", "topology 0 2 20", "topology 2 1 30",
             "topology 0 3 10", "topology 1 3 40", "topology 2 3 50"]
    found = listed(gpus(*lines, args=["--json"]))["gpus"]
    kinds = [{link["to"][4:5]: link["kind"] for link in gpu["links"]} for gpu in found]
    assert kinds == [{"1": "nvlink", "2": "pxb", "3": "pix"}, {"0": "nvlink", "2": "phb", "3": "node"},
                     {"0": "pxb", "1": "phb", "3": "sys"}, {"0": "pix", "1": "node", "2": "sys"}]
    text = gpus(*lines).stdout.splitlines()
    assert text[-4] == "GPU-00000000 is joined to GPU-11111111 (nvlink), GPU-22222222 (pxb), GPU-33333333 (pix)"
    assert text[-1] == "GPU-33333333 is joined to GPU-00000000 (pix), GPU-11111111 (node), GPU-22222222 (sys)"


def test_gpus_of_which_nothing_is_told_have_no_links(gpus):
    for lines in ([other(0), other(1)], [other(0), other(1), "topology 0 1 17"]):
        assert [gpu["links"] for gpu in listed(gpus(*lines, args=["--json"]))["gpus"]] == [[], []]
        assert "joined" not in gpus(*lines).stdout


@pytest.mark.parametrize("crowd, told", [
    ("3 3 3", 3), ("9 9 9", 9),
    ("9 40 41", 41),     # more at the second question than at the first, and again at the third
    ("9 400 1100", 128),   # the limit of what is told (GPU_PROCESS_MAX)
])
def test_processes_that_start_while_they_are_counted_are_listed(gpus, crowd, told):
    gpu, = listed(gpus(L4, f"crowd {crowd}", args=["--json"]))["gpus"]
    assert [p["pid"] for p in gpu["processes"]] == list(range(1000, 1000 + told))
    assert {p["mib"] for p in gpu["processes"]} == {1}
    assert gpu["state"] == "ok"


# ------------------------------------------------------------------ the gate of run

def gated(hostler, volume, tmp_path, need, env, *more):
    config = tmp_path / "hostler.yaml"
    config.write_text(json.dumps({"workers": {"mine": {"models": [], "engine": "none", "gpu": need}}}))
    return hostler("run", "--config", config, "--volume", volume, "--worker", "mine", *more, "--", "echo", "served",
                   env={"HOSTLER_RUNTIME_DIR": tmp_path, **env})


def test_a_worker_that_needs_a_gpu_does_not_start_without(hostler, volume, played, tmp_path):
    got = gated(hostler, volume, tmp_path, "required", {})
    assert got.rc == 11 and "served" not in got.stdout
    assert "gating -> failed" in got.stdout
    assert "no NVIDIA driver" in got.stderr
    got = gated(hostler, volume, tmp_path, "required", played(L4))
    assert got.rc == 0 and "served" in got.stdout
    got = gated(hostler, volume, tmp_path, "required", played(SMALL, MIN_GPU_MEMORY_GB="8"))
    assert got.rc == 11
    assert "GPU-00ab34cd 5.9 GB < MIN_GPU_MEMORY_GB=8" in got.stderr


def test_a_worker_that_prefers_one_is_let_through_with_a_warning(hostler, volume, played, tmp_path):
    got = gated(hostler, volume, tmp_path, "preferred", {})
    assert got.rc == 0 and "served" in got.stdout and "WARN" in got.stdout
    got = gated(hostler, volume, tmp_path, "preferred", {"ENABLE_GPU": "true"})
    assert got.rc == 11


@pytest.mark.parametrize("card, asked, said", [
    (EIGHT, "8", None), (EIGHT, "8.58", None), (EIGHT, "8.59", "GPU-88888888 8.5 GB < MIN_GPU_MEMORY_GB=8.59"),
    (EIGHT, "12", "GPU-88888888 8.5 GB < MIN_GPU_MEMORY_GB=12"),
    (L4, "24", None), (L4, "25", "GPU-5c3f2a1b 24.1 GB < MIN_GPU_MEMORY_GB=25"), (L4, "0", None),
])
def test_a_card_has_the_gigabytes_that_it_is_sold_by(hostler, volume, played, gpus, tmp_path, card, asked, said):
    got = gated(hostler, volume, tmp_path, "required", played(card, MIN_GPU_MEMORY_GB=asked))
    assert (got.rc, "served" in got.stdout) == ((0, True) if said is None else (11, False)), got.stderr
    assert said is None or said in got.stderr
    lines = gpus(card, MIN_GPU_MEMORY_GB=asked).stdout.splitlines()
    assert lines[4:] == ([] if said is None else [said])


def test_one_that_is_too_small_is_left_out_and_the_other_is_used(hostler, volume, played, tmp_path):
    got = gated(hostler, volume, tmp_path, "required", played(EIGHT, L4, MIN_GPU_MEMORY_GB="12"))
    assert got.rc == 0 and "served" in got.stdout
    assert "GPU-88888888 8.5 GB < MIN_GPU_MEMORY_GB=12" in got.stdout


def test_a_driver_of_another_version_is_one_warning_to_who_only_prefers_a_gpu(hostler, volume, played, tmp_path):
    why = "the NVIDIA driver cannot be asked: driver/library mismatch (NVML error 18)"
    got = gated(hostler, volume, tmp_path, "preferred", played("init 18"))
    assert got.rc == 0 and "served" in got.stdout
    warnings = [line for line in got.stdout.splitlines() if " WARN " in line]
    assert len(warnings) == 1 and f"mine starts on the CPU: no GPU was found ({why})" in warnings[0], got.stdout
    got = gated(hostler, volume, tmp_path, "required", played("init 18"))
    assert got.rc == 11 and "served" not in got.stdout
    assert f"mine needs a GPU, and no GPU was found ({why})" in got.stderr
    assert "start the host again" in got.stderr


@pytest.mark.parametrize("line, starts", [("rows 0 1", False), ("recovery 1", False), ("rows 1 0", True), ("ecc 2", True)])
def test_a_gpu_whose_memory_is_broken_is_not_started_on(hostler, volume, played, tmp_path, line, starts):
    got = gated(hostler, volume, tmp_path, "required", played(L4, line))
    assert (got.rc, "served" in got.stdout) == ((0, True) if starts else (11, False))
    assert starts or "the one GPU cannot be used (GPU-5c3f2a1b is faulty: " in got.stderr


def test_with_enable_gpu_false_no_library_is_opened(hostler, volume, played, tmp_path):
    got = gated(hostler, volume, tmp_path, "required", played("crash init", ENABLE_GPU="false"))
    assert got.rc == 0 and "served" in got.stdout and "WARN" in got.stdout


def test_the_gate_takes_the_gpus_from_a_file_too(hostler, volume, gpus, tmp_path):
    file = tmp_path / "inventory.json"
    file.write_text(gpus(L4, args=["--json"]).stdout)
    assert gated(hostler, volume, tmp_path, "required", {}, "--gpus-from", file).rc == 0


TINY = "gpu GPU-0000aaaa-0000-0000-0000-00000000000{} 8.9 4 0 4 NVIDIA Tiny"


def filled(hostler, volume, tmp_path, models, origin, engine, env, *command, need="required"):
    """`hostler run` of a worker type that needs all of models"""
    config = tmp_path / "hostler.yaml"
    config.write_text(json.dumps({
        "models": {f"m{i}": {"source": ref} for i, ref in enumerate(models)},
        "workers": {"mine": {"models": [f"m{i}" for i in range(len(models))], "engine": engine, "gpu": need}}}))
    return hostler("run", "--config", config, "--volume", volume, "--worker", "mine", "--ready-cmd", "true", "--",
                   *(command or ("echo", "served")), hub=origin, env={"HOSTLER_RUNTIME_DIR": tmp_path, **env})


def test_weights_that_no_gpu_here_can_hold_are_not_fetched(hostler, volume, played, tmp_path, models, hub):
    models.small("org/large", weights=9_000_000, shards=2)
    models.small("org/small", weights=500_000)
    origin = hub()
    one, two, three = ([TINY.format(i) for i in range(n)] for n in (1, 2, 3))
    for gpus in (one, two):
        got = filled(hostler, volume, tmp_path, ["hf:org/large", "hf:org/small"], origin, "vllm", played(*gpus))
        assert got.rc == 11 and "served" not in got.stdout
        assert re.search(r"hf:org/large: its weights are 9\.\d MB, and all usable GPUs together have (4\.2|8\.4) MB",
                         got.stderr), got.stderr
        assert "take a smaller or quantised variant of it, or a host that has more" in got.stderr
    assert origin.bytes_sent("cdn") == 0                     # nor was the small one fetched: nobody here would use it
    got = filled(hostler, volume, tmp_path, ["hf:org/large", "hf:org/small"], origin, "vllm", played(*three))
    assert got.rc == 0 and "served" in got.stdout, got.stderr
    got = filled(hostler, volume, tmp_path, ["hf:org/large"], origin, "vllm", played(*one))
    assert got.rc == 11 and "served" not in got.stdout  # what is there already cannot be served either
    got = filled(hostler, volume, tmp_path, ["hf:org/large"], origin, "ollama", played(*one))
    assert got.rc == 0, got.stderr                      # which leaves on the host what GPUs cannot take


def test_who_shares_memory_between_gpus_is_told_of_a_small_dev_shm(hostler, volume, played, tmp_path, models, hub,
                                                                   mount_namespace):
    models.small("org/small", weights=500_000)
    origin, env = hub(), played(L4)
    script = 'mount -t tmpfs -o size=64m none /dev/shm || exit 99; exec "$@"'
    config = tmp_path / "hostler.yaml"
    config.write_text(json.dumps({"models": {"m0": {"source": "hf:org/small"}},
                                  "workers": {"mine": {"models": ["m0"], "engine": "vllm", "gpu": "required"}}}))

    def warned(*words):
        got = hostler("run", "--config", config, "--volume", volume, "--worker", "mine", "--ready-cmd", "true", "--",
                      "echo", *words, hub=origin, env={"HOSTLER_RUNTIME_DIR": tmp_path, **env},
                      wrap=[*mount_namespace, "sh", "-c", script, "sh"])
        assert got.rc == 0, got.stderr
        return "/dev/shm, which has 67.1 MB" in got.stdout

    assert warned("--tensor-parallel-size", "2") and warned("-tp=4")
    assert not warned("--tensor-parallel-size", "1") and not warned("-tp=many") and not warned("-tp")
