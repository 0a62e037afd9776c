"""`hostler inspect`: what a model is, by its headers alone: of files that the format's own libraries wrote."""
import json
import struct

import gguf
import numpy
import pytest
import safetensors
from registry import layer, model_of
from safetensors.numpy import save_file
from volume import wait_until

pytestmark = pytest.mark.sanitize

REPO = "org/net"
LLAMA = {"model_type": "llama", "hidden_size": 64, "intermediate_size": 176, "num_hidden_layers": 2,
         "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 320, "max_position_embeddings": 2048,
         "torch_dtype": "bfloat16"}


def inspect(hostler, volume, *args, rc=0, **how):
    got = hostler("inspect", "--json", *args, "--volume", volume, **how)
    assert got.rc == rc, got.stderr
    return json.loads(got.stdout) if rc == 0 else got.stderr


def sums(path):
    """{dtype: [count, elements, bytes]} as the safetensors library reads it"""
    found = {}
    with open(path, "rb") as f:
        for _, info in safetensors.deserialize(f.read()):
            elements = int(numpy.prod(info["shape"], dtype=numpy.int64))
            line = found.setdefault(info["dtype"], [0, 0, 0])
            for i, n in enumerate((1, elements, len(info["data"]))):
                line[i] += n
    return found


def told(document):
    return {t["dtype"]: [t["count"], t["elements"], t["bytes"]] for t in document["tensors"]}


# ------------------------------------------------------------------ safetensors

def test_the_small_real_model_has_the_sums_of_its_own_library(minilm, hub, hostler, volume):
    repo = "sentence-transformers/all-MiniLM-L6-v2"
    origin = hub("--repo", f"{repo}={minilm}")
    assert hostler.pull(f"hf:{repo}", hub=origin).rc == 0
    got = inspect(hostler, volume, f"hf:{repo}", "--offline")
    assert told(got) == sums(minilm / "model.safetensors")
    assert got["from"].startswith("its headers on the volume: ")
    assert (got["architecture"], got["layers"], got["heads"], got["kv_bytes_per_token"]) == ("bert", 6, 12, 0)
    assert got["parameters"] == sum(t["elements"] for t in got["tensors"])


def test_every_type_that_the_library_writes_is_summed_as_it_sums(models, hub, hostler, volume, tmp_path):
    types = ["float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool", "uint16", "uint32",
             "uint64"]
    folder = models.make(REPO, {"config.json": json.dumps(LLAMA), "README.md": "---\nlicense: mit\n---\n"})
    save_file({f"t.{name}": numpy.zeros((3, 5), dtype=name) for name in types} |
              {"scalar": numpy.array(1.5), "empty": numpy.zeros((0, 7), dtype="float32")},
              folder / "model.safetensors")
    origin = hub()
    got = inspect(hostler, volume, f"hf:{REPO}", hub=origin)
    assert told(got) == sums(folder / "model.safetensors")
    assert got["from"] == "its headers at the origin"
    assert got["licence"] == "mit"
    assert got["kv_bytes_per_token"] == 2 * 2 * 16 * 2 * 2
    # a float model is loaded in 16 bits
    assert got["tensor_bytes"] - got["load_bytes"] == told(got)["F32"][2] // 2


def test_types_that_numpy_has_not_are_summed_too(models, hub, hostler, volume):
    folder = models.make(REPO, {"config.json": json.dumps(LLAMA)})
    tensors = {"a": entry(0, 64, "BF16", [4, 8]), "b": entry(64, 80, "F8_E4M3", [16])}
    (folder / "model.safetensors").write_bytes(head(tensors, bytes(80)))
    got = inspect(hostler, volume, f"hf:{REPO}", hub=hub())
    assert told(got) == {"BF16": [1, 32, 64], "F8_E4M3": [1, 16, 16]} == sums(folder / "model.safetensors")


