"""What is installed is what the lock files say: every package pinned by hash, and every one that the project names is there."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "locks").glob("*.lock"))
HASH = re.compile(r"--hash=sha256:([0-9a-f]+)")


def canonical(name: str) -> str:
    """A package's name as the index compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(lock: Path) -> dict[str, tuple[str, list[str]]]:
    """Version and hashes of each package of a lock."""
    found: dict[str, tuple[str, list[str]]] = {}
    current = ""
    for line in lock.read_text(encoding="utf-8").splitlines():
        start = re.match(r"([A-Za-z0-9._-]+)==([^\s;\\]+)", line)
        if start:
            current = canonical(start.group(1))
            found[current] = (start.group(2), [])
        if current:
            found[current][1].extend(HASH.findall(line))
    return found


def lock(name: str) -> dict[str, tuple[str, list[str]]]:
    return pinned(ROOT / "locks" / f"{name}.lock")


def project() -> dict[str, object]:
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8")))


def named(requirements: list[str]) -> set[str]:
    return {canonical(re.split(r"[\s\[<>=!~;]", r, maxsplit=1)[0]) for r in requirements}


@pytest.mark.parametrize("path", LOCKS, ids=lambda p: p.name)
def test_every_package_is_pinned_to_a_version_and_at_least_one_hash(path: Path) -> None:
    packages = pinned(path)
    assert packages
    assert [name for name, (_, hashes) in packages.items() if not hashes] == []
    assert all(len(h) == 64 for _, hashes in packages.values() for h in hashes)


@pytest.mark.parametrize("path", LOCKS, ids=lambda p: p.name)
def test_no_lock_names_an_index_or_a_folder(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^--(?:index-url|extra-index-url|find-links)", text, flags=re.MULTILINE)


def test_the_service_lock_has_every_package_the_project_names_but_torch() -> None:
    table = project()["project"]
    assert isinstance(table, dict)
    assert named(table["dependencies"]) - set(lock("service")) == {"torch"}


def test_the_dev_lock_has_every_tool_and_agrees_with_the_service() -> None:
    groups = project()["dependency-groups"]
    assert isinstance(groups, dict)
    dev, service = lock("dev"), lock("service")
    assert named(groups["dev"]) <= set(dev)
    assert {n: (dev[n][0], service[n][0]) for n in set(dev) & set(service) if dev[n][0] != service[n][0]} == {}


def test_both_builds_of_torch_are_one_version() -> None:
    cpu, index = lock("torch-cpu")["torch"][0], lock("torch-index")["torch"][0]
    assert cpu.split("+")[0] == index
    for name in ("service", "vllm-cpu"):
        assert "torch" not in lock(name), "a torch in this lock would bring the large build where the small one was found"


def test_vllm_comes_without_what_breaks_beside_a_cpu_torch() -> None:
    packages = lock("vllm-cpu")
    assert "vllm-cpu" in packages
    assert not {"torchvision", "torchaudio", "torchcodec", "triton"} & set(packages)


# Lowest versions without a published hole that reaches this service.
FLOORS = {
    "service": {
        "starlette": (1, 3, 1),
        "python-multipart": (0, 0, 26),
        "transformers": (5, 3, 0),
        "faiss-cpu": (1, 15, 0),
        "pypdf": (6, 16, 1),
    },
    "vllm-cpu": {"vllm-cpu": (0, 22, 0), "starlette": (1, 0, 1), "transformers": (5, 3, 0)},
}


@pytest.mark.parametrize(("name", "package"), [(n, p) for n, floors in FLOORS.items() for p in floors])
def test_no_package_is_older_than_its_last_known_hole(name: str, package: str) -> None:
    packages = lock(name)
    if package not in packages:
        assert package == "python-multipart", f"{package} is expected in {name}.lock"
        return
    version = tuple(int(part) for part in re.findall(r"\d+", packages[package][0])[:3])
    assert version >= FLOORS[name][package]


def test_no_agpl_package_is_in_the_default_install() -> None:
    assert not {"pymupdf", "fitz", "ultralytics", "pymupdf4llm"} & (set(lock("service")) | set(lock("dev")) | set(lock("vllm-cpu")))


@pytest.mark.parametrize("script", [*sorted((ROOT / "scripts").glob("*.sh")), ROOT / ".ci" / "run"], ids=lambda p: p.name)
def test_every_script_parses_stops_at_errors_and_may_be_run(script: Path) -> None:
    subprocess.run(["bash", "-n", str(script)], check=True)
    assert "set -euo pipefail" in script.read_text(encoding="utf-8")
    assert script.stat().st_mode & 0o111


def test_make_help_names_every_target_that_make_offers() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)
    assert phony
    documented = set(re.findall(r"^([a-z-]+):.*## ", makefile, flags=re.MULTILINE))
    assert set(phony.group(1).split()) == documented


def test_continuous_integration_runs_the_command_a_person_runs() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
