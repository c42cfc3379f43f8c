"""Writes safetensors files one tensor at a time, so that the memory needed is that of the largest tensor.

A safetensors file is a u64 length, a JSON header {name: {dtype, shape, data_offsets}} and the values, little-endian, without gaps.
"""

import json
import os
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

DType = Literal["F32", "BF16", "I8"]
_STORED: dict[DType, np.dtype[Any]] = {"F32": np.dtype("<f4"), "BF16": np.dtype("<u2"), "I8": np.dtype("i1")}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor to be written. `read` makes its values when it is its turn: float32, int8, or the bit patterns of `to_bf16`."""

    name: str
    dtype: DType
    shape: tuple[int, ...]
    read: Callable[[], NDArray[Any]]

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


def write_safetensors(path: Path, tensors: Sequence[Tensor], progress: Callable[[int], None] = lambda _: None) -> None:
    """Write `tensors` to `path` in their order and fsync it. `progress` gets the bytes of each tensor once written.

    Raises ValueError if a tensor's `read` gives another shape or item size than announced, OSError when the disk is full.
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
            values = np.ascontiguousarray(tensor.read())
            if values.shape != tensor.shape or values.dtype != _STORED[tensor.dtype]:
                raise ValueError(f"{tensor.name}: {values.dtype}{values.shape} where {tensor.dtype}{tensor.shape} was announced")
            file.write(values.data)
            progress(tensor.nbytes)
        file.flush()
        os.fsync(file.fileno())


def write_json(path: Path, value: object) -> None:
    """Write `value` as readable JSON and fsync it."""
    with path.open("w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