def sharded(models, shards, metadata=None):
    folder = models.make(REPO, {"config.json": json.dumps(LLAMA)})
    names = [f"model-{i + 1:05}-of-{shards:05}.safetensors" for i in range(shards)]
    for i, name in enumerate(names):
        save_file({f"layer.{i}": numpy.zeros((8, 8), dtype="float16")}, folder / name, metadata)
    index = {"metadata": {"total_size": 128 * shards}, "weight_map": {f"layer.{i}": n for i, n in enumerate(names)}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    # what no engine loads beside them
    save_file({"twice": numpy.zeros((80, 80), dtype="float16")}, folder / "consolidated.safetensors")
    return folder


def test_forty_shards_cost_one_request_each_and_a_second_for_a_long_header(models, hub, hostler, volume):
    sharded(models, 40)
    origin = hub()
    got = inspect(hostler, volume, f"hf:{REPO}", hub=origin)
    assert told(got) == {"F16": [40, 40 * 64, 40 * 128]}
    asked = [r for r in origin.log("cdn") if "shard" in r["path"] or r["method"] == "GET"]
    assert len(asked) == 40 and origin.bytes_sent() < 40 * 2000 + 100_000

    sharded(models, 2, {"long": "x" * 3_000_000})
    long = hub()
    assert told(inspect(hostler, volume, f"hf:{REPO}", hub=long)) == {"F16": [2, 128, 256]}
    assert len(long.log("cdn")) == 4


def test_ten_at_once_over_slow_lines_all_see_the_same(models, hub, hostler, volume):
    sharded(models, 6)
    origin = hub("--rate", "20K")
    running = [hostler.start("inspect", "--json", f"hf:{REPO}", "--volume", volume, hub=origin) for _ in range(10)]
    ended = [child.finish() for child in running]
    assert [got.rc for got in ended] == [0] * 10, ended[0].stderr
    assert len({got.stdout for got in ended}) == 1 and told(json.loads(ended[0].stdout)) == {"F16": [6, 6 * 64, 6 * 128]}
    assert list(volume.rglob("*.safetensors")) == [], "headers are looked at, and not kept"


def test_an_origin_that_goes_away_meanwhile_ends_it_with_a_reason(models, hub, hostler, volume):
    sharded(models, 4, {"long": "x" * 3_000_000})
    origin = hub("--rate", "200K")
    child = hostler.start("inspect", f"hf:{REPO}", "--volume", volume, "--give-up", "2s", hub=origin)
    wait_until(lambda: any("/tree/" in one["path"] or "/revision/" in one["path"] for one in origin.log(settle=False)))     # what follows takes 15 s
    origin.close()
    got = child.finish()
    assert got.rc == 5 and "trying again" in got.stderr and "hint: check the network and the origin" in got.stderr, got.stderr


def test_a_shard_of_the_index_that_is_missing_is_named(models, hub, hostler, volume):
    folder = sharded(models, 3)
    (folder / "model-00002-of-00003.safetensors").unlink()
    said = inspect(hostler, volume, f"hf:{REPO}", hub=hub(), rc=3)
    assert "hf:org/net: model-00002-of-00003.safetensors of its index is not there" in said


def head(header, data=b"", size=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + data


def entry(begin, end, dtype="U8", shape=None):
    return {"dtype": dtype, "shape": [end - begin] if shape is None else shape, "data_offsets": [begin, end]}


HOSTILE = {
    "its head would be 9223372036854775808 bytes, more than 100000000": head(b"{}", size=2**63),
    "its head is 4000 bytes and the whole file 10: it is cut off": head(b"{}", size=4000),
    "a hole between two tensors at byte 4": head({"a": entry(0, 4), "b": entry(6, 8)}, bytes(8)),
    "an overlap between two tensors at byte 4": head({"a": entry(0, 4), "b": entry(2, 8)}, bytes(8)),
    "its tensors end at 4 and the file at 8": head({"a": entry(0, 4)}, bytes(8)),
    "its tensors end at 40 and the file at 8: it is cut off": head({"a": entry(0, 40)}, bytes(8)),
    "tensor a ends before it begins": head({"a": {"dtype": "U8", "shape": [4], "data_offsets": [4, 0]}}),
    "tensor a has 4 bytes, and by its type and shape 8": head({"a": entry(0, 4, "F32", [2])}, bytes(4)),
    "tensor a is there twice":
        head(b'{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'),
    "a shape of more than 2^64 elements": head({"a": entry(0, 4, "U8", [2**40, 2**40])}, bytes(4)),
    "a shape of more than 16 dimensions": head({"a": entry(0, 1, "U8", [1] * 17)}, bytes(1)),
    "no whole number": head(b'{"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}}', bytes(1)),
    "no whole number of 0 and more": head(b'{"a":{"dtype":"U8","shape":[NaN],"data_offsets":[0,1]}}', bytes(1)),
    "a number of more than 64 bits":
        head(b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,99999999999999999999999]}}', bytes(1)),
    "it does not begin with {": head(b"[]"),
    "it is no UTF-8": head(b'{"\xff":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'),
    "a tensor with a member that is not known": head({"a": {**entry(0, 0), "more": {"deep": {}}}}),
}


