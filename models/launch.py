"""How vLLM is started on this machine: which program, which flags, which environment."""

import importlib.util
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import Unavailable
from models.machine import GB, Machine, compute_dtype

ENVIRONMENT = ".venv-vllm"  # made by `make install-vllm`
CONTEXT = 4096  # tokens of prompt and answer together; small, for the memory of the key-value cache
SEQUENCES = 4  # answers written at once; more would wait for the same two cores
# Guess the next tokens from what the prompt says after the last two to four: answers copy passages, so most guesses hold, and a
# batch of guesses costs about as much as one token. Measured on two AVX2 cores: 5 tokens/s become 7-14.
SPECULATION = {"method": "ngram", "num_speculative_tokens": 6, "prompt_lookup_max": 4, "prompt_lookup_min": 2}
# Threads are bound below; and without compiled modules on disk every start would compile all of vLLM again (a minute).
NOT_HANDED_ON = frozenset({"OMP_NUM_THREADS", "PYTHONDONTWRITEBYTECODE"})
QUEUE = 32  # further requests are refused at once instead of waiting without end


@dataclass(frozen=True, slots=True)
class Launch:
    """A command and the whole environment it runs in."""

    command: tuple[str, ...]
    environment: Mapping[str, str]


def find_program(machine: Machine, *, root: Path, python: Path | None = None, path: str | None = None) -> tuple[str, ...]:
    """What to put before vLLM's flags. `python` wins; then with a GPU `vllm` on the path; then the environment of its own; then
    this interpreter where it has vLLM. Raises Unavailable naming the remedy.
    """
    server = ("-m", "vllm.entrypoints.openai.api_server")
    if python is not None:
        if not python.is_file():
            raise Unavailable(f"there is no Python at {python}")
        return (str(python), *server)
    if machine.gpu and (command := shutil.which("vllm", path=path)):
        return (command, "serve")
    own = root / ENVIRONMENT / "bin" / "python"
    if own.is_file():
        return (str(own), *server)
    if importlib.util.find_spec("vllm") is not None:
        return (sys.executable, *server)
    raise Unavailable(
        "vLLM is not installed: run `make install-vllm`, or set QA_GENERATOR_URL to any OpenAI-compatible server that is already running"
    )


def core_list(cores: Sequence[int]) -> str:
    """Processor numbers as vLLM reads them, runs shortened: (0, 1, 2, 5) is `0-2,5`."""
    runs: list[list[int]] = []
    for core in sorted(cores):
        if runs and runs[-1][-1] == core - 1:
            runs[-1].append(core)
        else:
            runs.append([core])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def build_launch(
    program: Sequence[str],
    folder: Path,
    name: str,
    address: tuple[str, int],
    machine: Machine,
    environ: Mapping[str, str],
    *,
    key: str = "",
    extra: Sequence[str] = (),
) -> Launch:
    """The command that serves the weights in `folder` under `name`. `extra` flags come last, so they win.

    Every core is bound by name: vLLM's own choice leaves one of two idle. Running eagerly starts in less than half the time and
    decodes no slower. Adapters at run time stay off, and nothing is fetched or reported.
    """
    model = ("--model", str(folder)) if "-m" in program else (str(folder),)
    host, port = address
    flags = [*model, "--served-model-name", name, "--host", host, "--port", str(port), "--max-model-len", str(CONTEXT)]
    flags += ["--speculative-config", json.dumps(SPECULATION)]
    flags += ["--max-num-queued-reqs", str(QUEUE), "--disable-uvicorn-access-log"]
    environment = {k: v for k, v in environ.items() if not k.startswith("QA_") and k not in NOT_HANDED_ON}
    environment |= {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "TOKENIZERS_PARALLELISM": "false"}
    if machine.gpu:
        flags += ["--dtype", "auto"]
    else:
        flags += ["--dtype", compute_dtype(machine), "--max-num-seqs", str(SEQUENCES), "--enforce-eager"]
        cores = machine.cores if len(machine.cores) <= 4 else machine.cores[1:]  # the service keeps one where there are many
        environment["VLLM_CPU_OMP_THREADS_BIND"] = core_list(cores)
        environment["VLLM_CPU_KVCACHE_SPACE"] = "2" if machine.memory >= 12 * GB else "1"
    if key:
        environment["VLLM_API_KEY"] = key
    return Launch((*program, *flags, *extra), environment)
