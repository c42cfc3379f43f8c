"""The house keeps its budgets (docs/adr records every exception). Run by `make check`."""

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("core", "models", "index", "ingest", "app", "evaluation", "training")
LONGEST_FILE = 400
LONGEST_FUNCTION = 60
MOST_SETTINGS = 30
MOST_MOCKS_PER_TEST = 0.05


def code_files() -> list[Path]:
    return sorted(p for package in PACKAGES for p in (ROOT / package).rglob("*.py"))


def python_files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def written_files() -> Iterator[Path]:
    """Every file of the project but what is installed, made or cached."""
    made = {".git", ".venv", ".venv-vllm", "data", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".import_linter_cache"}
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [f for f in folders if f not in made]
        yield from (Path(folder) / f for f in files)


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", code_files() + python_files("tests") + python_files("bench"), ids=name)
def test_file_and_function_lengths(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_FILE
    lengths = {f.name: (f.end_lineno or f.lineno) - f.lineno + 1 for f in functions(ast.parse(text))}
    too_long = {function: lines for function, lines in lengths.items() if lines > LONGEST_FUNCTION}
    assert not too_long


@pytest.mark.parametrize("path", code_files(), ids=name)
def test_no_import_of_our_own_inside_a_function(path: Path) -> None:
    for function in functions(ast.parse(path.read_text(encoding="utf-8"))):
        for node in ast.walk(function):
            modules = imported(node)
            own = [m for m in modules if m.split(".")[0] in PACKAGES]
            assert not own, f"{function.name} imports {own}: a cycle or a wrong direction is hidden here"


def test_no_code_runs_a_pickle_or_a_remote_file() -> None:
    risky = re.compile(r"\b(pickle|joblib|torch\.load|allow_pickle\s*=\s*True|trust_remote_code\s*=\s*True|yaml\.load)\b")
    found = [name(p) for p in code_files() if risky.search(p.read_text(encoding="utf-8"))]
    assert not found


def test_settings_are_few_described_and_documented() -> None:
    assert len(Settings.model_fields) <= MOST_SETTINGS
    assert all(f.description for f in Settings.model_fields.values())
    manuals = {lang: "".join(p.read_text(encoding="utf-8") for p in (ROOT / "docs" / lang).glob("*.md")) for lang in ("en", "zh-TW")}
    for lang, manual in manuals.items():
        missing = [f"QA_{f.upper()}" for f in Settings.model_fields if f"QA_{f.upper()}" not in manual]
        assert not missing, f"docs/{lang} does not explain {missing}"


def test_tests_are_as_long_as_the_code() -> None:
    def lines(paths: list[Path]) -> int:
        return sum(len(p.read_text(encoding="utf-8").splitlines()) for p in paths)

    assert lines(python_files("tests")) >= lines(code_files())


def test_mocks_are_rare() -> None:
    text = "".join(p.read_text(encoding="utf-8") for p in python_files("tests") if p != Path(__file__))
    tests = len(re.findall(r"^\s*(?:async )?def test_", text, flags=re.MULTILINE))
    mocks = len(re.findall(r"\bMock\(|\bpatch\(|\bmonkeypatch\.", text))
    assert mocks <= MOST_MOCKS_PER_TEST * tests


def test_nothing_names_a_machine_or_a_registry() -> None:
    forbidden = re.compile(r"/work/|/opt/(?:wheels|pypi)|/root/|files\.pythonhosted|pypi\.org|download\.pytorch\.org|registry\.npmjs")
    suffixes = {".py", ".md", ".toml", ".sh", ".yml", ".yaml", ".lock", ".in", ".txt", ".html", ".js", ".css", ""}
    found = []
    for path in written_files():
        if path.suffix in suffixes and path != Path(__file__) and forbidden.search(path.read_text(encoding="utf-8", errors="replace")):
            found.append(name(path))
    assert not found
