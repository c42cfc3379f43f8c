"""From a folder to a published generation: compare, parse, cut, put, drop, publish. Knows no file format and no engine."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Protocol

from core.errors import Unreadable
from core.types import Document, Passage
from index.records import DocumentRecord, Embedder, Entry
from ingest.chunking import cut
from ingest.discover import Found, Outcome, SourceFile, fingerprint, read_stable
from ingest.loaders.formats import Format, format_of
from ingest.loaders.parsed import Parsed, one_line

_BATCH_PASSAGES = 256
_BATCH_FILES = 64
_BATCH_BYTES = 64_000_000
_IN_FLIGHT_BYTES = 256_000_000


class Store(Protocol):
    """What the pipeline asks of `index.writer.Writer`."""

    def documents(self) -> dict[str, DocumentRecord]: ...
    def put(self, batch: Sequence[Entry], progress: Callable[[int], None] = ...) -> None: ...
    def drop(self, sources: Iterable[str]) -> None: ...
    def publish(self) -> int | None: ...


class Parser(Protocol):
    """What the pipeline asks of `ingest.sandbox.Sandbox`. Called from several threads."""

    def parse(self, data: bytes, chosen: Format) -> Parsed: ...


class Watcher(Protocol):
    """Told how far the work is; the terminal shows it."""

    def begin(self, step: str, total: int) -> None:
        """A step of `total` files begins: compare, index or publish."""

    def file_done(self, source: str) -> None: ...
    def passages_done(self, count: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to be done. `failed` could not even be read; `kept_out` was deleted through the API and is unchanged since."""

    added: tuple[SourceFile, ...] = ()
    replaced: tuple[SourceFile, ...] = ()
    unchanged: tuple[str, ...] = ()
    kept_out: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    failed: tuple[Outcome, ...] = ()


@dataclass(slots=True)
class Report:
    """What was done. `kept` are failed sources of which the version indexed before is still there."""

    added: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    failed: list[Outcome] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    kept_out: list[str] = field(default_factory=list)
    skipped: list[Outcome] = field(default_factory=list)
    empty_pages: dict[str, list[int]] = field(default_factory=dict)  # by source, numbers of pages without text
    passages: int = 0  # cut from the added and replaced files
    generation: int | None = None  # published by this run; None: what was published is up to date
    dry_run: bool = False


def make_plan(
    found: Found, records: Mapping[str, DocumentRecord], *, chunker: str, file_mb: int, watcher: Watcher, everything: bool = False
) -> Plan:
    """Compare the folder with the index by the bytes of each file. `everything` takes unchanged files for changed ones."""
    added, replaced, unchanged, kept_out, failed = [], [], [], [], list(found.failed)
    watcher.begin("compare", len(found.files))
    for file in found.files:
        record = records.get(file.source)
        if record is None:
            added.append(file)  # read, hashed and parsed in one go later
        else:
            try:
                same = fingerprint(file.path, file_mb=file_mb) == record.sha256
            except Unreadable as error:
                failed.append(Outcome(file.source, error.reason, error.detail))
            else:
                if same and record.deleted and not everything:
                    kept_out.append(file.source)
                elif same and record.chunker == chunker and not everything:
                    unchanged.append(file.source)
                else:
                    replaced.append(file)
        watcher.file_done(file.source)
    there = {f.source for f in found.files} | {f.source for f in failed}
    blind = tuple("" if f.source == "." else f.source + "/" for f in found.failed)  # what lies in a folder that cannot be read is unknown
    dropped = [s for s in records if s not in there and not s.startswith(blind)]
    return Plan(tuple(added), tuple(replaced), tuple(unchanged), tuple(kept_out), tuple(dropped), tuple(failed))


def planned(plan: Plan, found: Found) -> Report:
    """The report of a dry run."""
    report = _report(plan, found, {})
    report.dry_run = True
    report.added, report.replaced, report.dropped = [f.source for f in plan.added], [f.source for f in plan.replaced], list(plan.dropped)
    return report


def _report(plan: Plan, found: Found, records: Mapping[str, DocumentRecord]) -> Report:
    report = Report(unchanged=list(plan.unchanged), kept_out=list(plan.kept_out), skipped=list(found.skipped))
    for outcome in plan.failed:
        _fail(report, outcome, records)
    return report


def _fail(report: Report, outcome: Outcome, records: Mapping[str, DocumentRecord]) -> None:
    report.failed.append(outcome)
    record = records.get(outcome.source)
    if record is not None and not record.deleted:
        report.kept.append(outcome.source)


