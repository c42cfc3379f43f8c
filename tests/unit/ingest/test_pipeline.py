"""The plan compares bytes; the run changes only what has to change, and a failure takes nothing away."""

import hashlib
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from core.errors import DiskFull, Unreadable
from index.fakes import FakeEmbedder
from index.records import DocumentRecord, Entry, no_progress
from ingest.discover import Found, Outcome, walk
from ingest.loaders.formats import Format
from ingest.loaders.markdown import from_markdown
from ingest.loaders.parsed import Parsed
from ingest.pipeline import Ingest, Report, make_plan, planned

CHUNKER = "v1"


@dataclass
class Store:
    """A store in memory that notes what is asked of it."""

    records: dict[str, DocumentRecord] = field(default_factory=dict)
    batches: list[int] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    published: int = 0
    full_after: int = 10**9  # documents until the disk is full

    def documents(self) -> dict[str, DocumentRecord]:
        return dict(self.records)

    def put(self, batch: Sequence[Entry], progress: Callable[[int], None] = no_progress) -> None:
        self.batches.append(len(batch))
        for entry in batch:
            if len(self.records) >= self.full_after:
                raise DiskFull("no space")
            d = entry.document
            assert hashlib.sha256(entry.original).hexdigest() == d.sha256
            self.records[d.source] = DocumentRecord(
                d.id, d.source, d.sha256, d.title, d.media_type, len(entry.original), len(entry.passages), len(d.pages), chunker=CHUNKER
            )
            self.texts[d.source] = d.text
            progress(len(entry.passages))

    def drop(self, sources: Iterable[str]) -> None:
        for source in sources:
            self.records.pop(source, None)

    def publish(self) -> int | None:
        self.published += 1
        return self.published


class Parser:
    """Parses Markdown here and now; a text that names a reason fails with it."""

    def __init__(self) -> None:
        self.parsed = 0

    def parse(self, data: bytes, chosen: Format) -> Parsed:
        assert chosen.name == "markdown"
        self.parsed += 1
        text = data.decode()
        if text.startswith("FAIL "):
            raise Unreadable(text[5:].strip(), "as asked")
        return from_markdown(text)


class Watcher:
    def __init__(self) -> None:
        self.steps: list[tuple[str, int]] = []
        self.files: list[str] = []
        self.passages = 0

    def begin(self, step: str, total: int) -> None:
        self.steps.append((step, total))

    def file_done(self, source: str) -> None:
        self.files.append(source)

    def passages_done(self, count: int) -> None:
        self.passages += count


@dataclass
class World:
    root: Path
    store: Store = field(default_factory=Store)
    parser: Parser = field(default_factory=Parser)
    watcher: Watcher = field(default_factory=Watcher)
    originals: Path | None = None

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.root / f"{name}.md").write_text(text, encoding="utf-8")

    def run(self, *, everything: bool = False, chunker: str = CHUNKER, found: Found | None = None) -> Report:
        found = found or walk(self.root)
        records = self.store.documents()
        plan = make_plan(found, records, chunker=chunker, file_mb=1, watcher=self.watcher, everything=everything)
        if everything:
            self.store.records.clear()
        ingest = Ingest(self.store, FakeEmbedder(), self.parser, self.watcher, 60, 1, workers=2, originals=self.originals)
        return ingest.run(plan, found, records)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_new_files_are_added_with_their_identity(world: World) -> None:
    world.write(a="# 標題\n\n內文。", b="No heading here.")
    report = world.run()
    assert report.added == ["a.md", "b.md"]
    assert report.generation == 1
    record = world.store.records["a.md"]
    assert record.id == hashlib.sha256(b"a.md").hexdigest()[:16]
    assert (record.title, world.store.records["b.md"].title) == ("標題", "b")
    assert report.passages == 2


def test_an_unchanged_file_is_neither_parsed_nor_put(world: World) -> None:
    world.write(a="One.", b="Two.")
    world.run()
    report = world.run()
    assert report.unchanged == ["a.md", "b.md"]
    assert world.parser.parsed == 2
    assert world.store.batches == [2]


def test_changed_vanished_and_new_files(world: World) -> None:
    world.write(a="One.", b="Two.", c="Three.")
    world.run()
    world.write(b="Two, changed.", d="Four.")
    (world.root / "c.md").unlink()
    report = world.run()
    assert (report.added, report.replaced, report.dropped, report.unchanged) == (["d.md"], ["b.md"], ["c.md"], ["a.md"])
    assert set(world.store.records) == {"a.md", "b.md", "d.md"}
    assert world.store.texts["b.md"] == "Two, changed."


def test_a_renamed_file_is_dropped_and_added(world: World) -> None:
    world.write(old="Same words.")
    world.run()
    (world.root / "old.md").rename(world.root / "new.md")
    report = world.run()
    assert (report.added, report.dropped) == (["new.md"], ["old.md"])


def test_two_files_of_the_same_bytes_are_two_documents(world: World) -> None:
    world.write(a="Same.", b="Same.")
    assert world.run().added == ["a.md", "b.md"]
    assert world.store.records["a.md"].id != world.store.records["b.md"].id


def test_a_new_way_of_cutting_replaces_everything(world: World) -> None:
    world.write(a="One.")
    world.run()
    assert world.run(chunker="v2").replaced == ["a.md"]


