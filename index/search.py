"""Reading collections: search by meaning and by words, filters, deletes that count at once, and generations that change under way."""

import fnmatch
import logging
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadRequest, Damaged, EmbedderMismatch, NotFound, QaError
from core.types import Document, Filters, Hit, Leg, Scores
from index import generation as generations
from index.fusion import fuse
from index.generation import Manifest
from index.ledger import Ledger
from index.lexical import LexicalIndex, QueryTerms
from index.records import DocumentRecord, Embedder, Evidence, SearchResult, Vectors, embedded_text
from index.tokens import terms
from index.vectors import Mask, Rows, VectorIndex
from index.writer import mismatch

__all__ = ["Collection", "DocumentRecord", "Evidence", "Library", "SearchResult"]

logger = logging.getLogger(__name__)
_NAME = re.compile(r"^[a-z0-9][a-z0-9_-]{0,63}$")
_POOL = 100  # candidates of each leg that fusion looks at


@dataclass(frozen=True, slots=True)
class _Shown:
    """A document of the generation: number in the indexes is its place in the tuple."""

    revision: int
    id: str
    source: str
    title: str
    metadata: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """One generation, opened for good."""

    manifest: Manifest
    vectors: VectorIndex
    lexical: LexicalIndex
    passages: Rows  # ledger number of each row
    document_of: Rows  # document number of each row
    documents: tuple[_Shown, ...]


