"""What a volume holds, as its readers see it: for tests that kill, fill and break things."""
import hashlib
import os
import pathlib
import stat
import struct
import time

import pytest
from conftest import SLOW, safetensors_bytes, sha256_of
from registry import expected, gguf, layer, make_model, model_of, store


def hub_folder(volume):
    return pathlib.Path(volume) / "huggingface" / "hub"


def visible(volume, repo):
    """path -> file of each name that a reader can reach in any snapshot of the repo"""
    top = hub_folder(volume) / f"models--{repo.replace('/', '--')}" / "snapshots"
    return {p.relative_to(top).as_posix(): p for p in sorted(top.glob("*/**/*")) if not p.is_dir()}


def git_blob_id(path):
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def assert_nothing_wrong(volume, repo, wanted):
    """no reader-visible name has wrong bytes: snapshots, and every blob against its own name"""
    for name, path in visible(volume, repo).items():
        path_in_repo = name.split("/", 1)[1]
        assert path.exists(), f"{name} leads nowhere"
        assert path_in_repo in wanted, f"{name} is not a file of {repo}"
        assert path.read_bytes() == wanted[path_in_repo].read_bytes(), f"{name} has wrong bytes"
    for blob in hub_folder(volume).glob("models--*/blobs/*"):
        digest = sha256_of(blob) if len(blob.name) == 64 else git_blob_id(blob)
        assert digest == blob.name, f"{blob} is not what it is called"


def assert_complete(volume, repo, wanted):
    """one snapshot with every file of it, right to the last byte"""
    assert_nothing_wrong(volume, repo, wanted)
    assert {name.split("/", 1)[1] for name in visible(volume, repo)} == set(wanted)


def assert_no_leftovers(volume, repo):
    """no staging, journal, lease or temporary file is left of a finished pull"""
    private = hub_folder(volume) / f"models--{repo.replace('/', '--')}" / ".hostler"
    left = sorted(p.name for p in private.rglob("*")) if private.exists() else []
    receipts = pathlib.Path(volume) / ".hostler"
    left += sorted(p.name for p in receipts.rglob("tmp-*"))
    assert left == [], f"left behind: {left}"


def everything(top):
    """path -> kind, mode, bytes or link of all that lies beneath: to compare before and after"""
    found = {}
    for path in [top, *sorted(top.rglob("*"))]:
        st = path.lstat()
        what = {stat.S_IFLNK: lambda p: os.readlink(p), stat.S_IFREG: sha256_of}.get(stat.S_IFMT(st.st_mode))
        found[path.relative_to(top).as_posix()] = (oct(st.st_mode), what(path) if what else None)
    return found


def changes(before, after):
    """the paths that differ between two of everything()"""
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def wait_until(holds, timeout=20):
    """looks again and again until it holds"""
    end = time.monotonic() + timeout * SLOW
    while not holds():
        assert time.monotonic() < end, "what was waited for did not come"
        time.sleep(0.005)


def claimed_bytes(folder):
    """what the journals beneath a staging folder claim of the parts beside them (doc/volume.md, Journals)"""
    claimed = 0
    for journal in pathlib.Path(folder).rglob("*.journal"):
        if journal.with_suffix(".part").exists():
            records = journal.read_bytes()[64:]
            spans = [struct.unpack_from("<QI", records, at) for at in range(0, len(records) - 23, 24)]
            claimed += sum(dict(spans).values())
    return claimed


