"""What the stand-in hub serves: files of disk or made up, commits, refs, repos."""
import hashlib
import hmac
import json
import os
import random
import re
import struct
import threading
import uuid

KINDS = {"models": "model", "datasets": "dataset", "spaces": "space"}
SYNTH_BLOCK = 4 << 20


class Disk:
    def __init__(self, path):
        self.path = path
        self.size = os.path.getsize(path)

    def open(self):
        return open(self.path, "rb", buffering=0)

    def key(self):
        st = os.stat(self.path)
        return f"{os.path.realpath(self.path)}|{st.st_size}|{st.st_mtime_ns}"


class SynthFile:
    """Readable view of a Synth source."""

    def __init__(self, src):
        self.src, self.pos = src, 0

    def seek(self, pos):
        self.pos = pos

    def read(self, n):
        n = min(n, self.src.size - self.pos)
        if n <= 0:
            return b""
        blk, off = divmod(self.pos, SYNTH_BLOCK)
        n = min(n, SYNTH_BLOCK - off)
        data = self.src.block[off:off + n]
        if off < 8:                       # block number in the first 8 bytes
            head = struct.pack("<Q", blk)[off:off + n]
            data = head + data[len(head):]
        self.pos += n
        return data

    def close(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *a):
        pass


class Synth:
    _blocks = {}

    def __init__(self, size, seed):
        self.size, self.seed = size, seed
        if seed not in Synth._blocks:
            Synth._blocks[seed] = random.Random(seed).randbytes(SYNTH_BLOCK)
        self.block = Synth._blocks[seed]

    def open(self):
        return SynthFile(self)

    def key(self):
        return f"synth|{self.size}|{self.seed}"


class HashCache:
    def __init__(self, path):
        self.path, self.d = path, {}
        if path and os.path.exists(path):
            try:
                self.d = json.load(open(path))
            except ValueError:
                pass

    def get(self, src):
        """(git blob sha1 of the content, sha256 of the content)"""
        k = src.key()
        if k not in self.d:
            s1, s2 = hashlib.sha1(b"blob %d\0" % src.size), hashlib.sha256()
            with src.open() as f:
                while True:
                    b = f.read(1 << 20)
                    if not b:
                        break
                    s1.update(b)
                    s2.update(b)
            self.d[k] = [s1.hexdigest(), s2.hexdigest()]
            self.save()
        return self.d[k]

    def save(self):
        if self.path:
            tmp = f"{self.path}.{uuid.uuid4().hex}.tmp"
            with open(tmp, "w") as f:
                json.dump(self.d, f)
            os.replace(tmp, self.path)


class Ent:
    """One file of one commit."""

    def __init__(self, path, src, lfs, hashes):
        self.path, self.src, self.size, self.lfs = path, src, src.size, lfs
        git, self.sha256 = hashes
        self.gzipped = None                # made when first asked for
        if lfs:
            ptr = ("version https://git-lfs.github.com/spec/v1\n"
                   f"oid sha256:{self.sha256}\nsize {self.size}\n").encode()
            self.pointer = ptr
            self.oid = hashlib.sha1(b"blob %d\0" % len(ptr) + ptr).hexdigest()
            self.etag = self.sha256
            self.xet = hashlib.sha256(b"xet" + self.sha256.encode()).hexdigest()
        else:
            self.pointer, self.oid, self.etag, self.xet = None, git, git, None

    def tree(self, xet):
        d = {"type": "file", "oid": self.oid, "size": self.size, "path": self.path}
        if self.lfs:
            d["lfs"] = {"oid": self.sha256, "size": self.size, "pointerSize": len(self.pointer)}
            if xet:
                d["xetHash"] = xet if isinstance(xet, str) else self.xet
        return d


class Repo:
    def __init__(self, rid):
        self.id = rid                      # "org/name", "name", "datasets/org/name"
        self.kind, self.name = "models", rid
        for k in KINDS:
            if rid.startswith(k + "/"):
                self.kind, self.name = k, rid[len(k) + 1:]
        self.dirs = {}                     # ref -> dir (or None)
        self.synth = {}                    # path -> Synth
        self.refs, self.commits = {}, {}
        self.gated = self.private = None   # None or set of tokens
        self.disabled = False


class World:
    def __init__(self, opt):
        self.opt = opt
        self.repos, self.alias, self.tokens = {}, {}, set()
        self.objects = {}                  # xet id -> Ent
        self.hashes = HashCache(opt.hash_cache)
        self.lock = threading.RLock()
        self.secret = os.urandom(16)
        self.lfs_ext = tuple(e for e in opt.lfs_ext.lower().split(",") if e)

    def repo(self, rid):
        return self.repos.setdefault(rid, Repo(rid))

    def is_lfs(self, path, size):
        return size >= self.opt.lfs_threshold or path.lower().endswith(self.lfs_ext)

    def scan(self, repo):
        with self.lock:
            for ref in list(repo.dirs):
                self.commit_dir(repo, ref, repo.dirs[ref])

    def commit_dir(self, repo, ref, d):
        files = {}
        if d:
            for base, dirs, names in os.walk(d):
                dirs[:] = sorted(x for x in dirs if x != ".git")
                for n in sorted(names):
                    full = os.path.join(base, n)
                    files[os.path.relpath(full, d).replace(os.sep, "/")] = Disk(full)
        files.update(repo.synth)
        ents = {}
        for path in sorted(files):
            src = files[path]
            ents[path] = Ent(path, src, self.is_lfs(path, src.size), self.hashes.get(src))
        h = hashlib.sha1(("repo " + repo.id + "\n").encode())
        for p, e in ents.items():
            h.update(f"{e.oid} {p}\n".encode())
        sha = h.hexdigest()
        with self.lock:
            repo.commits[sha] = ents
            repo.refs[ref] = sha
            for e in ents.values():
                if e.lfs:
                    self.objects[e.xet] = e
        return sha

    def find_rev(self, repo, rev):
        """full 40-hex commit or None"""
        if rev in ("HEAD",):
            rev = "main"
        if rev in repo.refs:
            return repo.refs[rev]
        if rev.startswith("refs/heads/") and rev[11:] in repo.refs:
            return repo.refs[rev[11:]]
        if re.fullmatch(r"[0-9a-f]{40}", rev):
            return rev if rev in repo.commits else None
        if re.fullmatch(r"[0-9a-fA-F]{7,39}", rev):
            hit = [c for c in repo.commits if c.startswith(rev.lower())]
            if len(hit) == 1:
                return hit[0]
        return None

    # signed CDN urls
    def sign(self, path, exp):
        return hmac.new(self.secret, f"{path}|{exp}".encode(), "sha256").hexdigest()[:40]
