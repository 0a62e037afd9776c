#!/usr/bin/env python3
"""Makes models as Ollama lays them out and pushes them into a registry of Docker's kind.

    push_model.py --registry http://127.0.0.1:5000 --name library/tiny --tag latest [--gguf FILE]

Without --gguf the weights are made up: a valid header, and noise of --size bytes. As a module:

    model = make_model(size=2_000_000, seed=1)          # or share=[model.layers[0]]
    push(url, "library/tiny", "latest", model)
"""
import argparse
import dataclasses
import hashlib
import http.client
import io
import json
import os
import pathlib
import random
import struct
import urllib.parse

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.ollama.image."
PIECE = 1 << 20


# ------------------------------------------------------------------ GGUF

def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def entry(key, value):
    """one key and value of the header; strings, whole numbers, and lists of strings"""
    if isinstance(value, str):
        return text(key) + struct.pack("<I", 8) + text(value)
    if isinstance(value, int):
        return text(key) + struct.pack("<II", 4, value)
    if isinstance(value, float):
        return text(key) + struct.pack("<If", 6, value)
    return text(key) + struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(text, value))


def gguf(size, seed=1, architecture="llama", blocks=2, embedding=64):
    """a GGUF file, version 3, of about `size` bytes: its header is valid, its weights (Q4_0) are noise"""
    entries = [entry(key, value) for key, value in {
        "general.architecture": architecture,
        "general.name": "made up",
        "general.file_type": 2,
        "general.alignment": 32,
        f"{architecture}.context_length": 2048,
        f"{architecture}.embedding_length": embedding,
        f"{architecture}.block_count": blocks,
        f"{architecture}.feed_forward_length": embedding * 4,
        f"{architecture}.attention.head_count": 4,
        f"{architecture}.attention.head_count_kv": 2,
        f"{architecture}.attention.layer_norm_rms_epsilon": 1e-5,
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": [f"t{i}" for i in range(32)],
    }.items()]
    row = embedding // 32 * 18              # 32 weights of Q4_0 take 18 bytes
    names = ["token_embd.weight", *(f"blk.{i}.attn_q.weight" for i in range(blocks)), "output.weight"]

    def header(rows):
        tensors, offset = [], 0
        for name in names:
            tensors.append(text(name) + struct.pack("<IQQIQ", 2, embedding, rows, 2, offset))
            offset += (rows * row + 31) // 32 * 32
        head = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(entries)) + b"".join(entries + tensors)
        return head + bytes(-len(head) % 32), offset

    room = max(0, size - len(header(8)[0]))
    head, weights = header(max(8, room // len(names) // row // 8 * 8))
    return head + random.Random(seed).randbytes(weights)


# ------------------------------------------------------------------ models

def sha256(content):
    """of bytes, or of the file that a Path names"""
    digest = hashlib.sha256()
    with open_content(content) as stream:
        for piece in iter(lambda: stream.read(PIECE), b""):
            digest.update(piece)
    return digest.hexdigest()


def open_content(content):
    return open(content, "rb") if isinstance(content, pathlib.Path) else io.BytesIO(content)


@dataclasses.dataclass
class Blob:
    """One layer or the config: its media type, and its bytes or the Path of its file."""

    media_type: str
    content: object

    def __post_init__(self):
        self.hex = sha256(self.content)
        self.size = os.path.getsize(self.content) if isinstance(self.content, pathlib.Path) else len(self.content)

    @property
    def entry(self):
        return {"mediaType": self.media_type, "digest": f"sha256:{self.hex}", "size": self.size}


@dataclasses.dataclass
class Model:
    layers: list            # of Blob
    config: Blob
    manifest: bytes

    @property
    def id(self):
        return hashlib.sha256(self.manifest).hexdigest()

    @property
    def blobs(self):
        """hex digest -> Blob, each once"""
        return {blob.hex: blob for blob in [*self.layers, self.config]}


def compact(document):
    return json.dumps(document, separators=(",", ":")).encode()


def layer(kind, content):
    return Blob(LAYER_TYPE + kind, content)


def model_of(layers, **more):
    """the model with these layers; `more` goes into its config"""
    config = Blob(CONFIG_TYPE, compact({
        "model_format": "gguf", "model_family": "llama", "model_families": ["llama"], "model_type": "7B",
        "file_type": "Q4_0", "architecture": "amd64", "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{one.hex}" for one in layers]}, **more}) + b"\n")
    manifest = compact({"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config.entry,
                        "layers": [one.entry for one in layers]})
    return Model(list(layers), config, manifest)


