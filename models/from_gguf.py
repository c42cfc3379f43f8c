"""Turns a GGUF file of a qwen2 or llama model into the folder that vLLM and transformers load: safetensors, config, tokenizer.

Formats: `bf16`, every tensor in bfloat16; `w8a8`, the linear layers in int8 with one scale a row (compressed-tensors), the rest
in bfloat16: the server quantises activations per token as it runs.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import gguf
import numpy as np
from gguf.quants import dequantize
from numpy.typing import NDArray
from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import BPE

from core.errors import Damaged
from models.tensors import Tensor, quantise_rows, to_bf16, write_json, write_safetensors

Format = Literal["bf16", "w8a8", "f32"]

_ROWS_AT_ONCE = 8192
_TOP = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight", "output.weight": "lm_head.weight"}
_LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_ARCHITECTURES = {"qwen2": "Qwen2ForCausalLM", "llama": "LlamaForCausalLM"}
_QWEN_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_CONTROL, _USER_DEFINED, _UNUSED = 3, 4, 5  # token types of the GGUF format


@dataclass(frozen=True, slots=True)
class Source:
    """One tensor of the GGUF file: `rows` are its quantised rows, `heads` > 0 where rows must be put back in rotary order."""

    name: str
    shape: tuple[int, ...]
    rows: NDArray[Any]
    kind: gguf.GGMLQuantizationType
    heads: int = 0

    def read(self) -> Iterator[NDArray[np.float32]]:
        """The values, float32, in pieces of whole rows."""
        if self.heads:
            whole = dequantize(self.rows, self.kind)
            half = self.shape[0] // self.heads // 2
            yield whole.reshape(self.heads, half, 2, -1).swapaxes(1, 2).reshape(self.shape)
            return
        if len(self.shape) == 1:
            yield dequantize(self.rows, self.kind).reshape(self.shape)
            return
        for start in range(0, self.shape[0], _ROWS_AT_ONCE):
            yield dequantize(self.rows[start : start + _ROWS_AT_ONCE], self.kind)


class Metadata:
    """The key-value part of a GGUF file, with errors that name the missing key."""

    def __init__(self, reader: gguf.GGUFReader) -> None:
        self.fields: Mapping[str, Any] = reader.fields
        self.architecture = str(self["general.architecture"])
        if self.architecture not in _ARCHITECTURES:
            raise Damaged(f"GGUF: architecture {self.architecture!r} is not one of {', '.join(_ARCHITECTURES)}")

    def __getitem__(self, key: str) -> Any:
        if key not in self.fields:
            raise Damaged(f"GGUF: the file does not say {key}")
        return self.fields[key].contents()

    def of_model(self, key: str) -> Any:
        return self[f"{self.architecture}.{key}"]

    def get(self, key: str, default: Any) -> Any:
        return self[key] if key in self.fields else default


def _our_name(name: str) -> str:
    if name in _TOP:
        return _TOP[name]
    parts = name.split(".")
    if len(parts) == 4 and parts[0] == "blk" and parts[2] in _LAYER:
        return f"model.layers.{parts[1]}.{_LAYER[parts[2]]}.{parts[3]}"
    raise Damaged(f"GGUF: unknown tensor {name}")


def _sources(reader: gguf.GGUFReader, meta: Metadata) -> dict[str, Source]:
    found = {}
    for tensor in reader.tensors:
        shape = tuple(int(n) for n in reversed(tensor.shape))
        heads = 0
        if meta.architecture == "llama":  # its converter interleaves the two halves of each rotary head
            part = tensor.name.split(".")[-2]
            heads = {"attn_q": int(meta.of_model("attention.head_count")), "attn_k": int(meta.of_model("attention.head_count_kv"))}.get(
                part, 0
            )
        name = _our_name(tensor.name)
        found[name] = Source(name, shape, tensor.data, tensor.tensor_type, heads)
    missing = [n for n in ("model.embed_tokens.weight", "model.norm.weight") if n not in found]
    if missing:
        raise Damaged(f"GGUF: tensor {missing[0]} is missing")
    return found


def _tie(sources: dict[str, Source]) -> bool:
    """True if input and output embeddings are one matrix. A file may store it twice, at two precisions: the finer one is kept.

    Measured on evenly spread rows: two quantisations of one row differ in angle by a cosine above 0.98, different matrices by far more.
    """
    head = sources.get("lm_head.weight")
    embedding = sources["model.embed_tokens.weight"]
    if head is None:
        return True
    if head.shape != embedding.shape:
        return False
    picked = np.linspace(0, head.shape[0] * 3 // 4, 64, dtype=np.int64)
    a, b = (dequantize(s.rows[picked], s.kind) for s in (head, embedding))
    cosines = (a * b).sum(axis=1) / np.maximum(np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1), 1e-12)
    if float(np.median(cosines)) < 0.98:
        return False
    finer = max(head, embedding, key=lambda s: s.rows.nbytes)
    sources["model.embed_tokens.weight"] = Source("model.embed_tokens.weight", finer.shape, finer.rows, finer.kind)
    del sources["lm_head.weight"]
    return True


def _plain(source: Source, dtype: Literal["F32", "BF16"]) -> Tensor:
    def read() -> Iterator[NDArray[Any]]:
        for values in source.read():
            yield to_bf16(values) if dtype == "BF16" else values

    return Tensor(source.name, dtype, source.shape, read)


def _scaled(source: Source) -> list[Tensor]:
    """The scales and the int8 weight, in this order; the scales' turn makes both and the weight waits (at most some 20 MB) for its own."""
    waiting: list[NDArray[np.int8]] = []

    def scales() -> Iterator[NDArray[np.float32]]:
        for values in source.read():
            weight, scale = quantise_rows(values)
            waiting.append(weight)
            yield scale

    def weights() -> Iterator[NDArray[np.int8]]:
        while waiting:
            yield waiting.pop(0)

    scale = source.name.removesuffix("weight") + "weight_scale"
    return [Tensor(scale, "F32", (source.shape[0], 1), scales), Tensor(source.name, "I8", source.shape, weights)]