@pytest.mark.parametrize("said", HOSTILE)
def test_a_hostile_head_is_refused_and_says_why(said, models, hub, hostler, volume):
    models.make(REPO, {"config.json": json.dumps(LLAMA), "model.safetensors": HOSTILE[said]})
    error = inspect(hostler, volume, f"hf:{REPO}", hub=hub(), rc=10)
    assert f"hf:org/net: model.safetensors: " in error and said in error


def test_pickles_are_not_looked_into(models, hub, hostler, volume):
    models.make(REPO, {"config.json": json.dumps(LLAMA), "pytorch_model.bin": bytes(5000)})
    got = inspect(hostler, volume, f"hf:{REPO}", hub=hub())
    assert got["tensor_bytes"] == 5000
    assert got["not_sure"] == ["hf:org/net: its weights are pickles, which are not looked into: their files' sizes are taken"]


def test_code_of_a_repository_is_told_and_not_run(models, hub, hostler, volume):
    models.make(REPO, {"config.json": json.dumps(LLAMA | {"auto_map": {"AutoModel": "evil.py"}, "model_type": "odd"}),
                       "evil.py": "raise SystemExit(1)"})
    save_file({"a": numpy.zeros(8, dtype="float16")}, models.root / REPO / "model.safetensors")
    got = inspect(hostler, volume, f"hf:{REPO}", hub=hub())
    assert got["not_sure"] == [
        'hf:org/net: config.json: the architecture "odd" is not known: read as if it were llama\'s',
        "hf:org/net: config.json: wants code of its repository (auto_map), which is not run here"]


def test_offline_without_the_model_says_what_would_help(hostler, volume):
    said = inspect(hostler, volume, "hf:org/none", "--offline", rc=3)
    assert "hf:org/none: it is not on the volume, and its headers are not fetched: offline" in said
    assert "hint: without --offline a few MB of it are read" in said


# ------------------------------------------------------------------ GGUF