@dataclass(frozen=True, slots=True)
class Ingest:
    """The tools of one run. `workers` files are parsed at once while the batch before is embedded.

    `originals` is the folder of the bytes accepted before, by SHA-256, for a run that has made the store forget everything:
    what fails now, or cannot be looked at, is then taken from there.
    """

    store: Store
    embedder: Embedder
    parser: Parser
    watcher: Watcher
    passage_tokens: int
    file_mb: int
    workers: int = 2
    originals: Path | None = None

    def run(self, plan: Plan, found: Found, records: Mapping[str, DocumentRecord]) -> Report:
        """Carry out `plan` and publish. A file that fails leaves what the index had of it as it was."""
        report = _report(plan, found, records)
        replaced = {f.source for f in plan.replaced}
        wanted = sorted([*plan.added, *plan.replaced], key=lambda f: f.source)
        self.watcher.begin("index", len(wanted))
        batch: list[Entry] = []
        for file, entry in self._entries(wanted):
            if isinstance(entry, Unreadable):
                _fail(report, Outcome(file.source, entry.reason, entry.detail), records)
                self.watcher.file_done(file.source)
                continue
            (report.replaced if file.source in replaced else report.added).append(file.source)
            empty = [page.number for page in entry.document.pages if page.start == page.end]
            if empty:
                report.empty_pages[file.source] = empty
            report.passages += len(entry.passages)
            batch.append(entry)
            if _full(batch):
                self._put(batch)
                batch = []
        self._put(batch)
        self._keep_old(report, plan, records)
        self.store.drop(plan.dropped)
        report.dropped = list(plan.dropped)
        self.watcher.begin("publish", 0)
        report.generation = self.store.publish()
        return report

    def _keep_old(self, report: Report, plan: Plan, records: Mapping[str, DocumentRecord]) -> None:
        """After the store has forgotten everything: put back the old version of what was neither indexed now nor dropped."""
        if self.originals is None:
            return
        settled = {*report.added, *report.replaced, *plan.dropped}
        for source, record in records.items():
            chosen = format_of(source)
            if source in settled or record.deleted or chosen is None:
                continue
            path = self.originals / record.sha256
            try:
                file = SourceFile(source, path, chosen)
                entry = self._made(file, *self._read_and_parse(file))
            except Unreadable:
                report.kept = [kept for kept in report.kept if kept != source]
            else:
                self._put([entry])

    def _put(self, batch: Sequence[Entry]) -> None:
        if batch:
            self.store.put(batch, self.watcher.passages_done)
            for entry in batch:
                self.watcher.file_done(entry.document.source)

    def _entries(self, files: Sequence[SourceFile]) -> Iterator[tuple[SourceFile, Entry | Unreadable]]:
        """Entries in the order of `files`, parsed ahead in threads (the work is in child processes), by a bounded number of bytes."""
        waiting: list[tuple[SourceFile, int, Future[tuple[bytes, Parsed]]]] = []
        following = iter(files)
        exhausted = False
        with ThreadPoolExecutor(self.workers, thread_name_prefix="parse") as pool:
            while waiting or not exhausted:
                while not exhausted and self._room(waiting):
                    file = next(following, None)
                    if file is None:
                        exhausted = True
                    else:
                        waiting.append((file, _size(file), pool.submit(self._read_and_parse, file)))
                if waiting:
                    file, _, future = waiting.pop(0)
                    yield file, self._entry(file, future)

    def _room(self, waiting: Sequence[tuple[SourceFile, int, Future[tuple[bytes, Parsed]]]]) -> bool:
        return not waiting or (len(waiting) < 4 * self.workers and sum(size for _, size, _ in waiting) < _IN_FLIGHT_BYTES)

    def _read_and_parse(self, file: SourceFile) -> tuple[bytes, Parsed]:
        data = read_stable(file.path, file_mb=self.file_mb)
        return data, self.parser.parse(data, file.format)

    def _entry(self, file: SourceFile, future: "Future[tuple[bytes, Parsed]]") -> Entry | Unreadable:
        try:
            return self._made(file, *future.result())
        except Unreadable as error:
            return error

    def _made(self, file: SourceFile, data: bytes, parsed: Parsed) -> Entry:
        document = make_document(file, data, parsed)
        passages: list[Passage] = cut(document, parsed, self.embedder.count_tokens, self.passage_tokens)
        if not passages:
            raise Unreadable("no text", "nothing in it can be indexed")
        return Entry(document, passages, data)


def make_document(file: SourceFile, data: bytes, parsed: Parsed) -> Document:
    """The document of a parsed file: ids from the source and the bytes, the file's stem where it has no title."""
    return Document(
        id=hashlib.sha256(file.source.encode("utf-8")).hexdigest()[:16],
        source=file.source,
        title=parsed.title or one_line(PurePosixPath(file.source).stem),
        media_type=file.format.media_type,
        text=parsed.text,
        pages=parsed.pages,
        sha256=hashlib.sha256(data).hexdigest(),
        metadata=parsed.metadata,
    )


def _full(batch: Sequence[Entry]) -> bool:
    passages = sum(len(entry.passages) for entry in batch)
    return passages >= _BATCH_PASSAGES or len(batch) >= _BATCH_FILES or sum(len(entry.original) for entry in batch) >= _BATCH_BYTES


def _size(file: SourceFile) -> int:
    try:
        return file.path.stat().st_size
    except OSError:
        return 0
