"""A 4-bit encoder becomes a sentence-transformers folder with the same weights and the same tokens."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer

from core.errors import Damaged
from models.from_e5 import convert_e5, dequantise_q4_0
from tests.unit.models.packkit import HIDDEN, LAYERS, PIECES, e5_tensors, quantise_q4_0, write_e5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("e5")
    target = base / "weights"
    target.mkdir()
    convert_e5(write_e5(base / "e5.bin"), target)
    return target


@pytest.fixture(scope="module")
def model(folder: Path) -> SentenceTransformer:
    return SentenceTransformer(str(folder), device="cpu", local_files_only=True)


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Tokenizer:
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def test_q4_0_puts_low_nibbles_first() -> None:
    raw = np.float16(0.5).tobytes() + bytes([0x80 | i % 8 for i in range(16)])
    values = dequantise_q4_0(raw)
    assert values[:16] == pytest.approx([(i % 8 - 8) * 0.5 for i in range(16)])
    assert values[16:] == pytest.approx(np.zeros(16))


def test_every_weight_is_the_dequantised_one(folder: Path) -> None:
    written = load_file(folder / "model.safetensors")
    source = e5_tensors()
    query = dequantise_q4_0(quantise_q4_0(source["l1.q.w"])).reshape(HIDDEN, HIDDEN)
    assert np.array_equal(written["encoder.layer.1.attention.self.query.weight"].numpy(), query)
    assert np.array_equal(written["embeddings.position_embeddings.weight"].numpy(), source["emb.pos"])
    assert np.array_equal(written["encoder.layer.0.output.LayerNorm.bias"].numpy(), source["l0.oln.b"])
    assert len(written) == len(source) + 2  # and BERT's unused pooler
    assert all(t.dtype == torch.float32 for t in written.values())


def test_it_loads_as_a_sentence_transformer_with_its_prompts(model: SentenceTransformer) -> None:
    assert model.get_embedding_dimension() == HIDDEN
    assert model.max_seq_length == 40
    assert model.prompts["query"] == "query: "
    assert model.prompts["document"] == model.prompts["passage"] == "passage: "


def test_vectors_have_length_one_and_batches_equal_singles(model: SentenceTransformer) -> None:
    texts = ["hello world", "水泵 1～5", "a"]
    together = model.encode_document(texts, batch_size=3)
    assert np.linalg.norm(together, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    for row, text in zip(together, texts, strict=True):
        assert model.encode_document([text])[0] == pytest.approx(row, abs=1e-5)


def test_queries_and_passages_are_encoded_differently(model: SentenceTransformer) -> None:
    assert not np.allclose(model.encode_query("hello"), model.encode_document("hello"), atol=1e-3)


def reference_vector(ids: list[int]) -> np.ndarray:
    """The encoder in plain numpy: post-layer-norm, exact GELU, mean of all tokens, length one."""
    source = {n: (dequantise_q4_0(quantise_q4_0(t)).reshape(t.shape) if t.ndim == 2 else t) for n, t in e5_tensors().items()}
    source |= {n: e5_tensors()[n] for n in ("emb.pos", "emb.type")}

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(axis=-1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12) * source[f"{name}.w"] + source[f"{name}.b"]

    def linear(x: np.ndarray, name: str) -> np.ndarray:
        return x @ source[f"{name}.w"].T + source[f"{name}.b"]

    x = norm(source["emb.word"][ids] + source["emb.pos"][: len(ids)] + source["emb.type"][0], "emb.ln")
    for layer in range(LAYERS):
        q, k, v = (linear(x, f"l{layer}.{n}").reshape(len(ids), 4, -1).transpose(1, 0, 2) for n in "qkv")
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = (weights / weights.sum(axis=-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(len(ids), -1)
        x = norm(x + linear(mixed, f"l{layer}.ao"), f"l{layer}.aln")
        inner = torch.nn.functional.gelu(torch.from_numpy(linear(x, f"l{layer}.fi"))).numpy()
        x = norm(x + linear(inner, f"l{layer}.fo"), f"l{layer}.oln")
    mean = x.mean(axis=0)
    return mean / np.linalg.norm(mean)


def test_the_vector_is_that_of_the_architecture(model: SentenceTransformer, tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("query: hello 水泵").ids
    assert model.encode_query("hello 水泵") == pytest.approx(reference_vector(ids), abs=2e-5)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("hello world", ["<s>", "▁hello", "▁world", "</s>"]),
        ("hello\u3000\u200bworld", ["<s>", "▁hello", "▁world", "</s>"]),  # the map's spaces
        ("hel\u0001lo", ["<s>", "▁hello", "</s>"]),  # what the map removes
        ("1～5", ["<s>", "▁1", "～", "5", "</s>"]),  # NFKC would make an ASCII tilde of it; this model does not
        ("e\u0301", ["<s>", "▁", "é", "</s>"]),  # a letter and its accent are one character
        ("", ["<s>", "</s>"]),
    ],
)
def test_text_is_normalised_and_cut_as_the_model_was_trained(tokenizer: Tokenizer, text: str, tokens: list[str]) -> None:
    assert tokenizer.encode(text).tokens == tokens


def test_unknown_characters_are_one_token_each_group(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("龘").ids[1:-1][-1] == PIECES.index("<unk>")


def test_the_configuration_names_no_code(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    assert config["model_type"] == "bert"
    assert "auto_map" not in config


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    path = write_e5(tmp_path / "x.bin", magic=b"GGUF")
    with pytest.raises(Damaged, match="not an E5S1 file"):
        convert_e5(path, tmp_path)


@pytest.mark.parametrize("kept", [3, 20, 60, 200, 600, 2000, -1])
def test_a_file_that_ends_early_is_refused(tmp_path: Path, kept: int) -> None:
    path = write_e5(tmp_path / "x.bin")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(Damaged):
        convert_e5(path, tmp_path)
    assert not (tmp_path / "model.safetensors").exists()


def test_other_special_tokens_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Damaged, match="special tokens"):
        convert_e5(write_e5(tmp_path / "x.bin", bos=7), tmp_path)


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    tensors = e5_tensors()
    del tensors["l1.fo.w"]
    with pytest.raises(Damaged, match=r"l1\.fo\.w"):
        convert_e5(write_e5(tmp_path / "x.bin", tensors), tmp_path)


def test_a_tensor_of_another_size_is_named(tmp_path: Path) -> None:
    tensors = e5_tensors()
    tensors["l0.q.w"] = np.zeros((HIDDEN, HIDDEN * 2), np.float32)
    with pytest.raises(Damaged, match=r"l0\.q\.w"):
        convert_e5(write_e5(tmp_path / "x.bin", tensors), tmp_path)
