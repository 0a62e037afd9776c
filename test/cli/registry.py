"""A registry of Docker's kind with made up models of Ollama in it, for tests:

    def test_pull_brings_what_was_pushed(registry, hostler, volume):
        there = registry()                              # redirect=True: blobs lie on another host, there.files
        tiny = there.push("library/tiny:latest", make_model(size=300_000))
        got = hostler.pull("ollama:tiny", env={"OLLAMA_REGISTRY": there.url})
        assert store(volume) == expected({"registry.ollama.ai/library/tiny/latest": tiny})
        assert there.files.bytes_sent() == ...

`front(there, auth="token")` puts a server before it that notes every request and asks for tokens; see
test/origin/registry_front.py for what else it plays.
"""
import os
import pathlib
import shutil
import sys

import pytest
from conftest import ROOT, Running

sys.path.insert(0, str(ROOT / "test" / "origin"))

import push_model  # noqa: E402
import registry_front  # noqa: E402
from push_model import Blob, gguf, layer, make_model, model_of  # noqa: E402, F401

CONFIG = """version: 0.1
log: {{level: info}}
storage:
  filesystem: {{rootdirectory: {root}}}
  delete: {{enabled: true}}
  maintenance: {{uploadpurging: {{enabled: false}}}}
http: {{addr: "127.0.0.1:0", secret: test}}
"""
REDIRECT = """middleware:
  storage:
    - name: redirect
      options: {{baseurl: {url}/}}
"""


class Registry:
    """A running docker-registry on loopback."""

    def __init__(self, folder, redirect=False):
        self.root = folder / "data"
        self.root.mkdir(parents=True)
        self.files = registry_front.Files(self.root, name="localhost") if redirect else None
        config = folder / "config.yml"
        config.write_text(CONFIG.format(root=self.root) + (REDIRECT.format(url=self.files.url) if redirect else ""))
        self.child = Running(["docker-registry", "serve", str(config)], {"PATH": os.environ["PATH"]}, cwd=folder)
        self.host = self.child.err.wait_for(r"listening on (127\.0\.0\.1:\d+)", 30).group(1)
        self.url = f"http://{self.host}"

    def push(self, name, model):
        """name:tag; gives the model back"""
        name, _, tag = name.partition(":")
        push_model.push(self.url, name, tag, model)
        return model

    def blob(self, hex_digest):
        """the file in which the registry keeps a blob"""
        return self.root / "docker/registry/v2/blobs/sha256" / hex_digest[:2] / hex_digest / "data"

    def close(self):
        self.child.kill()
        if self.files is not None:
            self.files.close()


def expected(models):
    """what a store must hold: path -> bytes; models: host/ns/name/tag -> Model"""
    files = {f"manifests/{where}": model.manifest for where, model in models.items()}
    for model in models.values():
        for blob in model.blobs.values():
            files[f"blobs/sha256-{blob.hex}"] = (blob.content.read_bytes() if isinstance(blob.content, pathlib.Path)
                                                 else blob.content)
    return files


def store(volume, name="ollama"):
    """what a store holds for Ollama: path -> bytes of all beneath blobs/ and manifests/"""
    top = volume / name
    return {p.relative_to(top).as_posix(): p.read_bytes() for part in ("blobs", "manifests")
            for p in sorted((top / part).rglob("*")) if p.is_file()}


@pytest.fixture
def registry(tmp_path):
    """registry(redirect=False) starts a docker-registry on a free port of loopback, empty"""
    assert shutil.which("docker-registry"), "docker-registry is not installed (scripts/packages, group test)"
    running = []

    def start(**how):
        running.append(Registry(tmp_path / f"registry-{len(running)}", **how))
        return running[-1]

    yield start
    for one in running:
        one.close()


@pytest.fixture
def front():
    """front(registry, auth="token") starts a server before a registry, or before a URL"""
    running = []

    def start(behind, **how):
        running.append(registry_front.Front(getattr(behind, "url", behind), **how))
        return running[-1]

    yield start
    for one in running:
        one.close()