@dataclass(frozen=True, slots=True)
class _State:
    """What a search uses from beginning to end; replaced as a whole."""

    snapshot: _Snapshot
    buried: frozenset[int]  # document numbers

    def documents(self, filters: Filters) -> list[int] | None:
        """Numbers of the documents that may be shown; None: all of them."""
        if filters.empty and not self.buried:
            return None
        patterns = [re.compile(fnmatch.translate(p)) for p in filters.source]
        wanted = frozenset(filters.document_id)
        return [
            number
            for number, shown in enumerate(self.snapshot.documents)
            if number not in self.buried
            and (not patterns or any(p.match(shown.source) for p in patterns))
            and (not wanted or shown.id in wanted)
            and all(shown.metadata.get(key) == value for key, value in filters.metadata.items())
        ]

    def rows(self, documents: list[int] | None) -> Mask | None:
        if documents is None:
            return None
        allowed = np.zeros(len(self.snapshot.documents), dtype=np.bool_)
        allowed[documents] = True
        return np.asarray(allowed[self.snapshot.document_of], dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Rows found, best first by `order`, with the scores of each leg."""

    rows: Rows
    dense: Vectors
    lexical: Vectors
    fused: NDArray[np.float64]
    order: Sequence[int]


class Collection:
    """A reader of one collection; any number of threads may use it. Never takes the writer's lock."""

    def __init__(self, folder: Path, embedder: Embedder, ledger: Ledger) -> None:
        self.folder = folder
        self.name = folder.name
        self._embedder = embedder
        self._ledger = ledger
        self._refreshing = threading.Lock()
        self._pointer = ""
        self._version = -1
        self.damaged: tuple[int, ...] = ()  # generations found damaged when the present one was opened
        self._state = self._open()

    @classmethod
    def open(cls, folder: Path, embedder: Embedder) -> "Collection":
        """The newest good generation of `folder`. Raises NotFound when there is none, EmbedderMismatch, Damaged when none is good."""
        if not folder.is_dir() or not generations.generation_numbers(folder):
            raise NotFound(f"there is no collection {folder.name}: make it with `python -m ingest DIR --collection {folder.name}`")
        ledger = Ledger(folder / "ledger.sqlite")
        try:
            return cls(folder, embedder, ledger)
        except BaseException:
            ledger.close()
            raise

    def close(self) -> None:
        self._ledger.close()

    @property
    def generation(self) -> int:
        return self._state.snapshot.manifest.generation

    @property
    def manifest(self) -> Manifest:
        return self._state.snapshot.manifest

    # ---- opening and swapping

    def _open(self, tries: int = 3) -> _State:
        for _ in range(tries):
            self._pointer, self._version = generations.pointer_text(self.folder), self._ledger.data_version()
            try:
                return self._buried(self._newest_good())
            except Damaged:
                if generations.pointer_text(self.folder) == self._pointer:  # not a generation removed while it was being opened
                    raise
        raise Damaged(f"collection {self.name} changes faster than it can be opened")

    def _newest_good(self) -> _Snapshot:
        named, numbers = generations.current(self.folder), generations.generation_numbers(self.folder)
        if named is None:
            logger.error("CURRENT of collection %s names no generation that is there: using the newest good one", self.name)
        damaged: list[int] = []
        for number in numbers if named is None else [n for n in numbers if n <= named]:
            try:
                snapshot = self._load(number)
            except Damaged as error:
                logger.error("generation %d of collection %s is damaged, trying the one before: %s", number, self.name, error)
                damaged.append(number)
                continue
            self.damaged = tuple(damaged)
            return snapshot
        raise Damaged(
            f"no generation of collection {self.name} is whole: run `python -m ingest DIR --collection {self.name}` to build one again"
        )

    def _load(self, number: int) -> _Snapshot:
        folder = generations.folder_of(self.folder, number)
        manifest = generations.verify(folder)
        if manifest.embedder != self._embedder.id:
            raise mismatch(self.folder, manifest.embedder, self._embedder)
        rows = np.load(folder / "rows.npy", allow_pickle=False)
        documents = tuple(_Shown(*row) for row in self._ledger.revision_documents(number))
        vectors, lexical = VectorIndex.load(folder / "vectors.faiss", manifest.vectors), LexicalIndex.load(folder / "lexical")
        if len(documents) != manifest.documents or not len(rows) == vectors.count == lexical.count == manifest.passages:
            raise Damaged(f"{folder} and the ledger do not hold the same documents")
        return _Snapshot(manifest, vectors, lexical, rows[:, 0].copy(), rows[:, 1].copy(), documents)

    def _buried(self, snapshot: _Snapshot) -> _State:
        revisions = self._ledger.buried()
        return _State(snapshot, frozenset(n for n, shown in enumerate(snapshot.documents) if shown.revision in revisions))

    def refresh(self) -> bool:
        """Look for a newer generation and for deletes; True when what a search sees has changed. Cheap when nothing happened."""
        with self._refreshing:
            before = self._state
            if generations.pointer_text(self.folder) != self._pointer:
                self._state = self._open()
            elif (version := self._ledger.data_version()) != self._version:
                self._version = version
                self._state = self._buried(before.snapshot)
            return (self.generation, self._state.buried) != (before.snapshot.manifest.generation, before.buried)

    # ---- reading

    def documents(self) -> list[DocumentRecord]:
        """Documents of the generation that is served, by source, without those deleted."""
        state = self._state
        hidden = {state.snapshot.documents[n].id for n in state.buried}
        return [r for r in self._ledger.generation_records(state.snapshot.manifest.generation) if r.id not in hidden]

    def document(self, document_id: str) -> Document:
        """Raises NotFound when the generation that is served does not have it, or it was deleted."""
        state = self._state
        for number, shown in enumerate(state.snapshot.documents):
            if shown.id == document_id and number not in state.buried:
                return self._ledger.document(shown.revision)
        raise NotFound(f"there is no document {document_id} in the collection {self.name}")

    def original(self, document_id: str) -> Path:
        """The file that a document was made from, as it was when it was taken in. Raises NotFound."""
        path = self.folder / "originals" / self.document(document_id).sha256
        if not path.is_file():
            raise NotFound(f"the original of document {document_id} is not kept any more")
        return path

    def delete(self, document_id: str) -> str:
        """Hide a document from this moment on and ask the next ingest to remove it; the job's id. Raises NotFound, DiskFull."""
        self.document(document_id)
        job = self._ledger.bury(document_id)
        with self._refreshing:
            self._state = self._buried(self._state.snapshot)
        return job

    def similarities(self, question: str, texts: Sequence[str]) -> list[float]:
        """Cosine of the question with each text, as the embedder sees them."""
        if not texts:
            return []
        found = self._embedder.encode_documents(texts) @ self._embedder.encode_queries([question])[0]
        return [float(cosine) for cosine in found]

    def search(self, question: str, *, k: int, filters: Filters = Filters(), leg: Leg = "fused") -> SearchResult:  # noqa: B008 - frozen
        """The k best passages (fewer only when fewer may be shown, or when words alone are asked and fewer have any). Raises BadRequest."""
        if k < 1 or not question.strip():
            raise BadRequest("a search needs a question that is not empty and k of at least 1")
        start = time.perf_counter()
        query = self._embedder.encode_queries([question])[0]
        embedded = time.perf_counter()
        try:
            hits, generation, evidence = self._find(self._state, question, query, k, filters, leg)
        except NotFound:  # more generations were published than are kept since this one was opened
            if not self.refresh():
                raise
            hits, generation, evidence = self._find(self._state, question, query, k, filters, leg)
        return SearchResult(hits, generation, evidence, (embedded - start) * 1e3, (time.perf_counter() - embedded) * 1e3)

    def _find(
        self, state: _State, question: str, query: Vectors, k: int, filters: Filters, leg: Leg
    ) -> tuple[tuple[Hit, ...], int, Evidence]:
        snapshot, asked = state.snapshot, state.snapshot.lexical.query_terms(question)
        found = _candidates(state, query, asked, k, filters, leg)
        best = list(found.order)[:k]
        passages = self._ledger.passages([int(snapshot.passages[found.rows[n]]) for n in best])
        hits = []
        for rank, (n, passage) in enumerate(zip(best, passages, strict=True), 1):
            shown = snapshot.documents[snapshot.document_of[found.rows[n]]]
            scores = Scores(
                float(found.dense[n]) if leg != "lexical" else None,
                float(found.lexical[n]) if leg != "dense" else None,
                float(found.fused[n]) if leg == "fused" else None,
            )
            hits.append(Hit(rank, passage, shown.source, shown.title, scores))
        return tuple(hits), snapshot.manifest.generation, _evidence(found, asked, hits)


def _candidates(state: _State, query: Vectors, asked: QueryTerms, k: int, filters: Filters, leg: Leg) -> _Candidates:
    """What either leg finds, each candidate with the scores of both."""
    vectors, lexical = state.snapshot.vectors, state.snapshot.lexical
    documents = state.documents(filters)
    allowed, pool = state.rows(documents), max(_POOL, k)
    empty = np.empty(0, np.int64)
    by_meaning = vectors.search(query, pool, allowed)[0] if leg != "lexical" else empty
    by_words = lexical.search(asked, pool, documents)[0] if leg != "dense" else empty
    rows = np.array(list(dict.fromkeys([*by_meaning.tolist(), *by_words.tolist()])), dtype=np.int64)
    dense = vectors.scores(query, rows)
    words = np.zeros(len(rows), dtype=np.float32)
    place = {row: n for n, row in enumerate(rows.tolist())}
    for row, score in zip(*lexical.search(asked, len(rows), rows=rows.tolist()), strict=True):
        words[place[int(row)]] = score
    fused = fuse(dense, words, weight=asked.weight, speaks=asked.share_known, spread=state.snapshot.manifest.spread)
    ranked: Mapping[Leg, NDArray[np.floating[Any]]] = {"fused": fused, "dense": dense, "lexical": words}
    return _Candidates(rows, dense, words, fused, np.argsort(-ranked[leg], kind="stable").tolist())


def _evidence(found: _Candidates, asked: QueryTerms, hits: Sequence[Hit]) -> Evidence:
    if not hits:
        return Evidence(lexical_speaks=asked.share_known)
    dense = np.sort(found.dense)[::-1]
    passage = hits[0].passage
    coverage = asked.share_in(terms(embedded_text(hits[0].title, passage)))
    agreement = bool(found.lexical.max() > 0 and found.dense.argmax() == found.lexical.argmax())
    return Evidence(float(dense[0]), float(dense[0] - dense[:10][-1]), coverage, asked.share_known, agreement)


class Library:
    """All collections of a data folder. Opened when first asked for, kept, and looked at for changes every `every` seconds.

    With `every` > 0 a thread does the looking, so that no request waits for a generation to be opened; with 0 each `get` looks itself.
    """

    def __init__(self, data_dir: Path, embedder: Embedder, *, every: float = 0.5) -> None:
        self.data_dir = data_dir
        self.embedder = embedder
        self._every = every
        self._open: dict[str, Collection] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def names(self) -> list[str]:
        """Collections that have something published."""
        if not self.data_dir.is_dir():
            return []
        return sorted(p.name for p in self.data_dir.iterdir() if _NAME.match(p.name) and generations.generation_numbers(p))

    def get(self, name: str) -> Collection:
        """Raises NotFound (also for a name no collection can have), EmbedderMismatch, Damaged."""
        if not _NAME.match(name) or not (self.data_dir / name).is_dir():
            raise NotFound(f"there is no collection {name[:80]!r}: GET /collections lists those there are")
        with self._lock:
            collection = self._open.get(name)
            if collection is None:
                collection = self._open[name] = Collection.open(self.data_dir / name, self.embedder)
                if self._every > 0 and self._thread is None:
                    self._thread = threading.Thread(target=self._watch, name="library", daemon=True)
                    self._thread.start()
                return collection
        if self._every <= 0:
            _refresh(collection)
        return collection

    def close(self) -> None:
        """Stop looking and close what is open."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            for collection in self._open.values():
                collection.close()
            self._open.clear()

    def _watch(self, wait: Callable[[float], bool] | None = None) -> None:
        pause = wait or self._stop.wait
        while not pause(self._every):
            with self._lock:
                opened = list(self._open.items())
            for name, collection in opened:
                if collection.folder.is_dir():
                    _refresh(collection)
                else:
                    with self._lock:
                        self._open.pop(name, None)


def _refresh(collection: Collection) -> None:
    """A change that cannot be opened is logged, and the generation already open goes on serving."""
    try:
        if collection.refresh():
            logger.info("collection %s serves generation %d", collection.name, collection.generation)
    except EmbedderMismatch as error:
        logger.error("%s; the generation already open goes on serving", error)
    except (QaError, OSError) as error:
        logger.error("collection %s could not be refreshed: %s", collection.name, error)
