"""What this machine can run: its processor's instructions, its memory, its GPU; and the generator that suits it."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

GB = 1_000_000_000
# The instructions that the server's int8 and bfloat16 kernels need to be fast. Without them int8 decodes slower than float32
# by a factor of five and bfloat16 has no matrix kernel at all.
FAST_INT8 = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})
FAST_BF16 = frozenset({"avx512_bf16", "amx_bf16"})


@dataclass(frozen=True, slots=True)
class Machine:
    """`flags` are the processor's features in the kernel's names, `memory` bytes of it in all, `cores` those this process may use."""

    flags: frozenset[str]
    memory: int
    cores: tuple[int, ...]
    gpu: bool = False

    @property
    def fast_int8(self) -> bool:
        return bool(self.flags & FAST_INT8) and "avx512f" in self.flags

    @property
    def fast_bf16(self) -> bool:
        return bool(self.flags & FAST_BF16)


def read_machine(proc: Path = Path("/proc"), dev: Path = Path("/dev"), cores: tuple[int, ...] | None = None) -> Machine:
    """This machine. A GPU counts when the driver's device and its `nvidia-smi` are there. A container's memory limit is honoured."""
    flags: frozenset[str] = frozenset()
    for line in (proc / "cpuinfo").read_text(errors="replace").splitlines():
        if line.startswith(("flags", "Features")):
            flags = frozenset(line.partition(":")[2].split())
            break
    memory = 0
    for line in (proc / "meminfo").read_text().splitlines():
        if line.startswith("MemTotal:"):
            memory = int(line.split()[1]) * 1024
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file() and (said := limit.read_text().strip()).isdigit():
        memory = min(memory, int(said))
    gpu = (dev / "nvidia0").exists() and shutil.which("nvidia-smi") is not None
    return Machine(flags, memory, tuple(sorted(os.sched_getaffinity(0))) if cores is None else cores, gpu)


@dataclass(frozen=True, slots=True)
class Choice:
    """A generator for machines that have `memory` bytes or more."""

    variant: str
    memory: int


# The best answers that the machine writes within some five seconds, best first. See the table in docs: models.
CHOICES: Mapping[str, tuple[Choice, ...]] = {
    "gpu": (Choice("qwen2.5-coder-1.5b-instruct:bf16", 0),),
    "int8": (Choice("qwen2.5-coder-1.5b-instruct:w8a8", 8 * GB), Choice("qwen2.5-coder-0.5b-instruct:w8a8", 0)),
    "plain": (Choice("qwen2.5-coder-0.5b-instruct:bf16", 0),),
}


def choose_generator(machine: Machine, choices: Mapping[str, tuple[Choice, ...]] = CHOICES) -> str:
    """The variant, `pack:format`, that `auto` means on `machine`."""
    group = "gpu" if machine.gpu else "int8" if machine.fast_int8 else "plain"
    fitting = [choice for choice in choices[group] if machine.memory >= choice.memory]
    return (fitting or list(choices[group])[-1:])[0].variant


def compute_dtype(machine: Machine) -> str:
    """The number format that vLLM computes in: `bfloat16` where the processor has it or int8 runs on AVX-512, `float32` elsewhere."""
    return "bfloat16" if machine.gpu or machine.fast_bf16 or "avx512f" in machine.flags else "float32"
