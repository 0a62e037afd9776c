"""The libraries that play a bad disk and a mount without locks do what they say, in programs of any kind."""
import errno
import fcntl
import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import Running, lock_environment, preload

WRITES = """
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
for i in range(int(sys.argv[2])):
    try:
        os.pwrite(fd, b"x", i)
        print("ok")
    except OSError as e:
        print(e.errno)
"""
LOCKS = """
import fcntl, sys
for lock in (fcntl.flock, fcntl.lockf):
    try:
        lock(open(sys.argv[1], "r+"), fcntl.LOCK_EX | fcntl.LOCK_NB)
        print("held")
    except BlockingIOError:
        print("busy")
    except OSError as e:
        print(e.errno)
"""
CLOCKS = """
import time
print(round(time.time()), flush=True)
began = time.monotonic()
while time.monotonic() - began < 1:
    time.sleep(0.05)
"""


def python(code, *args, env=None):
    env = {k: str(v) for k, v in {**os.environ, **(env or {})}.items()}
    done = subprocess.run([sys.executable, "-c", code, *map(str, args)], env=env, capture_output=True, text=True,
                          timeout=60, check=True)
    return done.stdout.split()


@pytest.mark.parametrize("after, said", [
    (False, ["ok", "ok", str(errno.ENOSPC), "ok", "ok"]),
    (True, ["ok", "ok", str(errno.ENOSPC), str(errno.ENOSPC), str(errno.ENOSPC)]),
])
def test_the_nth_write_on_the_volume_fails(faulty, volume, after, said):
    env = faulty.env(nth=3, error="ENOSPC", after=after)
    assert python(WRITES, volume / "a", 5, env=env) == said
    assert faulty.calls()[:3] == [f"pwrite {volume}/a", f"pwrite {volume}/a", f"pwrite {volume}/a FAILS"]
    assert len(faulty.calls()) == 5


def test_other_files_and_other_kinds_of_calls_are_left_alone(faulty, volume, tmp_path):
    assert python(WRITES, tmp_path / "b", 2, env=faulty.env(nth=1)) == ["ok", "ok"]
    assert python(WRITES, volume / "a", 2, env=faulty.env(nth=1, kinds=("space", "sync", "name"))) == ["ok", "ok"]
    assert faulty.calls() == []


@pytest.mark.parametrize("call, name", [
    ("os.rename(a, b)", "rename"), ("os.link(a, b)", "link"), ("os.symlink('x', b)", "symlink"),
    ("os.mkdir(b)", "mkdir"), ("os.rename('a', 'b', src_dir_fd=d, dst_dir_fd=d)", "renameat"),
])
def test_names_can_fail_by_path_and_by_directory(faulty, volume, call, name):
    (volume / "a").touch()
    code = f"""
import os, sys
a, b = sys.argv[1] + "/a", sys.argv[1] + "/b"
d = os.open(sys.argv[1], os.O_RDONLY)
try:
    {call}
except OSError as e:
    print(e.errno)
"""
    assert python(code, volume, env=faulty.env(nth=1, error="EIO", kinds=("name",))) == [str(errno.EIO)]
    assert faulty.calls() == [f"{name} {volume}/b FAILS"]


@pytest.mark.parametrize("kind, call, name, said", [
    ("link", "os.link(a, b)", "link", [str(errno.EPERM)]), ("link", "os.symlink('x', b)", None, ["ok"]),
    ("symlink", "os.symlink('x', b)", "symlink", [str(errno.EPERM)]), ("symlink", "os.link(a, b)", None, ["ok"]),
    ("create", "os.open(b, os.O_WRONLY | os.O_CREAT)", "open", [str(errno.EPERM)]),
    ("create", "os.open('b', os.O_WRONLY | os.O_CREAT, dir_fd=d)", "openat", [str(errno.EPERM)]),
    ("create", "os.open(a, os.O_WRONLY)", None, ["ok"]), ("create", "os.rename(a, b)", None, ["ok"]),
])
def test_links_symlinks_and_new_files_can_fail_alone(faulty, volume, kind, call, name, said):
    (volume / "a").touch()
    code = f"""
import os, sys
a, b = sys.argv[1] + "/a", sys.argv[1] + "/b"
d = os.open(sys.argv[1], os.O_RDONLY)
try:
    {call}
    print("ok")
except OSError as e:
    print(e.errno)
"""
    assert python(code, volume, env=faulty.env(nth=1, error="EPERM", kinds=(kind,))) == said
    assert faulty.calls() == ([f"{name} {volume}/b FAILS"] if name else [])


