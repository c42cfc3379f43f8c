"""Real faults: a process killed at any moment, a file system that refuses to write, readers and a writer at the same time."""

import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.errors import DiskFull
from index.fakes import FakeEmbedder
from index.search import Collection
from index.writer import Writer
from tests.unit.index.corpus import CORPUS, entry, published

ROOT = Path(__file__).resolve().parents[3]
KILLS = 4  # a smoke of the loop; the seed is printed by pytest when one fails
CHILD = """
import sys
from pathlib import Path
from index.fakes import FakeEmbedder
from tests.unit.index.corpus import published
for n in range(10_000):
    published(Path(sys.argv[1]), FakeEmbedder(), {f"{m}.txt": f"text {m} of round {n}" for m in range(8)})
    print(n, flush=True)
"""


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes: the kernel refuses the write, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def whole(folder: Path, embedder: FakeEmbedder) -> int:
    """The round that a collection shows: all eight documents of one round, nothing of another."""
    reader = Collection.open(folder, embedder)
    hits = reader.search("text of round", k=50).hits
    rounds = {int(hit.passage.text.rsplit(" ", 1)[1]) for hit in hits}
    assert len(hits) == len({hit.source for hit in hits}) == len(reader.documents()) == 8
    assert len(rounds) == 1
    reader.close()
    return rounds.pop()


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_writer_killed_at_any_moment_loses_nothing_acknowledged_and_mixes_nothing(tmp_path: Path, seed: int) -> None:
    folder, embedder = tmp_path / "c", FakeEmbedder()
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    acknowledged = int(child.stdout.readline())
    time.sleep(random.Random(seed).random() * 0.5)
    child.send_signal(signal.SIGKILL)
    acknowledged = max([acknowledged, *map(int, child.stdout.read().split())])
    child.wait(10)
    child.stdout.close()
    assert whole(folder, embedder) in (acknowledged, acknowledged + 1)
    assert published(folder, embedder, {f"{m}.txt": f"text {m} of round -1" for m in range(8)})
    assert whole(folder, embedder) == -1


@pytest.mark.parametrize("size", [0, 1_000, 8_000, 40_000])
def test_a_disk_that_refuses_to_write_is_named_and_the_next_run_needs_nothing(folder: Path, embedder: FakeEmbedder, size: int) -> None:
    reader = Collection.open(folder, embedder)
    long = "\n".join(f"line {n} of a long text that no small disk can hold" for n in range(2_000))
    with largest_file(size), pytest.raises(DiskFull, match="free some space"):
        published(folder, embedder, CORPUS | {"long.txt": long})
    assert not reader.refresh() or reader.generation == 1
    assert Collection.open(folder, embedder).search("PPR-9087", k=1).hits[0].source == "pump.md"
    assert published(folder, embedder, CORPUS | {"long.txt": long}) is not None
    assert reader.refresh()
    assert reader.search("line 1999", k=1, leg="lexical").hits[0].source == "long.txt"


def test_readers_never_fail_and_never_mix_generations_while_a_writer_publishes(tmp_path: Path, embedder: FakeEmbedder) -> None:
    folder = tmp_path / "c"

    def round_of(n: int) -> dict[str, str]:
        return {f"{m}.txt": f"text {m} of round {n}" for m in range(8)}

    published(folder, embedder, round_of(0))
    reader, stop, failures = Collection.open(folder, embedder), threading.Event(), list[str]()

    def ask() -> None:
        while not stop.is_set():
            try:
                reader.refresh()
                result = reader.search("text of round", k=50)
                rounds = {hit.passage.text.rsplit(" ", 1)[1] for hit in result.hits}
                if len(rounds) != 1 or len(result.hits) != 8 or rounds != {str(result.generation - 1)}:
                    failures.append(f"generation {result.generation} showed rounds {rounds}, {len(result.hits)} hits")
            except Exception as error:  # noqa: BLE001 - any failure is what the test looks for
                failures.append(repr(error))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for n in range(1, 12):
        published(folder, embedder, round_of(n))
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    reader.refresh()
    assert reader.generation == 12


@pytest.mark.parametrize("seed", range(3))
def test_any_order_of_changes_ends_in_what_a_dictionary_holds(tmp_path: Path, seed: int) -> None:
    """An oracle: put, replace, drop, delete, publish, restart in any order, and search shows exactly the oracle's documents."""
    rng, embedder, folder = random.Random(seed), FakeEmbedder(), tmp_path / "c"
    wanted: dict[str, str] = {}
    writer = Writer.open(folder, embedder, chunker="1")
    for step in range(40):
        source = f"{rng.randrange(6)}.txt"
        match rng.randrange(6):
            case 0 | 1:
                wanted[source] = f"common word{rng.randrange(5)}"
                writer.put([entry(source, wanted[source])])
            case 2:
                wanted.pop(source, None)
                writer.drop([source])
            case 3 if step and (folder / "CURRENT").exists():
                reader = Collection.open(folder, embedder)
                shown = {record.source: record.id for record in reader.documents()}
                if source in shown:
                    reader.delete(shown[source])
                    wanted.pop(source, None)
                reader.close()
            case 4:
                writer.close()
                writer = Writer.open(folder, embedder, chunker="1")
            case _:
                writer.publish()
    writer.put([entry("last.txt", "common last")])
    wanted["last.txt"] = "common last"
    writer.publish()
    assert writer.publish() is None
    writer.close()
    reader = Collection.open(folder, embedder)
    assert {hit.source: hit.passage.text for hit in reader.search("common", k=50).hits} == wanted
    assert {record.source for record in reader.documents()} == set(wanted)
    reader.close()