class HuggingFace:
    """A source and its layout, for tests that run over each of SOURCES: what it serves, and what is then in its
    store. `repo` is org/name, `wanted` what `make` gave."""
    name = "hf"
    assert_nothing_wrong = staticmethod(assert_nothing_wrong)
    assert_complete = staticmethod(assert_complete)
    assert_no_leftovers = staticmethod(assert_no_leftovers)
    assert_no_files_left = assert_no_leftovers

    def assert_leads_to(self, volume, repo, wanted):
        """the name that is pulled leads to exactly this, whatever it led to before"""
        top = hub_folder(volume) / f"models--{repo.replace('/', '--')}"
        snapshot = top / "snapshots" / (top / "refs" / "main").read_text()
        held = {p.relative_to(snapshot).as_posix(): p.read_bytes() for p in snapshot.rglob("*") if not p.is_dir()}
        assert held == {name: path.read_bytes() for name, path in wanted.items()}

    def __init__(self, models, hub):
        self.models, self.hub, self.origin = models, hub, None

    def make(self, repo, weights, shards=1, seed=1):
        """a model to serve; shards are its large files, weights their sum"""
        self.models.small(repo, weights=weights, shards=shards, seed=seed)
        return self.models.files(repo)

    def move(self, repo, wanted, weights, seed):
        """as of now the name leads to another model, of these weights; gives what that holds"""
        folder = self.models.small(repo, weights=weights, seed=seed, folder=self.models.root.parent / f"moved-{seed}")
        self.origin.move(repo, "main", folder=folder)
        return self.models.files(repo, folder)

    def make_tiny(self, repo, weights):
        """one of three files, a single one of them large"""
        self.models.make(repo, {"config.json": '{"model_type": "bert"}', "README.md": "# tiny\n",
                                "model.safetensors": safetensors_bytes(weights, 1)})
        return self.models.files(repo)

    def serve(self, rate=None, sndbuf=None):
        """starts the origin with all that was made; a connection gets `rate` bytes a second"""
        more = ["--rate", rate] if rate else []
        self.origin = self.hub(*more, *(["--sndbuf", sndbuf] if sndbuf else []))

    def how(self, env=None):
        """what `hostler.pull` needs to know of the origin"""
        return {"hub": self.origin, "env": env}

    def settle(self):
        self.origin.settle()

    def hasten(self):
        """as of now at full speed"""
        self.origin.set(rate=None)

    def spoil(self, repo, wanted):
        """as of now each answer with bytes of large files has wrong ones in it"""
        self.origin.fault("corrupt", len=5000, port="cdn", times=-1, match=self.link(repo))

    @staticmethod
    def references(wanted, repo):
        return [f"hf:{repo}"]

    @staticmethod
    def size(wanted):
        return sum(p.stat().st_size for p in wanted.values())

    @staticmethod
    def staging(volume, repo):
        return hub_folder(volume) / f"models--{repo.replace('/', '--')}" / ".hostler"

    @staticmethod
    def published_bytes(volume, repo):
        blobs = hub_folder(volume) / f"models--{repo.replace('/', '--')}" / "blobs"
        return sum(p.stat().st_size for p in blobs.glob("*") if "." not in p.name)

    def asked(self):
        """how many requests there were so far"""
        return self.origin.requests()

    @staticmethod
    def large(wanted):
        """the bytes of files of which each is fetched once, however many ask at once"""
        return sum(p.stat().st_size for name, p in wanted.items() if name.endswith(".safetensors"))

    def sent_large(self, repo, wanted):
        return self.origin.bytes_sent("cdn")

    @staticmethod
    def names(volume, repo):
        """what readers find -> its Path"""
        return visible(volume, repo)

    @staticmethod
    def receipt(volume, repo):
        return volume / f".hostler/receipts/hf/models--{repo.replace('/', '--')}/model-main"

    @staticmethod
    def link(repo):
        """how the stand-in's CDN names a repo"""
        return f"/{hashlib.md5(repo.encode()).hexdigest()[:24]}/"

    def sent(self, repo):
        """bytes of the repo's files that the origin gave to the network so far"""
        link = self.link(repo)
        return sum(r["sent"] for r in self.origin.log(settle=False)
                   if r["port"] == "cdn" and link in r["path"]
                   or f"/{repo}/" in r["path"] and ("/resolve/" in r["path"] or "/resolve-cache/" in r["path"]))


OLLAMA_HOST = "registry.ollama.ai"


