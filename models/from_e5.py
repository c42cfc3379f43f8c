"""Turns an `E5S1` file (a 4-bit multilingual-e5 encoder with its tokenizer) into a sentence-transformers folder.

The file, little-endian: "E5S1"; u32 version; i32 x7 hidden, layers, heads, ffn, vocab, positions, type vocab; f32 layer-norm eps;
i32 block. Tokenizer: i32 x5 pieces, bos, eos, pad, unk; u64 blob bytes; u32 offsets[pieces + 1]; f32 unigram scores[pieces]; the
pieces in UTF-8; i32 entries and u32 bytes of a normalisation map, each entry u32 code point, u8 count, u32 x count. Then i32 tensors,
each u16 name length, name, u8 type (0 float32, 1 Q4_0), u32 elements, u64 offset from the file's start, u64 bytes.
"""

import mmap
import struct
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import Unigram

from core.errors import Damaged
from models.tensors import Tensor, write_json, write_safetensors

_BLOCK = 32  # weights that share one scale
_BLOCKS_AT_ONCE = 1 << 16
_LAYER_PARTS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
# Stands in for a character that NFKC would change and the model's own map does not, while NFKC runs.
_PRIVATE = 0xF0000


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the encoder, as the file states them."""

    hidden: int
    layers: int
    heads: int
    ffn: int
    vocab: int
    positions: int
    types: int
    eps: float


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Unigram pieces with their log probabilities, and the code points the model rewrites before it looks for pieces."""

    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    mapping: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """Where one tensor lies in the file. `kind` 0 is float32, 1 is Q4_0."""

    kind: int
    elements: int
    offset: int
    nbytes: int


class _Reader:
    """A cursor over the bytes of the file."""

    def __init__(self, data: "mmap.mmap | bytes") -> None:
        self.data = data
        self.at = 0

    def unpack(self, form: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return values

    def take(self, count: int) -> bytes:
        self.at += count
        found = self.data[self.at - count : self.at]
        if len(found) != count:
            raise struct.error("the file ends early")
        return bytes(found)


def dequantise_q4_0(raw: bytes) -> NDArray[np.float32]:
    """Blocks of 18 bytes (f16 scale; byte j has weight j in its low and j + 16 in its high nibble) to (32 x blocks,) float32."""
    blocks = np.frombuffer(raw, np.uint8).reshape(-1, 2 + _BLOCK // 2)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    nibbles = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1).astype(np.float32)
    return ((nibbles - 8.0) * scale).reshape(-1)


def _read_vocabulary(reader: _Reader) -> Vocabulary:
    count, *special = reader.unpack("5i")
    if special != [0, 2, 1, 3]:
        raise Damaged(f"e5 weights: special tokens {special} where 0, 2, 1, 3 (bos, eos, pad, unk) were expected")
    (blob_bytes,) = reader.unpack("Q")
    offsets = np.frombuffer(reader.take(4 * (count + 1)), "<u4").tolist()
    scores = np.frombuffer(reader.take(4 * count), "<f4").tolist()
    blob = reader.take(blob_bytes)
    pieces = tuple(blob[a:b].decode() for a, b in zip(offsets[:-1], offsets[1:], strict=True))
    entries, _ = reader.unpack("iI")
    mapping = {}
    for _ in range(entries):
        point, length = reader.unpack("IB")
        mapping[point] = "".join(map(chr, reader.unpack(f"{length}I")))
    return Vocabulary(pieces, tuple(scores), mapping)


def read_e5(data: "mmap.mmap | bytes") -> tuple[Shape, Vocabulary, dict[str, Entry]]:
    """The parts of an E5S1 file. Raises Damaged if it is another kind of file or ends early."""
    reader = _Reader(data)
    try:
        if reader.take(4) != b"E5S1":
            raise Damaged("e5 weights: not an E5S1 file")
        reader.unpack("I")
        shape = Shape(*reader.unpack("7if"))
        (block,) = reader.unpack("i")
        if block != _BLOCK:
            raise Damaged(f"e5 weights: blocks of {block} weights where {_BLOCK} were expected")
        vocabulary = _read_vocabulary(reader)
        entries = {}
        for _ in range(reader.unpack("i")[0]):
            name = reader.take(reader.unpack("H")[0]).decode()
            entries[name] = Entry(*reader.unpack("BIQQ"))
        ends = max((e.offset + e.nbytes for e in entries.values()), default=0)
        if ends > len(data):
            raise struct.error(f"tensors end at byte {ends}, the file at {len(data)}")
    except (struct.error, UnicodeDecodeError, ValueError) as error:
        raise Damaged(f"e5 weights: {error}") from error
    return shape, vocabulary, entries


def build_tokenizer(vocabulary: Vocabulary) -> Tokenizer:
    """The XLM-R tokenizer: the model's own normalisation map, spaces as pieces, unigram segmentation, `<s> … </s>`.

    The map is NFKC with exceptions. Expressed as NFKC plus the exceptions, character sequences (a letter and its accent) are composed too.
    """
    changed = {p: v for p, v in vocabulary.mapping.items() if unicodedata.normalize("NFKC", chr(p)) != v}
    removed = "".join(f"\\x{{{p:x}}}" for p, v in changed.items() if v == "")
    spaces = "".join(f"\\x{{{p:x}}}" for p, v in changed.items() if v == " ")
    used = sorted({ord(c) for piece in vocabulary.pieces for c in piece})
    kept = [p for p in used if p not in vocabulary.mapping and p != ord("▁") and unicodedata.normalize("NFKC", chr(p)) != chr(p)]
    steps: list[normalizers.Normalizer] = [normalizers.Replace(Regex(f"[{removed}]"), "")] if removed else []
    steps += [normalizers.Replace(Regex(f"[{spaces}]"), " ")] if spaces else []
    steps += [normalizers.Replace(chr(p), chr(_PRIVATE + i)) for i, p in enumerate(kept)]
    steps += [normalizers.NFKC()]
    steps += [normalizers.Replace(chr(_PRIVATE + i), chr(p)) for i, p in enumerate(kept)]
    tokenizer = Tokenizer(Unigram(list(zip(vocabulary.pieces, vocabulary.scores, strict=True)), unk_id=3, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in _SPECIAL])
    if "<mask>" in vocabulary.pieces:
        tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False, special=True)])
    return tokenizer