def list_tensors(sources: Mapping[str, Source], form: Format) -> list[Tensor]:
    """What is written for `form`, in the file's order. Embeddings, norms and biases are never quantised."""
    found: list[Tensor] = []
    for source in sources.values():
        linear = source.name.endswith("_proj.weight")
        if form == "w8a8" and linear:
            found += _scaled(source)
        else:
            found.append(_plain(source, "F32" if form == "f32" else "BF16"))
    return found


def build_tokenizer(meta: Metadata) -> Tokenizer:
    """The byte-level BPE tokenizer in the file. Raises Damaged for a kind that no pack uses."""
    kind = (str(meta["tokenizer.ggml.model"]), str(meta["tokenizer.ggml.pre"]))
    tokens: Sequence[str] = meta["tokenizer.ggml.tokens"]
    types: Sequence[int] = meta["tokenizer.ggml.token_type"]
    merges = [tuple(m.split(" ")) for m in meta["tokenizer.ggml.merges"]]
    vocabulary = {t: i for i, (t, k) in enumerate(zip(tokens, types, strict=True)) if k != _UNUSED}
    tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=merges))
    if kind == ("gpt2", "qwen2"):
        tokenizer.normalizer = normalizers.NFC()
        split = pre_tokenizers.Split(Regex(_QWEN_WORDS), behavior="isolated")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    elif kind == ("gpt2", "smollm"):
        digits = pre_tokenizers.Digits(individual_digits=True)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    else:
        raise Damaged(f"GGUF: tokenizer {'/'.join(kind)} is not known here")
    tokenizer.decoder = decoders.ByteLevel()
    marked = [(t, k) for t, k in zip(tokens, types, strict=True) if k in (_CONTROL, _USER_DEFINED)]
    tokenizer.add_tokens([AddedToken(t, normalized=False, special=k == _CONTROL) for t, k in marked])
    return tokenizer


def _config(meta: Metadata, vocabulary: int, tied: bool, form: Format) -> dict[str, Any]:
    heads = int(meta.of_model("attention.head_count"))
    hidden = int(meta.of_model("embedding_length"))
    base = float(meta.of_model("rope.freq_base"))
    config: dict[str, Any] = {
        "architectures": [_ARCHITECTURES[meta.architecture]],
        "model_type": meta.architecture,
        "dtype": "float32" if form == "f32" else "bfloat16",
        "bos_token_id": int(meta["tokenizer.ggml.bos_token_id"]),
        "eos_token_id": int(meta["tokenizer.ggml.eos_token_id"]),
        "head_dim": hidden // heads,
        "hidden_act": "silu",
        "hidden_size": hidden,
        "initializer_range": 0.02,
        "intermediate_size": int(meta.of_model("feed_forward_length")),
        "max_position_embeddings": int(meta.of_model("context_length")),
        "num_attention_heads": heads,
        "num_hidden_layers": int(meta.of_model("block_count")),
        "num_key_value_heads": int(meta.of_model("attention.head_count_kv")),
        "rms_norm_eps": float(f"{meta.of_model('attention.layer_norm_rms_epsilon'):.6g}"),
        "rope_theta": base,
        "rope_parameters": {"rope_type": "default", "rope_theta": base},
        "tie_word_embeddings": tied,
        "transformers_version": "5.0.0",
        "use_cache": True,
        "vocab_size": vocabulary,
    }
    if form == "w8a8":
        weights = {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "channel", "dynamic": False}
        activations = {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "token", "dynamic": True}
        config["quantization_config"] = {
            "quant_method": "compressed-tensors",
            "format": "int-quantized",
            "quantization_status": "compressed",
            "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights, "input_activations": activations}},
            "ignore": ["lm_head"],
        }
    return config


def _write_texts(folder: Path, meta: Metadata, config: Mapping[str, Any]) -> None:
    tokens: Sequence[str] = meta["tokenizer.ggml.tokens"]
    end = int(meta["tokenizer.ggml.eos_token_id"])
    pad = int(meta.get("tokenizer.ggml.padding_token_id", end))
    ends = [end] + [i for i in (config["bos_token_id"],) if tokens[i] == "<|endoftext|>"]
    write_json(folder / "config.json", config)
    write_json(folder / "generation_config.json", {"eos_token_id": ends, "pad_token_id": pad})
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": tokens[end],
            "pad_token": tokens[pad],
            "model_max_length": config["max_position_embeddings"],
            "clean_up_tokenization_spaces": False,
        },
    )
    (folder / "chat_template.jinja").write_text(str(meta["tokenizer.chat_template"]), encoding="utf-8")
    build_tokenizer(meta).save(str(folder / "tokenizer.json"), pretty=False)


def convert_gguf(source: Path, folder: Path, form: Format, progress: Callable[[int], object] = lambda _: None) -> None:
    """Write the model of the GGUF file `source` into the existing empty `folder`. Raises Damaged for a file it cannot read."""
    try:
        reader = gguf.GGUFReader(source)
    except (ValueError, KeyError, IndexError, OverflowError) as error:
        raise Damaged(f"GGUF: {source.name} cannot be read: {error}") from error
    meta = Metadata(reader)
    sources = _sources(reader, meta)
    tied = _tie(sources)
    _write_texts(folder, meta, _config(meta, sources["model.embed_tokens.weight"].shape[0], tied, form))
    write_safetensors(folder / "model.safetensors", list_tensors(sources, form), progress)
