"""Reading ahead on a slow filesystem (test/tools/slowfs.c), which notes each request of the kernel's."""
import pathlib
import re
import subprocess

import pytest

from conftest import SLOW, hostler_binary

MIB = 1 << 20
SIZES = {"model-00001-of-00002.safetensors": 24 * MIB, "model-00002-of-00002.safetensors": 12 * MIB + 5000}


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    for name, size in SIZES.items():
        with open(folder / name, "wb") as file:
            file.truncate(size)
    (folder / "config.json").write_text("{}")
    return folder


def start(folder, *options):
    tool = pathlib.Path(hostler_binary()).parent / "test" / "tools" / "read_ahead"
    return subprocess.Popen([tool, folder, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(child):
    out, err = child.communicate(timeout=120 * SLOW)
    assert child.returncode == 0, err
    said = [line.split(" ", 1) for line in out.splitlines()]
    numbers = {name: int(value) if value.isdigit() else value for name, value in said if name != "file"}
    return numbers, [pathlib.Path(value).name for name, value in said if name == "file"]


def requests(log):
    lines = [line.split() for line in log.read_text().splitlines()]
    return [(name, int(offset), int(size)) for name, offset, size in lines]


def asked_for(log, twice=0):
    """every byte that was asked for, as (file, page): each page once, or so many of them a second time"""
    pages = [(name, page) for name, offset, size in requests(log) for page in range(offset // 4096, -(-(offset + size) // 4096))]
    assert len(pages) - len(set(pages)) <= twice, "something was read twice"
    return set(pages)


def all_pages():
    return {(name, page) for name, size in SIZES.items() for page in range(-(-size // 4096))}


def test_all_weights_are_read_once_in_order_and_nothing_else(model, slowfs, tmp_path):
    log = tmp_path / "log"
    mount = slowfs(model, f"log={log}", "latency=200")
    told, files = finish(start(mount))
    assert files == sorted(SIZES)
    assert told["state"] == "done" and told["failed"] == 0
    assert told["read"] + told["resident"] == told["total"] == sum(SIZES.values())
    assert asked_for(log) == all_pages()
    seen = [name for name, _, _ in requests(log)]
    first = seen.index(files[1])
    # Three of the four readers may still be in their last block of the first file.
    late = sum(size for name, _, size in requests(log)[first:] if name == files[0])
    assert late <= 3 * 4 * MIB
    again, _ = finish(start(mount))
    assert again["resident"] == again["total"] and again["read"] == 0 and again["busy"] == 0
    assert asked_for(log) == all_pages()


@pytest.mark.parametrize("claimed", [True, False], ids=["with claims", "without claims"])
def test_two_workers_of_a_host_read_each_byte_once(model, slowfs, tmp_path, claimed):
    log, claims = tmp_path / "log", tmp_path / "run"
    claims.mkdir()
    mount = slowfs(model, f"log={log}", "rate=50000000")
    options = [f"claims={claims}"] if claimed else []
    both = [finish(child)[0] for child in [start(mount, *options), start(mount, *options)]]
    assert [told["state"] for told in both] == ["done", "done"]
    # Where two readers meet in the kernel it asks for a few pages once more.
    assert asked_for(log, twice=64) == all_pages()
    if claimed:
        # Readahead of the kernel's for the one may be in a block that the other looks at.
        assert sum(told["read"] for told in both) <= sum(SIZES.values())
        assert [child.name for child in claims.iterdir()] == ["read-ahead.lock"]


def test_no_more_is_read_than_the_budget(model, slowfs, tmp_path):
    log = tmp_path / "log"
    told, files = finish(start(slowfs(model, f"log={log}"), f"budget={8 * MIB}"))
    assert told["state"] == "full"
    assert told["read"] + told["resident"] == 8 * MIB
    pages = asked_for(log)
    assert {(files[0], page) for page in range(8 * MIB // 4096)} <= pages
    # The kernel's own readahead goes on a little at the end of each block.
    assert len(pages) * 4096 <= 8 * MIB + 2 * MIB


def test_a_stop_does_not_wait_for_the_volume(model, slowfs, tmp_path):
    told, _ = finish(start(slowfs(model, "rate=1000", "latency=30000000"), "stop=100"))
    assert told["state"] == "stopped"
    assert told["read"] == 0
    assert told["stop_took"] < 5000


def test_a_volume_that_is_too_slow_for_the_model_is_said_to_be(model, slowfs):
    told, _ = finish(start(slowfs(model, "rate=1000000"), "stop=4000"))
    assert told["bps"] <= 1_100_000
    speed = re.fullmatch(r"the volume reads (\S+ kB|1\.\d MB)/s: 37\.8 MB take (\d+)s; "
                         r"a copy on a local disk of 1\.0 GB/s would take 0s", told["slow"])
    assert speed and 30 <= int(speed[2]) <= 60
