"""A real disk without space: said so with the remedy, nothing that was indexed is lost, and with space again the same command works."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.reading import ask
from tests.integration.edge import FLOAT, PUMP, problem, service, two_generations
from tests.integration.ingest_desk import Desk

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_generations(tmp_path_factory.mktemp("template"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of four megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)  # lazy: after a failed test something may be open still


def fill_up(disk: Path, *, leave: int) -> Path:
    """A file that leaves about `leave` bytes of the disk."""
    filler = disk / "filler"
    free = os.statvfs(disk)
    filler.write_bytes(b"\1" * (free.f_bavail * free.f_frsize - leave))
    return filler


@pytest.mark.parametrize("leave", [0, 40_000, 200_000, 600_000])
def test_a_full_disk_is_said_so_loses_nothing_and_is_forgotten_once_there_is_space(template: Path, small_disk: Path, leave: int) -> None:
    shutil.copytree(template, small_disk, dirs_exist_ok=True)
    desk = Desk(small_disk.parent / "docs", small_disk / "data")
    shutil.copytree(template / "docs", desk.folder)
    serving = desk.collection()
    desk.write("large.md", "\n\n".join(f"Paragraph {n} of many different words {n * 7}." for n in range(3000)))
    filler = fill_up(small_disk, leave=leave)
    assert desk.ingest() == 2
    assert "cannot write" in desk.err
    assert "free some space and run the same command again" in desk.err
    assert serving.search("float switch", k=1).hits[0].source == "pumps.md", "a service that runs needs no space"
    serving.close()
    filler.unlink()
    assert desk.find("float switch")[0] == ("pumps.md", 1)
    assert desk.ingest() == 0
    assert desk.find("Paragraph 2999 of many different words 20993")[0][0] == "large.md"
    assert sorted(p.name for p in (desk.data / "default" / "generations").iterdir())[0].isdigit(), "nothing half-built is left"


async def test_a_delete_that_cannot_be_written_is_a_problem_and_the_document_stays(template: Path, small_disk: Path) -> None:
    shutil.copytree(template, small_disk, dirs_exist_ok=True)
    desk = Desk(small_disk / "docs", small_disk / "data")
    async with service(desk) as client:
        document = next(d for d in (await client.get("/documents")).json()["documents"] if d["source"] == "pumps.md")
        filler = fill_up(small_disk, leave=0)
        detail = problem(await client.delete(f"/documents/{document['id']}"), 503)
        assert "free some space" in detail
        assert str(small_disk) not in detail
        assert (await ask(client, PUMP))["citations"][0]["quote"] == FLOAT
        filler.unlink()
        assert (await client.delete(f"/documents/{document['id']}")).status_code == 204
        assert "pumps.md" not in (await client.get("/documents")).text