def test_a_file_that_fails_does_not_stop_the_others(world: World) -> None:
    world.write(a="One.", b="FAIL damaged", c="Three.", d="")
    report = world.run()
    assert report.added == ["a.md", "c.md"]
    assert [(o.source, o.reason) for o in report.failed] == [("b.md", "damaged"), ("d.md", "no text")]
    assert report.kept == []
    assert report.generation == 1


def test_what_was_indexed_stays_when_the_file_fails_now(world: World) -> None:
    world.write(a="The old words.")
    world.run()
    world.write(a="FAIL encrypted")
    report = world.run()
    assert report.kept == ["a.md"]
    assert world.store.texts["a.md"] == "The old words."
    assert "a.md" in world.store.records


def test_an_indexed_file_that_cannot_be_read_stays(world: World) -> None:
    world.write(a="Words.", b="More.")
    world.run()
    found = walk(world.root)
    (world.root / "a.md").unlink()
    report = world.run(found=found)
    assert [(o.source, o.reason) for o in report.failed] == [("a.md", "unreadable")]
    assert report.kept == ["a.md"]
    assert report.dropped == []


def test_files_of_a_folder_that_cannot_be_looked_into_stay(world: World) -> None:
    (world.root / "sub").mkdir()
    (world.root / "sub/x.md").write_text("Words.")
    world.write(a="One.", subway="Two.")
    world.run()
    found = walk(world.root)
    found.files[:] = [f for f in found.files if f.source == "a.md"]
    found.failed.append(Outcome("sub", "unreadable"))
    report = world.run(found=found)
    assert report.dropped == ["subway.md"]
    assert "sub/x.md" in world.store.records


def test_everything_stays_when_the_root_itself_cannot_be_listed(world: World) -> None:
    world.write(a="One.")
    world.run()
    assert world.run(found=Found(failed=[Outcome(".", "unreadable")])).dropped == []


def test_what_was_deleted_through_the_api_stays_out_until_it_changes(world: World) -> None:
    world.write(a="One.", b="Two.")
    world.run()
    world.store.records["a.md"] = replace(world.store.records["a.md"], deleted=True)
    report = world.run()
    assert (report.kept_out, report.unchanged) == (["a.md"], ["b.md"])
    world.write(a="One, rewritten.")
    assert world.run().replaced == ["a.md"]


def test_files_are_put_in_batches(world: World) -> None:
    world.write(**{f"f{n:03}": f"Text {n}." for n in range(150)})
    world.run()
    assert world.store.batches == [64, 64, 22]


def test_the_watcher_hears_of_every_file_and_passage(world: World) -> None:
    world.write(a="One.", b="FAIL limit", c="Three.")
    report = world.run()
    assert world.watcher.steps == [("compare", 3), ("index", 3), ("publish", 0)]
    assert world.watcher.passages == report.passages == 2
    assert sorted(world.watcher.files) == ["a.md", "a.md", "b.md", "b.md", "c.md", "c.md"]


def test_a_full_disk_stops_the_run_and_keeps_what_was_put(world: World) -> None:
    world.write(**{f"f{n:03}": f"Text {n}." for n in range(100)})
    world.store.full_after = 70
    with pytest.raises(DiskFull):
        world.run()
    assert len(world.store.records) == 70
    assert world.store.published == 0
    world.store.full_after = 10**9
    report = world.run()
    assert (len(report.added), len(report.unchanged)) == (30, 70)


def test_a_dry_run_tells_and_does_nothing(world: World) -> None:
    world.write(a="One.", b="Two.")
    world.run()
    world.write(a="Changed.", c="New.")
    (world.root / "b.md").unlink()
    found = walk(world.root)
    report = planned(make_plan(found, world.store.documents(), chunker=CHUNKER, file_mb=1, watcher=world.watcher), found)
    assert report.dry_run
    assert (report.added, report.replaced, report.dropped) == (["c.md"], ["a.md"], ["b.md"])
    assert world.store.published == 1


def test_everything_again_replaces_all_and_brings_deleted_files_back(world: World) -> None:
    world.write(a="One.", b="Two.")
    world.run()
    world.store.records["a.md"] = replace(world.store.records["a.md"], deleted=True)
    report = world.run(everything=True)
    assert report.replaced == ["a.md", "b.md"]


def test_everything_again_takes_what_fails_now_from_the_kept_original(world: World, tmp_path_factory: pytest.TempPathFactory) -> None:
    world.originals = tmp_path_factory.mktemp("originals")
    world.write(a="The old words.", b="Lost for good.", c="Fine.")
    world.run()
    for source in ("a.md", "c.md"):
        (world.originals / world.store.records[source].sha256).write_bytes(world.store.texts[source].encode())
    world.write(a="FAIL damaged", b="FAIL damaged")
    report = world.run(everything=True)
    assert [o.source for o in report.failed] == ["a.md", "b.md"]
    assert report.kept == ["a.md"], "of b the original is gone, and the report must not promise it"
    assert world.store.texts["a.md"] == "The old words."
    assert set(world.store.records) == {"a.md", "c.md"}


class SlowFirst(Parser):
    """The first file takes longer than the others."""

    def __init__(self) -> None:
        super().__init__()
        self.others = threading.Event()

    def parse(self, data: bytes, chosen: Format) -> Parsed:
        if data == b"first":
            assert self.others.wait(10)
        else:
            self.others.set()
        return super().parse(data, chosen)


def test_files_are_parsed_side_by_side_and_reported_in_order(world: World) -> None:
    world.parser = SlowFirst()
    world.write(a="first", b="second", c="third")
    assert world.run().added == ["a.md", "b.md", "c.md"]
