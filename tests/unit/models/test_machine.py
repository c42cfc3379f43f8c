"""What `auto` means follows from instructions, memory and GPU alone."""

from pathlib import Path

import pytest

from models.machine import GB, Choice, Machine, choose_generator, compute_dtype, read_machine
from models.packs import find_variant

AVX2 = frozenset({"avx", "avx2", "fma"})
VNNI = AVX2 | {"avx512f", "avx512_vnni"}
AMX = VNNI | {"avx512_bf16", "amx_bf16", "amx_int8"}


def machine(flags: frozenset[str] = AVX2, memory: int = 16 * GB, gpu: bool = False) -> Machine:
    return Machine(flags, memory, (0, 1), gpu)


@pytest.mark.parametrize(
    ("given", "variant"),
    [
        (machine(AVX2), "qwen2.5-coder-0.5b-instruct:bf16"),
        (machine(AVX2, 64 * GB), "qwen2.5-coder-0.5b-instruct:bf16"),
        (machine(AVX2 | {"avx_vnni"}), "qwen2.5-coder-0.5b-instruct:bf16"),  # vLLM's kernels for it need AVX-512
        (machine(VNNI), "qwen2.5-coder-1.5b-instruct:w8a8"),
        (machine(AMX), "qwen2.5-coder-1.5b-instruct:w8a8"),
        (machine(VNNI, 4 * GB), "qwen2.5-coder-0.5b-instruct:w8a8"),
        (machine(AVX2, gpu=True), "qwen2.5-coder-1.5b-instruct:bf16"),
    ],
)
def test_the_generator_suits_the_machine(given: Machine, variant: str) -> None:
    assert choose_generator(given) == variant
    assert find_variant(variant)[0].kind == "generator"


def test_a_machine_too_small_for_all_gets_the_smallest() -> None:
    table = {"plain": (Choice("large", 8 * GB), Choice("small", 4 * GB))}
    assert choose_generator(machine(memory=1 * GB), table) == "small"
    assert choose_generator(machine(memory=9 * GB), table) == "large"


def test_float32_where_the_processor_has_no_bfloat16() -> None:
    assert compute_dtype(machine(AVX2)) == "float32"
    assert compute_dtype(machine(VNNI)) == "bfloat16"
    assert compute_dtype(machine(AMX)) == "bfloat16"
    assert compute_dtype(machine(AVX2, gpu=True)) == "bfloat16"


def test_the_kernel_is_asked(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nflags\t\t: fpu avx avx2\n\nprocessor\t: 1\nflags\t\t: other\n")
    (tmp_path / "meminfo").write_text("MemTotal:        8000000 kB\nMemFree: 1 kB\n")
    found = read_machine(proc=tmp_path, dev=tmp_path, cores=(0, 1, 3))
    assert found.flags == {"fpu", "avx", "avx2"}
    assert 0 < found.memory <= 8_192_000_000
    assert (found.cores, found.gpu) == ((0, 1, 3), False)


def test_this_machine_can_be_read() -> None:
    found = read_machine()
    assert found.memory > 0
    assert found.cores
    assert choose_generator(found)
