"""A GGUF file becomes a folder that transformers loads, with the numbers that the file stands for."""

import json
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from gguf.quants import dequantize, quantize
from numpy.typing import NDArray
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from core.errors import Damaged
from models.from_gguf import Format, convert_gguf
from tests.unit.models.packkit import GGUF_SIZES, gguf_vocabulary, model_tensors, write_gguf

Q8 = gguf.GGMLQuantizationType.Q8_0
IDS = torch.tensor([[5, 9, 70, 33, 12]])
HEAD = GGUF_SIZES["hidden"] // GGUF_SIZES["heads"]


def converted(tmp_path: Path, source: Path, form: Format = "f32") -> Path:
    folder = tmp_path / f"weights-{form}"
    folder.mkdir()
    convert_gguf(source, folder, form)
    return folder


def through_q8(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return dequantize(quantize(values, Q8), Q8).reshape(values.shape)


def interleave(values: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """What llama's converter does to the rows of query and key."""
    return values.reshape(heads, 2, values.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(values.shape)


def logits(folder: Path) -> torch.Tensor:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True).eval()
    with torch.no_grad():
        found: torch.Tensor = model(IDS).logits
    return found


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("gguf")
    return write_gguf(base / "qwen.gguf", model_tensors())


def test_f32_holds_exactly_the_dequantised_weights(tmp_path: Path, qwen: Path) -> None:
    written = load_file(converted(tmp_path, qwen) / "model.safetensors")
    source = model_tensors()
    assert np.array_equal(written["model.embed_tokens.weight"].numpy(), through_q8(source["token_embd.weight"]))
    assert np.array_equal(written["model.layers.1.mlp.down_proj.weight"].numpy(), through_q8(source["blk.1.ffn_down.weight"]))
    assert np.array_equal(written["model.layers.0.self_attn.q_proj.bias"].numpy(), source["blk.0.attn_q.bias"])
    assert np.array_equal(written["model.norm.weight"].numpy(), source["output_norm.weight"])
    assert len(written) == len(source)


def test_bf16_is_the_same_rounded_once(tmp_path: Path, qwen: Path) -> None:
    exact = load_file(converted(tmp_path, qwen) / "model.safetensors")
    rounded = load_file(converted(tmp_path, qwen, "bf16") / "model.safetensors")
    assert {name: t.to(torch.bfloat16) for name, t in exact.items()}.keys() == rounded.keys()
    assert all(torch.equal(t.to(torch.bfloat16), rounded[name]) for name, t in exact.items())


def test_transformers_loads_it_and_all_weights_are_used(tmp_path: Path, qwen: Path) -> None:
    folder = converted(tmp_path, qwen)
    _, report = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    assert (config.num_key_value_heads, config.max_position_embeddings, config.tie_word_embeddings) == (2, 128, True)


def test_llama_rows_are_put_back_in_rotary_order(tmp_path: Path) -> None:
    plain = model_tensors(bias=False)
    turned = {
        name: interleave(t, GGUF_SIZES["heads" if "attn_q" in name else "kv"]) if "attn_q" in name or "attn_k" in name else t
        for name, t in plain.items()
    }
    source = write_gguf(tmp_path / "llama.gguf", turned, architecture="llama", pre="smollm")
    written = load_file(converted(tmp_path, source) / "model.safetensors")
    assert np.array_equal(written["model.layers.0.self_attn.q_proj.weight"].numpy(), through_q8(plain["blk.0.attn_q.weight"]))
    assert np.array_equal(written["model.layers.1.self_attn.k_proj.weight"].numpy(), through_q8(plain["blk.1.attn_k.weight"]))
    assert torch.isfinite(logits(tmp_path / "weights-f32")).all()


def test_w8a8_rounds_the_linear_layers_and_nothing_else(tmp_path: Path, qwen: Path) -> None:
    exact = load_file(converted(tmp_path, qwen) / "model.safetensors")
    written = load_file(converted(tmp_path, qwen, "w8a8") / "model.safetensors")
    linear = [name for name in exact if name.endswith("_proj.weight")]
    assert len(linear) == 7 * GGUF_SIZES["layers"]
    for name in linear:
        scale = written[name.removesuffix("weight") + "weight_scale"]
        assert written[name].dtype == torch.int8
        assert scale.shape == (exact[name].shape[0], 1)
        assert ((written[name].float() * scale - exact[name]).abs() <= scale * 0.5001).all()
    others = {name for name in written if name not in linear and not name.endswith("weight_scale")}
    assert all(written[name].dtype == torch.bfloat16 for name in others)
    assert "model.embed_tokens.weight" in others


def test_w8a8_names_its_scheme_for_the_server(tmp_path: Path, qwen: Path) -> None:
    scheme = json.loads((converted(tmp_path, qwen, "w8a8") / "config.json").read_text())["quantization_config"]
    group = scheme["config_groups"]["group_0"]
    assert (scheme["quant_method"], scheme["format"], scheme["ignore"]) == ("compressed-tensors", "int-quantized", ["lm_head"])
    assert (group["weights"]["strategy"], group["weights"]["dynamic"]) == ("channel", False)
    assert (group["input_activations"]["strategy"], group["input_activations"]["dynamic"]) == ("token", True)


def test_w8a8_answers_nearly_like_the_file(tmp_path: Path, qwen: Path) -> None:
    folder = converted(tmp_path, qwen)
    expected = logits(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True).eval()
    small = load_file(converted(tmp_path, qwen, "w8a8") / "model.safetensors")
    state = {}
    for name, tensor in small.items():
        scale = small.get(name.removesuffix("weight") + "weight_scale")
        if not name.endswith("weight_scale"):
            state[name] = tensor.float() * scale if name.endswith("_proj.weight") and scale is not None else tensor.float()
    model.load_state_dict(state, strict=False)
    with torch.no_grad():
        found = model(IDS).logits
    assert torch.nn.functional.cosine_similarity(found, expected, dim=-1).min() > 0.999


def test_a_matrix_stored_twice_is_kept_once_and_finer(tmp_path: Path) -> None:
    tensors = model_tensors()
    tensors["output.weight"] = tensors["token_embd.weight"] + np.float32(0.001)
    folder = converted(tmp_path, write_gguf(tmp_path / "x.gguf", tensors))
    assert "lm_head.weight" not in load_file(folder / "model.safetensors")
    assert json.loads((folder / "config.json").read_text())["tie_word_embeddings"] is True


def test_an_output_matrix_of_its_own_stays(tmp_path: Path) -> None:
    tensors = model_tensors()
    tensors["output.weight"] = model_tensors(seed=9)["token_embd.weight"]
    folder = converted(tmp_path, write_gguf(tmp_path / "x.gguf", tensors))
    assert np.array_equal(load_file(folder / "model.safetensors")["lm_head.weight"].numpy(), through_q8(tensors["output.weight"]))
    assert json.loads((folder / "config.json").read_text())["tie_word_embeddings"] is False


@pytest.mark.parametrize("pre", ["qwen2", "smollm"])
def test_text_survives_the_tokenizer(tmp_path: Path, pre: str) -> None:
    folder = converted(tmp_path, write_gguf(tmp_path / "x.gguf", model_tensors(), pre=pre))
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    for text in ("hello world 2024", "水泵的壓力為 6.5 巴\n\n  次", "it's  I'LL\r\n\tx"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert tokenizer.tokenize("hell")[:1] == ["hell"]
    assert tokenizer.eos_token == "<|im_end|>"


def test_digits_are_tokens_of_their_own(tmp_path: Path) -> None:
    folder = converted(tmp_path, write_gguf(tmp_path / "x.gguf", model_tensors()))
    assert AutoTokenizer.from_pretrained(folder, local_files_only=True).tokenize("2024") == ["2", "0", "2", "4"]


def test_special_tokens_are_whole_and_unused_slots_are_none(tmp_path: Path, qwen: Path) -> None:
    folder = converted(tmp_path, qwen)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    end = gguf_vocabulary()[0].index("<|im_end|>")
    assert tokenizer("a<|im_end|>")["input_ids"][-1] == end
    assert tokenizer.decode([end], skip_special_tokens=True) == ""
    assert "[PAD]" not in tokenizer.get_vocab()
    assert tokenizer.apply_chat_template([{"role": "user", "content": "a"}], tokenize=False) == "a<|im_end|>"


def test_generation_stops_at_either_end_token(tmp_path: Path, qwen: Path) -> None:
    tokens = gguf_vocabulary()[0]
    ends = json.loads((converted(tmp_path, qwen) / "generation_config.json").read_text())["eos_token_id"]
    assert set(ends) == {tokens.index("<|im_end|>"), tokens.index("<|endoftext|>")}


def test_progress_is_every_byte_of_the_result(tmp_path: Path, qwen: Path) -> None:
    done: list[int] = []
    convert_gguf(qwen, tmp_path, "bf16", done.append)
    assert sum(done) == sum(t.nbytes for t in load_file(tmp_path / "model.safetensors").values())


@pytest.mark.parametrize("content", [b"", b"GGUF", b"not a model at all" * 10])
def test_what_is_no_gguf_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(content)
    with pytest.raises(Damaged):
        convert_gguf(path, tmp_path, "bf16")


def test_a_truncated_file_is_refused(tmp_path: Path, qwen: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(qwen.read_bytes()[: qwen.stat().st_size // 2])
    with pytest.raises(Damaged):
        convert_gguf(path, tmp_path, "bf16")


def test_an_unknown_tensor_is_named(tmp_path: Path) -> None:
    tensors = model_tensors() | {"blk.0.attn_sinks.weight": np.ones(4, np.float32)}
    with pytest.raises(Damaged, match="attn_sinks"):
        convert_gguf(write_gguf(tmp_path / "x.gguf", tensors), tmp_path, "bf16")


def test_an_unknown_architecture_is_named(tmp_path: Path) -> None:
    with pytest.raises(Damaged, match="'gpt2' is not one of qwen2, llama"):
        convert_gguf(write_gguf(tmp_path / "x.gguf", {}, architecture="gpt2"), tmp_path, "bf16")


def test_missing_metadata_is_named(tmp_path: Path) -> None:
    source = write_gguf(tmp_path / "x.gguf", model_tensors(), without="block_count")
    with pytest.raises(Damaged, match=r"qwen2\.block_count"):
        convert_gguf(source, tmp_path, "bf16")


def test_an_unknown_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(Damaged, match="gpt2/llama-bpe"):
        convert_gguf(write_gguf(tmp_path / "x.gguf", model_tensors(), pre="llama-bpe"), tmp_path, "bf16")