class Ollama:
    """The same for a registry and a store of Ollama; a volume of it holds models of one repo alone.
    `wanted` is tag -> Model. Those of `make` with an even seed have two tags, which share their large blobs."""
    name = "ollama"

    def __init__(self, registry, front):
        self.there, self.front, self.origin = registry(), front, None

    def make(self, repo, weights, shards=1, seed=1):
        model = make_model(size=weights // shards, seed=seed,
                           projector=weights - weights // shards if shards > 1 else 0)
        wanted = {"latest": model}
        if seed % 2 == 0:
            shared = [one for one in model.layers if one.size > 1 << 20]
            wanted["twin"] = model_of([*shared, layer("template", b"{{ .Prompt }} of the twin")])
        return self.push(repo, wanted)

    def move(self, repo, wanted, weights, seed):
        return self.push(repo, {tag: make_model(size=weights, seed=seed) for tag in wanted})

    def make_tiny(self, repo, weights):
        return self.push(repo, {"latest": model_of([layer("model", gguf(weights)), layer("template", b"{{ .Prompt }}")])})

    def push(self, repo, wanted):
        for tag, model in wanted.items():
            self.there.push(f"{repo}:{tag}", model)
        return wanted

    def serve(self, rate=None, sndbuf=None):
        self.origin = self.front(self.there, rate=rate, sndbuf=sndbuf)

    def how(self, env=None):
        return {"env": {"OLLAMA_REGISTRY": self.origin.url, **(env or {})}}

    def settle(self):
        self.origin.settle()

    def hasten(self):
        self.origin.rate = None

    def spoil(self, repo, wanted):
        large = "|".join(one.hex for one in self.blobs(wanted).values() if one.size > 1 << 20)
        self.origin.spoil(f"^/v2/{repo}/blobs/sha256:({large})")

    @staticmethod
    def references(wanted, repo):
        return [f"ollama:{repo}:{tag}" for tag in wanted]

    @staticmethod
    def blobs(wanted):
        """hex digest -> Blob, each once"""
        return {hex_digest: blob for model in wanted.values() for hex_digest, blob in model.blobs.items()}

    @classmethod
    def size(cls, wanted):
        return sum(blob.size for blob in cls.blobs(wanted).values())

    @staticmethod
    def staging(volume, repo):
        return volume / "ollama" / ".hostler"

    @staticmethod
    def published_bytes(volume, repo):
        return sum(p.stat().st_size for p in (volume / "ollama" / "blobs").glob("*"))

    def asked(self):
        return len(self.origin.requests())

    @classmethod
    def large(cls, wanted):
        return sum(blob.size for blob in cls.blobs(wanted).values() if blob.size > 1 << 20)

    def sent_large(self, repo, wanted):
        large = "|".join(hex_digest for hex_digest, blob in self.blobs(wanted).items() if blob.size > 1 << 20)
        return self.origin.bytes_sent(f"^/v2/{repo}/blobs/sha256:({large})")

    @staticmethod
    def names(volume, repo):
        top = volume / "ollama"
        return {p.relative_to(top).as_posix(): p for part in ("blobs", "manifests", "models")
                for p in (top / part).rglob("*") if not p.is_dir()}

    @staticmethod
    def receipt(volume, repo):
        return volume / f".hostler/receipts/ollama/{OLLAMA_HOST}/{repo}/model-latest"

    def sent(self, repo):
        return self.origin.bytes_sent(f"^/v2/{repo}/blobs/")

    @staticmethod
    def assert_nothing_wrong(volume, repo, wanted):
        """each blob is what it is called; a manifest is the registry's, and all of its blobs are there before it;
        nothing else stands where Ollama looks; a link for people leads to the weights of a model that is there"""
        top = volume / "ollama"
        for blob in (top / "blobs").glob("*"):
            assert blob.name == f"sha256-{sha256_of(blob)}", f"{blob} is not what it is called"
        for path in (p for p in (top / "manifests").rglob("*") if not p.is_dir()):
            where, tag = path.relative_to(top / "manifests").as_posix().rsplit("/", 1)
            assert where == f"{OLLAMA_HOST}/{repo}" and tag in wanted, f"{path} is no manifest of {repo}"
            assert path.read_bytes() == wanted[tag].manifest, f"{path} has wrong bytes"
            for hex_digest in wanted[tag].blobs:
                assert (top / "blobs" / f"sha256-{hex_digest}").exists(), f"{path} names a blob that is not there"
        for link in (p for p in (top / "models").rglob("*") if not p.is_dir()):
            assert link.parent.name == repo.replace("/", "+") and link.name in wanted, f"{link} is no link to {repo}"
            assert (top / "manifests" / OLLAMA_HOST / repo / link.name).exists(), f"{link} comes before its manifest"
            weights = next(one for one in wanted[link.name].layers if one.media_type.endswith(".model"))
            text = os.readlink(link) if link.is_symlink() else link.read_text()
            assert text == f"../../blobs/sha256-{weights.hex}", f"{link} leads elsewhere"

    @staticmethod
    def assert_leads_to(volume, repo, wanted):
        held = store(volume)
        for path, data in expected({f"{OLLAMA_HOST}/{repo}/{tag}": model for tag, model in wanted.items()}).items():
            assert held.get(path) == data, f"{path} is not what it should be"

    @classmethod
    def assert_complete(cls, volume, repo, wanted):
        """every blob, every manifest and every link, and nothing else"""
        cls.assert_nothing_wrong(volume, repo, wanted)
        top = volume / "ollama"
        assert store(volume) == expected({f"{OLLAMA_HOST}/{repo}/{tag}": model for tag, model in wanted.items()})
        links = {p.relative_to(top / "models").as_posix() for p in (top / "models").rglob("*") if not p.is_dir()}
        assert links == {f"{repo.replace('/', '+')}/{tag}" for tag in wanted}

    @classmethod
    def assert_no_leftovers(cls, volume, repo):
        """nor of our own folders: on a filesystem of this host alone they go when they are empty"""
        left = sorted(p.relative_to(volume).as_posix() for p in cls.staging(volume, repo).rglob("*"))
        left += sorted(p.name for p in (volume / ".hostler").rglob("tmp-*"))
        assert left == [], f"left behind: {left}"

    @classmethod
    def assert_no_files_left(cls, volume, repo):
        """where the filesystem may be another host's too, or has no flock, empty folders stay"""
        left = sorted(p.relative_to(volume).as_posix() for p in cls.staging(volume, repo).rglob("*") if not p.is_dir())
        left += sorted(p.name for p in (volume / ".hostler").rglob("tmp-*"))
        assert left == [], f"left behind: {left}"


SOURCES = [HuggingFace, Ollama]


@pytest.fixture(params=SOURCES, ids=lambda kind: kind.name)
def source(request):
    """each of SOURCES in turn"""
    needs = {HuggingFace: ("models", "hub"), Ollama: ("registry", "front")}[request.param]
    return request.param(*map(request.getfixturevalue, needs))
