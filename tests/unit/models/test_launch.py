"""vLLM is started with what suits the machine, and with nothing of our own settings or secrets in its environment."""

import json
import sys
from pathlib import Path

import pytest

from core.errors import Unavailable
from models.launch import CONTEXT, Launch, build_launch, core_list, find_program
from models.machine import GB, Machine

AVX2 = Machine(frozenset({"avx2"}), 16 * GB, (0, 1))
VNNI = Machine(frozenset({"avx2", "avx512f", "avx512_vnni"}), 8 * GB, (0, 1, 2, 3, 4, 5))
GPU = Machine(frozenset({"avx2"}), 64 * GB, (0, 1), gpu=True)
SERVER = ("-m", "vllm.entrypoints.openai.api_server")


def launch(machine: Machine = AVX2, program: tuple[str, ...] = ("python", *SERVER), **more: object) -> Launch:
    given = {"environ": {"PATH": "/bin", "QA_GENERATOR_KEY": "secret", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}} | more
    return build_launch(program, Path("/w/m-bf16"), "m", ("127.0.0.1", 8001), machine, **given)  # type: ignore[arg-type]


def flag(command: tuple[str, ...], name: str) -> str:
    return command[command.index(name) + 1]


def test_it_binds_to_the_address_and_shows_our_own_name() -> None:
    command = launch().command
    assert command[:3] == ("python", *SERVER)
    assert (flag(command, "--host"), flag(command, "--port")) == ("127.0.0.1", "8001")
    assert (flag(command, "--model"), flag(command, "--served-model-name")) == ("/w/m-bf16", "m")
    assert flag(command, "--max-model-len") == str(CONTEXT)


def test_nothing_is_fetched_or_reported() -> None:
    environment = launch().environment
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert environment["VLLM_NO_USAGE_STATS"] == "1"


def test_our_settings_and_limits_do_not_reach_it() -> None:
    environment = launch().environment
    assert environment["PATH"] == "/bin"
    assert not [name for name in environment if name.startswith("QA_") or name in ("OMP_NUM_THREADS", "PYTHONDONTWRITEBYTECODE")]


def test_a_key_is_asked_for_where_one_is_set() -> None:
    assert "VLLM_API_KEY" not in launch().environment
    assert launch(key="secret").environment["VLLM_API_KEY"] == "secret"
    assert "secret" not in " ".join(launch(key="secret").command)  # a command line can be read by every user


def test_adapters_at_run_time_and_code_of_models_stay_off() -> None:
    command = " ".join(launch().command)
    assert "lora" not in command
    assert "trust" not in command


def test_two_cores_are_both_bound_and_computing_is_float32_without_bfloat16() -> None:
    made = launch(AVX2)
    assert made.environment["VLLM_CPU_OMP_THREADS_BIND"] == "0-1"
    assert made.environment["VLLM_CPU_KVCACHE_SPACE"] == "2"
    assert flag(made.command, "--dtype") == "float32"
    assert "--enforce-eager" in made.command


def test_many_cores_leave_one_to_the_service() -> None:
    made = launch(VNNI)
    assert made.environment["VLLM_CPU_OMP_THREADS_BIND"] == "1-5"
    assert made.environment["VLLM_CPU_KVCACHE_SPACE"] == "1"
    assert flag(made.command, "--dtype") == "bfloat16"


def test_a_gpu_needs_none_of_the_processor_settings() -> None:
    made = launch(GPU, ("vllm", "serve"))
    assert made.command[:3] == ("vllm", "serve", "/w/m-bf16")
    assert flag(made.command, "--dtype") == "auto"
    assert "--enforce-eager" not in made.command
    assert "VLLM_CPU_OMP_THREADS_BIND" not in made.environment


def test_tokens_are_guessed_from_the_prompt() -> None:
    assert json.loads(flag(launch().command, "--speculative-config"))["method"] == "ngram"


def test_the_queue_has_an_end() -> None:
    assert int(flag(launch().command, "--max-num-queued-reqs")) > 0


def test_further_flags_come_last() -> None:
    assert launch(extra=("--max-model-len", "2048")).command[-2:] == ("--max-model-len", "2048")


@pytest.mark.parametrize(("cores", "text"), [((0,), "0"), ((0, 1), "0-1"), ((5, 0, 1, 2), "0-2,5"), ((1, 3, 4, 9), "1,3-4,9")])
def test_cores_are_written_as_runs(cores: tuple[int, ...], text: str) -> None:
    assert core_list(cores) == text


def program_at(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_given_interpreter_wins(tmp_path: Path) -> None:
    program_at(tmp_path / ".venv-vllm/bin/python")
    given = program_at(tmp_path / "mine/python")
    assert find_program(AVX2, root=tmp_path, python=given) == (str(given), *SERVER)


def test_a_given_interpreter_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no Python at .*nowhere"):
        find_program(AVX2, root=tmp_path, python=tmp_path / "nowhere")


def test_the_environment_of_its_own_is_found(tmp_path: Path) -> None:
    own = program_at(tmp_path / ".venv-vllm/bin/python")
    assert find_program(AVX2, root=tmp_path) == (str(own), *SERVER)


def test_with_a_gpu_the_upstream_command_is_taken(tmp_path: Path) -> None:
    program_at(tmp_path / ".venv-vllm/bin/python")
    command = program_at(tmp_path / "bin/vllm")
    assert find_program(GPU, root=tmp_path, path=str(command.parent)) == (str(command), "serve")
    assert find_program(AVX2, root=tmp_path, path=str(command.parent))[0].endswith(".venv-vllm/bin/python")


def test_without_any_vllm_both_remedies_are_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="make install-vllm.*QA_GENERATOR_URL"):
        find_program(AVX2, root=tmp_path)
    assert sys.executable