def make_model(size=200_000, seed=1, projector=0, share=(), weights=None):
    """a model of weights, perhaps a projector, licence, template and params; `share` are layers of others,
    taken in place of those of their kind"""
    layers = {"model": weights, "projector": None, "license": b"MADE UP LICENCE\n",
              "template": b"[INST] {{ .System }} {{ .Prompt }} [/INST]", "params": b'{"stop":["[INST]","[/INST]"]}\n'}
    shared = {one.media_type.removeprefix(LAYER_TYPE): one for one in share}
    if weights is None and "model" not in shared:
        layers["model"] = gguf(size, seed)
    if projector:
        layers["projector"] = gguf(projector, seed + 1000, architecture="clip")
    return model_of([shared.get(kind) or layer(kind, content) for kind, content in layers.items()
                     if kind in shared or content is not None])


# ------------------------------------------------------------------ pushing

class PushError(Exception):
    pass


def ask(base, method, url, body=None, headers=None):
    """one request; the status, the headers in lower case, and the body"""
    at = urllib.parse.urlsplit(urllib.parse.urljoin(base, url))
    kind = http.client.HTTPSConnection if at.scheme == "https" else http.client.HTTPConnection
    connection = kind(at.netloc, timeout=300)
    try:
        connection.request(method, at.path + (f"?{at.query}" if at.query else ""), body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def upload(base, name, blob):
    """puts a blob into the repository; nothing is sent if it is there"""
    if ask(base, "HEAD", f"/v2/{name}/blobs/sha256:{blob.hex}")[0] in (200, 307):
        return
    status, headers, said = ask(base, "POST", f"/v2/{name}/blobs/uploads/", b"", {"Content-Length": "0"})
    if status != 202:
        raise PushError(f"an upload cannot begin: {status} {said!r}")
    there = headers["location"]
    there += ("&" if "?" in there else "?") + f"digest=sha256%3A{blob.hex}"
    with open_content(blob.content) as stream:
        status, _, said = ask(base, "PUT", there, stream,
                              {"Content-Type": "application/octet-stream", "Content-Length": str(blob.size)})
    if status != 201:
        raise PushError(f"sha256:{blob.hex}: {status} {said!r}")


def push(base, name, tag, model):
    """blobs first, then the manifest: a registry takes no manifest of what it does not have"""
    for blob in model.blobs.values():
        upload(base, name, blob)
    status, headers, said = ask(base, "PUT", f"/v2/{name}/manifests/{tag}", model.manifest,
                                {"Content-Type": MANIFEST_TYPE})
    if status != 201:
        raise PushError(f"the manifest: {status} {said!r}")
    if headers.get("docker-content-digest") != f"sha256:{model.id}":
        raise PushError(f"the registry took the manifest for another: {headers}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--registry", required=True)
    parser.add_argument("--name", default="library/tiny")
    parser.add_argument("--tag", default="latest")
    parser.add_argument("--gguf", type=pathlib.Path, help="the weights; made up if not given")
    parser.add_argument("--size", type=int, default=2_000_000, help="of made up weights")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    model = make_model(options.size, options.seed, weights=options.gguf)
    push(options.registry, options.name, options.tag, model)
    print(f"{options.name}:{options.tag} {model.id}")


if __name__ == "__main__":
    main()
