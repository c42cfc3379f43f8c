"""Crash and corruption: whatever happens, what a reader serves is whole, and the next run needs no manual step."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import Damaged, DiskFull, NotFound
from index import generation as generations
from index.disk import write_durable, writing
from index.fakes import FakeEmbedder
from index.search import Collection
from index.writer import Writer
from tests.unit.index.corpus import CORPUS, entry, published

STEPS = ("build", "vectors", "lexical", "verify", "manifest", "record", "adopt", "point")


class Killed(BaseException):
    """Stands for the end of the process: nothing may catch it."""


def failing_at(wanted: str, error: BaseException) -> Callable[[str], None]:
    def step(name: str) -> None:
        if name == wanted:
            raise error

    return step


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= 0x10
    path.chmod(0o644)
    path.write_bytes(content)


def forget_and_run_out_of_space(writer: Writer) -> None:
    with writer._ledger.transaction() as db:
        db.execute("DELETE FROM documents")
        raise OSError(errno.ENOSPC, "No space left on device")


def two_generations(folder: Path, embedder: FakeEmbedder) -> None:
    assert published(folder, embedder, CORPUS | {"new.txt": "the second generation"}) == 2


def files_of(folder: Path, generation: int) -> list[Path]:
    return sorted(p for p in generations.folder_of(folder, generation).rglob("*") if p.is_file() and not p.name.endswith(".lock"))


NO_SPACE, BROKEN_DISK = OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize(
    ("step", "error"), [*((step, Killed()) for step in STEPS), ("vectors", NO_SPACE), ("manifest", BROKEN_DISK), ("point", NO_SPACE)]
)
def test_a_publication_that_ends_at_any_step_changes_nothing_and_the_next_one_works(
    folder: Path, embedder: FakeEmbedder, step: str, error: BaseException
) -> None:
    reader = Collection.open(folder, embedder)
    expected = DiskFull if isinstance(error, OSError) else Killed
    with Writer.open(folder, embedder, chunker="1", step=failing_at(step, error)) as writer:
        writer.put([entry("new.txt", "the second generation")])
        with pytest.raises(expected):
            writer.publish()
    for one in (reader, Collection.open(folder, embedder)):
        one.refresh()
        assert one.generation == 1
        assert one.search("PPR-9087", k=1).hits[0].source == "pump.md"
    embedded = embedder.encoded
    with Writer.open(folder, embedder, chunker="1") as writer:
        assert "new.txt" in writer.documents()  # it had been taken in
        assert writer.publish() or 0 > 1
    assert embedder.encoded == embedded
    assert reader.refresh()
    assert reader.search("second generation", k=1).hits[0].source == "new.txt"


def test_one_flipped_byte_in_any_file_is_noticed_and_the_generation_before_is_served(folder: Path, embedder: FakeEmbedder) -> None:
    two_generations(folder, embedder)
    for path in files_of(folder, 2):
        content = path.read_bytes()
        for place in range(0, len(content), 1 + len(content) // 20):
            flip(path, place)
            with pytest.raises(Damaged):
                generations.verify(generations.folder_of(folder, 2))
            path.write_bytes(content)
        if content:
            flip(path, len(content) // 3)
            reader = Collection.open(folder, embedder)
            assert (reader.generation, reader.damaged) == (1, (2,)), path.name
            assert reader.search("PPR-9087", k=1).hits[0].source == "pump.md"
            path.write_bytes(content)
    assert Collection.open(folder, embedder).generation == 2


@pytest.mark.parametrize("spoil", [lambda p: p.unlink(), lambda p: p.write_bytes(b""), lambda p: p.write_bytes(p.read_bytes()[:-1])])
def test_a_missing_empty_or_cut_file_is_noticed(folder: Path, embedder: FakeEmbedder, spoil: Callable[[Path], object]) -> None:
    two_generations(folder, embedder)
    for path in files_of(folder, 2):
        content = path.read_bytes()
        if content:
            spoil(path)
            assert Collection.open(folder, embedder).generation == 1, path.name
            path.write_bytes(content)


def test_nothing_whole_left_is_said_with_the_remedy(folder: Path, embedder: FakeEmbedder) -> None:
    flip(files_of(folder, 1)[-1], 10)
    with pytest.raises(Damaged, match="python -m ingest"):
        Collection.open(folder, embedder)


def test_the_writer_sets_a_damaged_generation_aside_and_builds_it_anew_without_embedding(folder: Path, embedder: FakeEmbedder) -> None:
    embedded = embedder.encoded
    flip(generations.folder_of(folder, 1) / "vectors.faiss", 200)
    assert published(folder, embedder) == 2
    assert embedder.encoded == embedded
    assert (folder / "generations" / "000001.damaged").is_dir()
    assert Collection.open(folder, embedder).search("PPR-9087", k=1).hits[0].source == "pump.md"


@pytest.mark.parametrize(
    "content", [b"", b"0000", b"000002", b"garbage \xff\n", b"000009 0123456789abcdef\n", b"000001 0123456789abcdef\n"]
)
def test_a_spoiled_pointer_costs_nothing_but_a_log_line(folder: Path, embedder: FakeEmbedder, content: bytes) -> None:
    two_generations(folder, embedder)
    (folder / "CURRENT").write_bytes(content)
    assert Collection.open(folder, embedder).generation == 2
    assert published(folder, embedder) == 3  # the writer makes a pointer that can be trusted again
    assert generations.current(folder) == 3


def test_a_reader_keeps_what_it_has_when_the_pointer_is_spoiled_under_it(folder: Path, embedder: FakeEmbedder) -> None:
    reader = Collection.open(folder, embedder)
    (folder / "CURRENT").write_bytes(b"")
    assert not reader.refresh()
    assert reader.search("PPR-9087", k=1).hits[0].source == "pump.md"


def test_a_damaged_newer_generation_does_not_disturb_a_reader(folder: Path, embedder: FakeEmbedder) -> None:
    reader = Collection.open(folder, embedder)
    two_generations(folder, embedder)
    flip(generations.folder_of(folder, 2) / "rows.npy", 130)
    assert not reader.refresh()
    assert reader.generation == 1
    assert reader.damaged == (2,)


def test_what_an_interrupted_writer_left_is_removed_and_nothing_else(folder: Path, embedder: FakeEmbedder) -> None:
    for name in (".building-000002", ".deleted-000000"):
        (folder / "generations" / name).mkdir()
    (folder / "generations" / "000000.damaged").mkdir()
    Writer.open(folder, embedder, chunker="1").close()
    assert sorted(p.name for p in (folder / "generations").iterdir()) == ["000000.damaged", "000001"]


def test_a_ledger_that_is_no_ledger_is_named(folder: Path, embedder: FakeEmbedder) -> None:
    for suffix in ("-wal", "-shm"):
        (folder / f"ledger.sqlite{suffix}").unlink(missing_ok=True)
    (folder / "ledger.sqlite").write_bytes(b"this is no database, " * 300)
    with pytest.raises(Damaged, match="ledger.sqlite"):
        Collection.open(folder, embedder)
    with pytest.raises(Damaged, match="ledger.sqlite"):
        Writer.open(folder, embedder, chunker="1")


def test_a_passage_changed_in_the_ledger_is_not_shown(folder: Path, embedder: FakeEmbedder) -> None:
    with Writer.open(folder, embedder, chunker="1") as writer, writer._ledger.transaction() as db:
        db.execute("UPDATE passages SET text = replace(text, '9087', '9088')")
    with pytest.raises(Damaged, match="pump|passage"):
        Collection.open(folder, embedder).search("PPR-9087", k=1, leg="lexical")


def test_a_failed_transaction_leaves_no_trace(folder: Path, embedder: FakeEmbedder) -> None:
    with Writer.open(folder, embedder, chunker="1") as writer:
        before = writer._ledger.document_set()
        with pytest.raises(DiskFull):
            forget_and_run_out_of_space(writer)
        assert writer._ledger.document_set() == before


def test_durable_writing_leaves_the_old_content_when_it_fails(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_durable(path, b"old")
    with pytest.raises(TypeError):
        write_durable(path, "not bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]  # noqa: PTH208 - hidden files too


def test_other_errors_are_not_called_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), writing(tmp_path):
        raise PermissionError(errno.EACCES, "no")
    with pytest.raises(ValueError, match="other"), writing(tmp_path):
        raise ValueError("other")


def test_a_folder_that_never_held_a_generation_is_not_found(tmp_path: Path, embedder: FakeEmbedder) -> None:
    with pytest.raises(NotFound, match="python -m ingest"):
        Collection.open(tmp_path / "none", embedder)
    Writer.open(tmp_path / "empty", embedder, chunker="1").close()
    with pytest.raises(NotFound):
        Collection.open(tmp_path / "empty", embedder)