def _shape_of(name: str, shape: Shape) -> tuple[int, ...]:
    """Dimensions of a tensor of the file, rows first."""
    hidden, ffn = shape.hidden, shape.ffn
    known: dict[str, tuple[int, ...]] = {
        "emb.word": (shape.vocab, hidden),
        "emb.pos": (shape.positions, hidden),
        "emb.type": (shape.types, hidden),
        "fi.w": (ffn, hidden),
        "fi.b": (ffn,),
        "fo.w": (hidden, ffn),
        "emb.ln.w": (hidden,),
        "aln.w": (hidden,),
        "oln.w": (hidden,),
    }
    short = name if name.startswith("emb.") else name.split(".", 1)[1]
    if short in known:
        return known[short]
    return (hidden, hidden) if short.endswith(".w") else (hidden,)


def _zeros(dims: tuple[int, ...]) -> list[NDArray[np.float32]]:
    return [np.zeros(dims, np.float32)]


def list_tensors(data: "mmap.mmap | bytes", shape: Shape, entries: Mapping[str, Entry]) -> list[Tensor]:
    """The encoder's tensors in float32 under the names of transformers' BertModel. Raises Damaged if one is missing or has another size."""
    names = dict(_EMBEDDINGS)
    for layer in range(shape.layers):
        for ours, theirs in _LAYER_PARTS.items():
            names[f"l{layer}.{ours}.w"] = f"encoder.layer.{layer}.{theirs}.weight"
            names[f"l{layer}.{ours}.b"] = f"encoder.layer.{layer}.{theirs}.bias"

    def read(entry: Entry) -> Iterator[NDArray[np.float32]]:
        block_bytes = 4 if entry.kind == 0 else 2 + _BLOCK // 2
        step = block_bytes * _BLOCKS_AT_ONCE
        end = entry.offset + entry.nbytes
        for start in range(entry.offset, end, step):
            raw = bytes(data[start : min(start + step, end)])
            yield np.frombuffer(raw, "<f4") if entry.kind == 0 else dequantise_q4_0(raw)

    found = []
    for ours, theirs in names.items():
        dims = _shape_of(ours, shape)
        entry = entries.get(ours)
        if entry is None or entry.kind not in (0, 1) or entry.elements != int(np.prod(dims)):
            raise Damaged(f"e5 weights: tensor {ours} is missing or is not {dims}")
        found.append(Tensor(theirs, "F32", dims, partial(read, entry)))
    # Mean pooling never uses BERT's pooler; zeros keep loaders from filling it with noise and warning about it.
    for name, dims in (("pooler.dense.weight", (shape.hidden, shape.hidden)), ("pooler.dense.bias", (shape.hidden,))):
        found.append(Tensor(name, "F32", dims, partial(_zeros, dims)))
    return found


def _write_configs(folder: Path, shape: Shape) -> None:
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "dtype": "float32",
        "attention_probs_dropout_prob": 0.1,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": shape.hidden,
        "initializer_range": 0.02,
        "intermediate_size": shape.ffn,
        "layer_norm_eps": round(shape.eps, 15),
        "max_position_embeddings": shape.positions,
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "pad_token_id": 1,
        "transformers_version": "5.0.0",
        "type_vocab_size": shape.types,
        "vocab_size": shape.vocab,
    }
    tokenizer = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "cls_token": "<s>",
        "eos_token": "</s>",
        "mask_token": "<mask>",
        "pad_token": "<pad>",
        "sep_token": "</s>",
        "unk_token": "<unk>",
        "model_max_length": shape.positions,
        "model_input_names": ["input_ids", "attention_mask"],
        "clean_up_tokenization_spaces": False,
    }
    parts = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    kind = "sentence_transformers.models."
    (folder / "1_Pooling").mkdir()
    (folder / "2_Normalize").mkdir()
    write_json(folder / "config.json", config)
    write_json(folder / "tokenizer_config.json", tokenizer)
    write_json(
        folder / "modules.json",
        [{"idx": i, "name": str(i), "path": path, "type": kind + part} for i, (path, part) in enumerate(parts)],
    )
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": shape.positions, "do_lower_case": False})
    write_json(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": shape.hidden, "pooling_mode_mean_tokens": True})
    write_json(
        folder / "config_sentence_transformers.json",
        {
            "prompts": {"query": "query: ", "passage": "passage: ", "document": "passage: "},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
    )


def convert_e5(source: Path, folder: Path, progress: Callable[[int], object] = lambda _: None) -> None:
    """Write the sentence-transformers folder of the E5S1 file `source` into the existing empty `folder`.

    Float32, 384 dimensions, mean pooling, L2 norm, prompts `query: ` and `passage: `. Raises Damaged for a bad file.
    """
    with source.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        shape, vocabulary, entries = read_e5(data)
        tensors = list_tensors(data, shape, entries)
        _write_configs(folder, shape)
        build_tokenizer(vocabulary).save(str(folder / "tokenizer.json"), pretty=False)
        write_safetensors(folder / "model.safetensors", tensors, progress)