@pytest.mark.parametrize("kind, call, name", [
    ("unlink", "os.unlink(a)", "unlink a"), ("unlink", "os.unlink('a', dir_fd=d)", "unlinkat a"),
    ("unlink", "os.rmdir(c)", "rmdir c"), ("mode", "os.fchmod(os.open(a, os.O_RDONLY), 0o600)", "fchmod a"),
    ("mode", "os.fchown(os.open(a, os.O_RDONLY), -1, -1)", "fchown a"),
    ("write", "os.pwrite(os.open(a, os.O_WRONLY), b'x', 0)", "pwrite a"), ("name", "os.rename(a, b)", "rename b"),
])
def test_the_nth_call_is_done_and_is_the_last_of_its_process(faulty, volume, kind, call, name):
    (volume / "a").touch()
    (volume / "c").mkdir()
    env = {k: str(v) for k, v in {**os.environ, **faulty.env(nth=1, error="KILL", kinds=(kind,))}.items()}
    code = "import os, sys; v = sys.argv[1]; a, b, c, d = v + '/a', v + '/b', v + '/c', os.open(v, os.O_RDONLY)"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{call}\nprint('alive')", volume], env=env,
                          capture_output=True, timeout=60)
    assert (done.returncode, done.stdout) == (-9, b"")
    assert faulty.calls() == [f"{name.split()[0]} {volume}/{name.split()[1]} FAILS"]
    was_done = {"unlink": not (volume / "a").exists() or not (volume / "c").exists(),
                "write": (volume / "a").read_bytes() == b"x" if (volume / "a").exists() else False,
                "name": (volume / "b").exists(), "mode": True}
    assert was_done[kind]


# What can change a file or a name and has no function in faulty.c.
UNSEEN = ("creat,truncate,utime,utimes,futimesat,utimensat,chmod,fchmodat,chown,lchown,fchownat,mknod,mknodat,"
          "setxattr,lsetxattr,fsetxattr,removexattr,lremovexattr,fremovexattr,sendfile,splice,tee,sync,sync_file_range,"
          "io_setup,io_submit,io_uring_setup")


def test_a_pull_uses_no_call_that_would_not_be_counted(hostler, hub, models, tmp_path):
    models.small("org/m", weights=2_000_000)
    log = tmp_path / "strace"
    got = hostler.pull("hf:org/m", hub=hub(), wrap=["strace", "-f", "-qq", "-e", f"trace={UNSEEN}", "-o", log])
    assert got.rc == 0, got.stderr
    assert [line for line in log.read_text().splitlines() if "---" not in line and "+++" not in line] == []


def test_locks_exclude_nobody_on_a_mount_without_them(nolock, tmp_path):
    file = tmp_path / "lock"
    file.touch()
    with open(file, "r+") as by_flock, open(file, "r+") as by_fcntl:
        fcntl.flock(by_flock, fcntl.LOCK_EX)
        fcntl.lockf(by_fcntl, fcntl.LOCK_EX)
        assert python(LOCKS, file) == ["busy", "busy"]
        assert python(LOCKS, file, env=nolock) == ["held", "held"]
        assert python(LOCKS, file, env=lock_environment("missing")) == [str(errno.ENOSYS)] * 2


def test_the_time_of_day_is_another_and_the_monotonic_clock_stands_still_while_stopped():
    days = 3 * 86400
    env = {**os.environ, "LD_PRELOAD": preload("clocks"), "CLOCKS_SHIFT_S": str(-days), "CLOCKS_STOP": "1"}
    child = Running([sys.executable, "-c", CLOCKS], env)
    shown = int(child.out.wait_for(r"^\d+$", 20).group(0))
    assert abs(shown + days - time.time()) < 60
    child.signal(signal.SIGSTOP)
    time.sleep(1.5)             # not for luck: longer than it would run, and none of it shall count
    child.signal(signal.SIGCONT)
    woken = time.monotonic()
    assert child.finish().rc == 0
    assert time.monotonic() - woken > 0.5