def write_gguf(path, arch="llama", tensors=(), tokens=100, **keys):
    writer = gguf.GGUFWriter(str(path), arch)
    writer.add_block_count(2)
    writer.add_embedding_length(256)
    writer.add_feed_forward_length(512)
    writer.add_context_length(4096)
    writer.add_head_count(8)
    writer.add_head_count_kv(4)
    writer.add_token_list([f"token{i}" for i in range(tokens)])
    writer.add_license("mit")
    for key, value in keys.items():
        writer.add_uint32(key.replace("__", "."), value)
    for name, shape, kind in tensors:
        data = numpy.zeros(shape, dtype="float32")
        writer.add_tensor(name, gguf.quants.quantize(data, kind) if kind != gguf.GGMLQuantizationType.F32 else data,
                          raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


Q = gguf.GGMLQuantizationType
TENSORS = [("token_embd.weight", (100, 256), Q.F32), ("blk.0.attn_q.weight", (256, 256), Q.Q4_0),
           ("blk.0.ffn_up.weight", (512, 256), Q.Q8_0), ("blk.1.attn_q.weight", (256, 256), Q.Q5_1),
           ("blk.1.ffn_up.weight", (512, 256), Q.F16), ("output_norm.weight", (256,), Q.F32),
           ("output.weight", (100, 256), Q.BF16)]


def gguf_sums(path):
    found = {}
    for tensor in gguf.GGUFReader(str(path)).tensors:
        line = found.setdefault(tensor.tensor_type.name, [0, 0, 0])
        for i, n in enumerate((1, int(tensor.n_elements), int(tensor.n_bytes))):
            line[i] += n
    return found


def ollama_model(*blobs):
    return model_of([layer(kind, blob) for kind, blob in zip(["model", "projector"], blobs)])


@pytest.mark.parametrize("tokens", [100, 300_000])
def test_a_gguf_file_has_the_sums_of_its_own_library(tokens, registry, hostler, volume, tmp_path):
    """with many tokens its head is longer than what is asked for at first"""
    data = write_gguf(tmp_path / "m.gguf", tensors=TENSORS, tokens=tokens)
    there = registry()
    there.push("library/net:latest", ollama_model(data))
    got = inspect(hostler, volume, "ollama:net", env={"OLLAMA_REGISTRY": there.url})
    assert told(got) == gguf_sums(tmp_path / "m.gguf")
    assert (got["layers"], got["heads"], got["kv_heads"], got["vocab_size"]) == (2, 8, 4, tokens)
    assert got["kv_bytes_per_token"] == 2 * 4 * (32 + 32) * 2
    assert got["licence"] == "mit"


def test_a_projector_is_counted_apart(registry, hostler, volume, tmp_path):
    text = write_gguf(tmp_path / "m.gguf", tensors=TENSORS)
    sight = write_gguf(tmp_path / "p.gguf", arch="clip", tensors=[("v.patch.weight", (64, 32), Q.F32)],
                       clip__vision__image_size=336, clip__vision__patch_size=14)
    there = registry()
    there.push("library/sees:latest", ollama_model(text, sight))
    assert hostler.pull("ollama:sees", env={"OLLAMA_REGISTRY": there.url}).rc == 0
    got = inspect(hostler, volume, "ollama:sees", "--offline")
    assert got["projector_bytes"] == 64 * 32 * 4
    assert got["image_tokens"] == 576
    assert got["tensor_bytes"] == sum(t[2] for t in gguf_sums(tmp_path / "m.gguf").values())
    assert got["layers"] == 2


def test_an_encoder_has_no_cache(registry, hostler, volume, tmp_path):
    data = write_gguf(tmp_path / "m.gguf", arch="nomic-bert", tensors=TENSORS)
    there = registry()
    there.push("library/embeds:latest", ollama_model(data))
    assert inspect(hostler, volume, "ollama:embeds", env={"OLLAMA_REGISTRY": there.url})["kv_bytes_per_token"] == 0


def broken(data, at, value):
    return data[:at] + value + data[at + len(value):]


@pytest.mark.parametrize("at, value, said", [
    (0, b"GGML", "it does not begin with GGUF"),
    (4, struct.pack("<I", 1), "version 1, and 2 and 3 are known"),
    (4, struct.pack(">I", 3), "it was written for machines of the other byte order"),
    (8, struct.pack("<Q", 2**63), "9 keys and 9223372036854775808 tensors, more than 65536 and 1000000"),
    (16, struct.pack("<Q", 2**40), "1099511627776 keys and 7 tensors, more than 65536 and 1000000"),
    (24, struct.pack("<Q", 2**62), "a text of 4611686018427387904 bytes, more than 65536"),
])
def test_a_hostile_gguf_head_is_refused_and_says_why(at, value, said, registry, hostler, volume, tmp_path):
    data = broken(write_gguf(tmp_path / "m.gguf", tensors=TENSORS), at, value)
    there = registry()
    there.push("library/bad:latest", ollama_model(data))
    error = inspect(hostler, volume, "ollama:bad", env={"OLLAMA_REGISTRY": there.url}, rc=10)
    assert f"ollama:bad: model: no GGUF file that can be read: {said}" in error


def test_a_gguf_file_that_is_cut_off_is_refused(registry, hostler, volume, tmp_path):
    data = write_gguf(tmp_path / "m.gguf", tensors=TENSORS)
    there = registry()
    there.push("library/cut:latest", ollama_model(data[:-4096]))
    error = inspect(hostler, volume, "ollama:cut", env={"OLLAMA_REGISTRY": there.url}, rc=10)
    assert "it is cut off" in error
    there.push("library/short:latest", ollama_model(data[:900]))
    assert "its head ends behind the file: it is cut off" in inspect(
        hostler, volume, "ollama:short", env={"OLLAMA_REGISTRY": there.url}, rc=10)
