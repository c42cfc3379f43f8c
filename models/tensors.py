"""Writes safetensors files one tensor at a time, in pieces, so that memory does not grow with the model.

A safetensors file is a u64 length, a JSON header {name: {dtype, shape, data_offsets}} and the values, little-endian, without gaps.
"""

import json
import os
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

DType = Literal["F32", "BF16", "I8"]
_STORED: dict[DType, np.dtype[Any]] = {"F32": np.dtype("<f4"), "BF16": np.dtype("<u2"), "I8": np.dtype("i1")}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor to be written. `read` makes its values when it is its turn, in pieces of whole rows from the first to the last.

    The values are float32, int8, or the bit patterns of `to_bf16`, as `dtype` says.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    read: Callable[[], Iterable[NDArray[Any]]]

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) * _STORED[self.dtype].itemsize


def to_bf16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The bfloat16 bit patterns of finite float32 values, rounded to nearest, ties to even. Same shape."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    rounding = ((bits >> np.uint32(16)) & np.uint32(1)) + np.uint32(0x7FFF)
    return ((bits + rounding) >> np.uint32(16)).astype(np.uint16)


def from_bf16(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """The float32 values of bfloat16 bit patterns. Same shape, exact."""
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


def write_safetensors(path: Path, tensors: Sequence[Tensor], progress: Callable[[int], object] = lambda _: None) -> None:
    """Write `tensors` to `path` in their order and fsync it. `progress` gets the bytes of each piece once written.

    Raises ValueError if a tensor's `read` gives another size or type than announced, OSError when the disk is full.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for tensor in tensors:
        header[tensor.name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [offset, offset + tensor.nbytes]}
        offset += tensor.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors:
            written = 0
            for values in tensor.read():
                if values.dtype != _STORED[tensor.dtype]:
                    raise ValueError(f"{tensor.name}: {values.dtype} where {tensor.dtype} was announced")
                written += file.write(np.ascontiguousarray(values).data)
                progress(values.nbytes)
            if written != tensor.nbytes:
                raise ValueError(f"{tensor.name}: {written} bytes where {tensor.nbytes} were announced")
        file.flush()
        os.fsync(file.fileno())


def quantise_rows(values: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """(rows, columns) float32 to int8 of the same shape and (rows, 1) float32 scales: `values ~ int8 * scale`, error at most scale / 2.

    Symmetric, round to nearest, -127..127. A row of zeros gets the scale 1.
    """
    largest = np.abs(values).max(axis=1, keepdims=True)
    scale = np.where(largest > 0, largest / np.float32(127), np.float32(1)).astype(np.float32)
    return np.rint(values / scale).clip(-127, 127).astype(np.int8), scale


def write_json(path: Path, value: object) -> None:
    """Write `value` as readable JSON and fsync it."""
    with path.open("w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
