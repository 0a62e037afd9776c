"""Something planted in the place of one name of a store, and what a pull then says: for tests of both stores.

    one = folder("ollama/blobs")            # a name of a store that is a folder, and what stands there instead is refused
    planting.check_all("fresh", [one], KINDS)
"""
import concurrent.futures
import dataclasses
import os
import shutil
import socket

from volume import changes, everything

LINKS = ("link", "link to nothing", "link to itself")
OTHERS = ("fifo", "socket", "other kind")
KINDS = LINKS + OTHERS
REMOVE_IT = "look who made it; remove it, and pull again"


@dataclasses.dataclass
class Name:
    """A name of a store. `said` has for each kind that is refused the exit status and the message, with {at} for
    its path (of {above} and {base}), {volume}, and what stands in names; `states`: in the others the pull does not look there. A name in `said_forced` is refused otherwise then."""
    path: str
    is_folder: bool
    said: dict
    states: tuple = ("fresh", "complete", "forced")
    said_forced: dict | None = None

    def outcome(self, state, kind, volume, names):
        """(exit status, what is to be on stderr)"""
        said = self.said_forced if state == "forced" and self.said_forced is not None else self.said
        if state not in self.states or kind not in said:
            return 0, ""
        status, text = said[kind]
        above, _, base = f"{volume}/{self.path.format(**names)}".rpartition("/")
        return status, text.format(at=f"{above}/{base}", above=above, base=base, volume=volume, **names)


def refused(kinds, text, status=10):
    return {kind: (status, text + "\nhint: " + REMOVE_IT + "\n") for kind in kinds}


def folder(path, **more):
    """one in whose place nothing else may stand"""
    return Name(path, True, refused(KINDS, "{at} should be a directory of its own, and is not"), **more)


def folder_that_is_passed(path):
    return Name(path, True, {})


def file(path, text):
    """one that is replaced, whatever it is, but for a directory: what is said of that"""
    text += ": Is a directory\nhint: a directory has the name of a file: look who made it, and remove it\n"
    return Name(path, False, {"other kind": (9, text)})


def file_that_is_passed(path):
    return Name(path, False, {})


def lease(path, **more):
    kinds = {"fifo": "no regular file", "socket": "a socket", "other kind": "a directory", **dict.fromkeys(LINKS, "a link")}
    return Name(path, False, {kind: what for name, one in kinds.items() for kind, what in refused(
        [name], f"{{at}} is {one}, which no lease ever is").items()}, **more)


def spoil(path):
    """another last byte: of the right size, and wrong"""
    data = bytearray(path.read_bytes() or b"\0")
    data[-1] ^= 1
    path.write_bytes(data)


def with_times(top):
    """everything(), and when each was written: also a look that touches shows"""
    return {name: (what, (top / name).lstat().st_mtime_ns) for name, what in everything(top).items()}


class Planting:
    """Volumes with something in the place of one name, and a folder outside for links to lead to."""

    def __init__(self, hostler, top, model, env, names, check):
        """model is pulled with env; names are what stands in the names of the store; check(volume): it is complete"""
        self.hostler, self.top, self.model, self.env, self.names, self.check = hostler, top, model, env, names, check
        self.whole = top / "whole"
        self.whole.mkdir()
        got = self.pull(self.whole)
        assert got.rc == 0, got.stderr

    def pull(self, volume, *more):
        return self.hostler.pull(self.model, "--takeover", "1s", "--wait", "3s", *more, env=self.env, volume=volume,
                                 timeout=20)

    def plant_link(self, at, real, goal, is_folder):
        """one that leads out to a copy with wrong bytes, or to an empty folder in which something could be made"""
        at.symlink_to(goal)
        if real.is_dir():
            shutil.copytree(real, goal, symlinks=True)
            for one in [p for p in goal.rglob("*") if p.is_file() and not p.is_symlink()]:
                spoil(one)
        elif is_folder:
            goal.mkdir()
        else:
            goal.write_bytes(real.read_bytes() if real.exists() else b"")
            spoil(goal)

    def plant_socket(self, at):
        """the address of one has 107 bytes at most"""
        above = os.open(at.parent, os.O_PATH)
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(f"/proc/self/fd/{above}/{at.name}")
        os.close(above)

    def plant(self, volume, outside, name, is_folder, kind):
        """in the place of the name: one of KINDS; the other kind is a file for a folder and a folder for a file"""
        at, goal = volume / name, outside / "goal"
        at.parent.mkdir(parents=True, exist_ok=True)
        if at.is_dir() and not at.is_symlink():
            shutil.rmtree(at)
        else:
            at.unlink(missing_ok=True)
        if kind == "link":
            self.plant_link(at, self.whole / name, goal, is_folder)
        elif kind == "link to nothing":
            at.symlink_to(goal)
        elif kind == "link to itself":
            at.symlink_to(at.name)
        elif kind == "fifo":
            os.mkfifo(at)
        elif kind == "socket":
            self.plant_socket(at)
        elif is_folder:
            at.write_text("?")
        else:
            at.mkdir()

    def play(self, number, state, one, kind):
        """what was wrong with how a pull ended that met this, in words; None: nothing"""
        volume, outside = self.top / f"volume{number}", self.top / f"outside{number}"
        if state == "fresh":
            volume.mkdir()
        else:
            shutil.copytree(self.whole, volume, symlinks=True)
        outside.mkdir()
        name = one.path.format(**self.names)
        self.plant(volume, outside, name, one.is_folder, kind)
        before = with_times(outside)
        got = self.pull(volume, *(["--force"] if state == "forced" else []))
        where = f"{state}, {kind} at {name}"
        status, text = one.outcome(state, kind, volume, self.names)
        if changed := changes(before, with_times(outside)):
            return f"{where}: outside the volume {changed} changed"
        if got.rc != status or text not in got.stderr:
            return f"{where}: {got.rc}, not {status}, {text!r} in\n{got.stderr}"
        if got.rc == 0:
            self.check(volume)
        shutil.rmtree(volume)
        return None

    def check_all(self, state, names, kinds):
        cases = [(one, kind) for one in names for kind in kinds]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            ended = list(pool.map(lambda i: self.play(i, state, *cases[i]), range(len(cases))))
        wrong = [said for said in ended if said is not None]
        assert not wrong, f"{len(wrong)} of {len(cases)}:\n" + "\n".join(wrong)
