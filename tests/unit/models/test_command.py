"""`python -m models` as a person meets it: help that teaches, one line an error, exit codes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.settings import Settings
from models.__main__ import show_packs

ROOT = Path(__file__).resolve().parents[3]


def run(tmp_path: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"QA_MODELS_DIR": str(tmp_path / "models"), "QA_DATA_DIR": str(tmp_path / "data")} | more
    return subprocess.run([sys.executable, "-m", "models", *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_the_help_teaches_how_to_use_another_server(tmp_path: Path) -> None:
    done = run(tmp_path, "--help")
    assert done.returncode == 0
    for word in ("QA_GENERATOR_URL", "QA_GENERATOR_KEY", "QA_GENERATOR_MODELS", "OpenAI-compatible", "pull", "serve"):
        assert word in done.stdout


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("serve", "gpt-9"), "serve: no pack is called 'gpt-9'; known packs: all-minilm-l6-v2, multilingual-e5-small"),
        (("pull", "gpt-9"), "pull: no pack is called 'gpt-9'"),
        (("serve", "smollm2-135m-instruct"), "run `python -m models pull smollm2-135m-instruct`"),
        (("pull", "smollm2-135m-instruct", "--source", "/nowhere"), "QA_PACK_SOURCE names /nowhere, which is not a folder"),
    ],
)
def test_an_error_is_one_line_and_exit_code_2(tmp_path: Path, words: tuple[str, ...], line: str) -> None:
    done = run(tmp_path, *words)
    assert done.returncode == 2
    assert line in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_a_mistyped_setting_is_named(tmp_path: Path) -> None:
    done = run(tmp_path, "list", QA_GENERATER="x")
    assert done.returncode == 2
    assert "QA_GENERATER" in done.stderr


def test_a_pull_from_a_wrong_file_refuses_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "e5-small-q4.bin").write_bytes(b"something else")
    done = run(tmp_path, "pull", "multilingual-e5-small", "--source", str(tmp_path))
    assert done.returncode == 2
    assert "is refused: its SHA-256 is" in done.stderr
    assert [p.name for p in (tmp_path / "models").rglob("*") if p.is_file()] == [".multilingual-e5-small.lock"]


def test_a_pull_that_is_stopped_leaves_nothing_half_written(tmp_path: Path) -> None:
    pipe = tmp_path / "e5-small-q4.bin"
    os.mkfifo(pipe)  # not a file: the pull goes on to pip, which is stopped while it waits
    slow = tmp_path / "bin"
    slow.mkdir()
    environment = os.environ | {"QA_MODELS_DIR": str(tmp_path / "models"), "PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
    command = [sys.executable, "-m", "models", "pull", "multilingual-e5-small", "--source", str(tmp_path)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment | {"PIP_FIND_LINKS": "", "PIP_RETRIES": "5"}, stderr=subprocess.PIPE)
    end = time.monotonic() + 20
    while not list((tmp_path / "models").rglob(".download-*")) and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode in (128 + signal.SIGTERM, 2)
    assert not list((tmp_path / "models").rglob(".download-*"))


def test_the_list_shows_what_is_here(tmp_path: Path) -> None:
    given = Settings.model_validate({"models_dir": tmp_path})
    assert "f32*" not in show_packs(given)
    (tmp_path / "weights" / "multilingual-e5-small").mkdir(parents=True)
    (tmp_path / "weights" / "multilingual-e5-small" / "pack.json").write_text("{}")
    assert "f32*" in show_packs(given)
    assert "auto on this machine" in show_packs(given)
