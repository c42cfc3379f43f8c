"""Tensors are written so that the standard library of the format reads back the same numbers."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from models.tensors import Tensor, from_bf16, quantise_rows, to_bf16, write_safetensors

RNG = np.random.default_rng(0)


def test_bf16_is_rounded_as_torch_rounds_it() -> None:
    values = np.concatenate([RNG.standard_normal(5000) * 10.0 ** RNG.integers(-20, 20, 5000), [0.0, -0.0, 1.00390625, 1.01171875]])
    values = values.astype(np.float32)
    expected = torch.from_numpy(values).to(torch.bfloat16).float().numpy()
    assert np.array_equal(from_bf16(to_bf16(values)), expected)


def test_bf16_keeps_the_shape() -> None:
    assert to_bf16(np.zeros((3, 5), np.float32)).shape == (3, 5)


@pytest.mark.parametrize("spread", [1e-6, 1.0, 1e4])
def test_quantised_rows_are_within_half_a_step(spread: float) -> None:
    values = (RNG.standard_normal((40, 100)) * spread).astype(np.float32)
    whole, scale = quantise_rows(values)
    assert whole.dtype == np.int8
    assert scale.shape == (40, 1)
    assert np.abs(whole * scale - values).max(axis=1) == pytest.approx(0, abs=float(scale.max()) * 0.5001)
    assert (np.abs(whole).max(axis=1) == 127).all()  # the whole range is used, -128 is not


def test_one_large_row_does_not_coarsen_the_others() -> None:
    values = np.ones((2, 4), np.float32)
    values[1] *= 1000
    whole, scale = quantise_rows(values)
    assert (whole == 127).all()
    assert scale[1] / scale[0] == pytest.approx(1000)


def test_a_row_of_zeros_stays_zeros() -> None:
    whole, scale = quantise_rows(np.zeros((1, 8), np.float32))
    assert (whole == 0).all()
    assert scale[0, 0] == 1


def test_the_file_reads_back_equal(tmp_path: Path) -> None:
    floats = RNG.standard_normal((6, 4)).astype(np.float32)
    bytes_ = RNG.integers(-127, 127, (3, 3)).astype(np.int8)
    path = tmp_path / "m.safetensors"
    done: list[int] = []
    tensors = [
        Tensor("a.weight", "F32", (6, 4), lambda: iter([floats[:4], floats[4:]])),
        Tensor("b.weight", "I8", (3, 3), lambda: [bytes_]),
        Tensor("c.weight", "BF16", (6, 4), lambda: [to_bf16(floats)]),
    ]
    write_safetensors(path, tensors, done.append)
    loaded = load_file(path)
    assert np.array_equal(loaded["a.weight"].numpy(), floats)
    assert np.array_equal(loaded["b.weight"].numpy(), bytes_)
    assert torch.equal(loaded["c.weight"], torch.from_numpy(floats).to(torch.bfloat16))
    assert sum(done) == 96 + 9 + 48


def test_the_header_is_padded_to_eight_bytes(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    write_safetensors(path, [Tensor("x", "F32", (1,), lambda: [np.ones(1, np.float32)])])
    (length,) = struct.unpack("<Q", path.read_bytes()[:8])
    assert length % 8 == 0
    assert json.loads(path.read_bytes()[8 : 8 + length])["x"]["data_offsets"] == [0, 4]


def test_values_of_another_type_are_refused(tmp_path: Path) -> None:
    tensor = Tensor("x", "F32", (2,), lambda: [np.ones(2, np.float64)])
    with pytest.raises(ValueError, match="x: float64"):
        write_safetensors(tmp_path / "m.safetensors", [tensor])


@pytest.mark.parametrize("rows", [1, 3])
def test_too_few_or_too_many_values_are_refused(tmp_path: Path, rows: int) -> None:
    tensor = Tensor("x", "F32", (2, 2), lambda: [np.ones((rows, 2), np.float32)])
    with pytest.raises(ValueError, match="16 were announced"):
        write_safetensors(tmp_path / "m.safetensors", [tensor])
