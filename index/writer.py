"""The one writer of a collection: takes documents into the ledger, builds a generation aside, verifies it and publishes it.

Any step may fail or be killed: what was published before stays published, and the next run carries on without a manual step.
"""

import fcntl
import logging
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from core.errors import Damaged, DiskFull, EmbedderMismatch, Locked
from index import generation as generations
from index.disk import fsync_file, write_durable, writing
from index.fusion import spread_of
from index.generation import Manifest
from index.ledger import Ledger, from_half, to_half, vector_key
from index.lexical import LexicalIndex
from index.records import DocumentRecord, Embedder, Entry, Vectors, embedded_text, no_progress
from index.vectors import VectorIndex

__all__ = ["DocumentRecord", "Entry", "Writer"]

logger = logging.getLogger(__name__)
_LEADING_NUMBER = re.compile(r"^(?:\.[a-z]+-)?(\d{6,})")


def no_step(name: str) -> None:
    """Called with the name of each step of a publication before it begins; the default does nothing."""


class Writer:
    """Open with `Writer.open`; close it, or use it as a context manager, to give the lock back."""

    def __init__(
        self, folder: Path, embedder: Embedder, ledger: Ledger, lock: int, chunker: str, keep: int, step: Callable[[str], None]
    ) -> None:
        self.folder = folder
        self._embedder = embedder
        self._ledger = ledger
        self._lock = lock
        self._chunker = chunker
        self._keep = keep
        self._step = step

    @classmethod
    def open(
        cls,
        folder: Path,
        embedder: Embedder,
        *,
        chunker: str,
        keep: int = 3,
        full: bool = False,
        step: Callable[[str], None] = no_step,
    ) -> Self:
        """The writer of the collection in `folder`, made when it is not there. `full` forgets the current state first,
        whatever embedder made it.

        Raises Locked when another process writes to it, EmbedderMismatch when it was made with another embedder, Damaged, DiskFull.
        """
        with writing(folder):
            (folder / "generations").mkdir(parents=True, exist_ok=True)
            (folder / "originals").mkdir(exist_ok=True)
            lock = _take_lock(folder)
        try:
            ledger = Ledger(folder / "ledger.sqlite", create=True)
            try:
                made_with = ledger.meta("embedder")
                if made_with is None or full:
                    ledger.forget(embedder.id, embedder.dimension)
                elif made_with != embedder.id:
                    raise mismatch(folder, made_with, embedder)
                generations.sweep(folder)
            except BaseException:
                ledger.close()
                raise
        except BaseException:
            os.close(lock)
            raise
        return cls(folder, embedder, ledger, lock, chunker, keep, step)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the lock back. What was put stays in the ledger and is published by a later run."""
        if self._lock >= 0:
            self._ledger.close()
            os.close(self._lock)
            self._lock = -1

    def reset(self) -> None:
        """Forget every document of the current state. What is published stays so until the next publication."""
        self._ledger.forget(self._embedder.id, self._embedder.dimension)

    def documents(self) -> dict[str, DocumentRecord]:
        """By source, the documents taken in so far, published or not; `deleted` ones are left out of the next generation."""
        return {record.source: record for record in self._ledger.records()}

    def put(self, batch: Sequence[Entry], progress: Callable[[int], None] = no_progress) -> None:
        """Embed what has not been embedded, then take in each document in one transaction, replacing the one of its source.

        `progress` is told how many passages were finished since the last call. Larger batches
        embed faster: the whole batch is sorted by length.
        """
        texts = [[embedded_text(e.document.title, p) for p in e.passages] for e in batch]
        keys = [[vector_key(text) for text in of_one] for of_one in texts]
        by_key = {key: text for ks, ts in zip(keys, texts, strict=True) for key, text in zip(ks, ts, strict=True)}
        known = self._ledger.known_vectors(self._embedder.id, by_key)
        wanted = [key for key in by_key if key not in known]
        total = sum(len(k) for k in keys)
        if total > len(wanted):
            progress(total - len(wanted))
        vectors = self._embedder.encode_documents([by_key[key] for key in wanted], progress) if wanted else np.empty((0, 0), np.float32)
        fresh = {key: to_half(vector) for key, vector in zip(wanted, vectors, strict=True)}
        for entry, of_one in zip(batch, keys, strict=True):
            self._keep_original(entry)
            self._ledger.put(entry, of_one, self._chunker, self._embedder.id, fresh)

    def drop(self, sources: Iterable[str]) -> None:
        """Forget the documents of these sources; unknown ones are ignored."""
        self._ledger.drop(sources)

    def _keep_original(self, entry: Entry) -> None:
        path = self.folder / "originals" / entry.document.sha256
        if not path.exists() or path.stat().st_size != len(entry.original):
            with writing(path):
                write_durable(path, entry.original)

    # ---- publication

    def publish(self) -> int | None:
        """Build, verify and publish a generation of the current documents; its number, or None when the published one already is that.

        A published generation that is damaged is set aside and built anew from the ledger. Raises DiskFull with everything as before.
        """
        document_set, revisions = self._ledger.document_set()
        published = self._published()
        if self._is_current(published, document_set, bool(revisions)):
            self._ledger.finish_deletes()
            return None
        number = self._next_number()
        building = generations.building_folder(self.folder, number)
        with writing(building):
            try:
                self._build(building, number, document_set, sorted(revisions))
                self._step("record")
                self._ledger.add_generation(number, document_set, revisions)
                self._step("adopt")
                generations.adopt(self.folder, number)
                self._step("point")
                generations.publish(self.folder, number)
            finally:
                generations.sweep(self.folder)
        self._tidy(number)
        return number

    def _published(self) -> Manifest | None:
        number = generations.current(self.folder)
        if number is None:
            return None
        try:
            return generations.verify(generations.folder_of(self.folder, number))
        except Damaged as error:
            logger.warning("generation %d is damaged and is built anew: %s", number, error)
            generations.set_aside(self.folder, number)
            return None

    def _is_current(self, published: Manifest | None, document_set: str, any_documents: bool) -> bool:
        if published is None:  # nothing to publish and nothing published: no empty generation is made
            return not any_documents and not generations.generation_numbers(self.folder)
        same = (published.document_set, published.embedder) == (document_set, self._embedder.id)
        shown = {row[0] for row in self._ledger.revision_documents(published.generation)}
        return same and len(shown) == published.documents and not shown & self._ledger.buried()

    def _next_number(self) -> int:
        names = (p.name for p in (self.folder / "generations").iterdir())
        used = [int(match[1]) for match in map(_LEADING_NUMBER.match, names) if match]
        recorded = self._ledger.read("SELECT max(number) FROM generations")[0][0]
        return max([0, recorded or 0, *used]) + 1

    def _build(self, folder: Path, number: int, document_set: str, revisions: list[int]) -> None:
        self._step("build")
        folder.mkdir()
        numbering = {revision: n for n, revision in enumerate(revisions)}
        rows, vectors = self._matrix(numbering)
        index = VectorIndex.build(vectors)
        self._step("vectors")
        index.save(folder / "vectors.faiss")
        np.save(folder / "rows.npy", rows, allow_pickle=False)
        self._step("lexical")
        passages = ((embedded_text(title, passage), numbering[revision]) for _, revision, title, passage, _ in self._ledger.rows())
        LexicalIndex.build(folder / "lexical", passages)
        self._step("verify")
        self._check(folder, index.kind, vectors)
        self._step("manifest")
        files = generations.file_hashes(folder)
        manifest = Manifest(
            number,
            len(revisions),
            len(rows),
            document_set,
            self._embedder.id,
            self._embedder.dimension,
            self._chunker,
            index.kind,
            round(spread_of(vectors), 5),
            files,
        )
        generations.write_manifest(folder, manifest)

    def _matrix(self, numbering: dict[int, int]) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.int64]], Vectors]:
        """(passage number, document number) of every row, (n, 2), and the vectors, (n, d)."""
        numbers, blobs = [], []
        for passage_number, revision, _, _, vector in self._ledger.rows():
            numbers.append((passage_number, numbering[revision]))
            blobs.append(vector)
        return np.array(numbers, dtype=np.int64).reshape(-1, 2), from_half(blobs, self._embedder.dimension)

    def _check(self, folder: Path, kind: str, vectors: Vectors) -> None:
        """What was written is read back and asked for a passage that it must find."""
        index, lexical = VectorIndex.load(folder / "vectors.faiss", kind), LexicalIndex.load(folder / "lexical")
        if not index.count == lexical.count == len(vectors):
            raise Damaged(f"{folder} holds {index.count} vectors and {lexical.count} texts of {len(vectors)} passages")
        if len(vectors):
            _, scores = index.search(vectors[-1], 1)
            if not scores[0] > 0.99:
                raise Damaged(f"{folder} does not find a passage by its own vector (best cosine {scores[0]:.3f})")

    def _tidy(self, number: int) -> None:
        """Remove what is older than the generations kept. A failure here is only logged: the publication stands."""
        try:
            self._ledger.finish_deletes()
            kept = [number, *(n for n in generations.generation_numbers(self.folder) if n != number)][: self._keep]
            needed = self._ledger.prune(kept)
            for old in generations.generation_numbers(self.folder):
                if old not in kept:
                    generations.remove(self.folder, old)
            for path in (self.folder / "originals").iterdir():
                if path.name not in needed:
                    path.unlink()
        except (DiskFull, OSError) as error:
            logger.warning("old generations of %s could not be removed: %s", self.folder.name, error)


def mismatch(folder: Path, made_with: str, embedder: Embedder) -> EmbedderMismatch:
    """The error that says what to do when a collection was made with another embedder."""
    return EmbedderMismatch(
        f"collection {folder.name} was made with the embedder {made_with}, this one is {embedder.id}:"
        f" run `python -m ingest DIR --collection {folder.name} --full` to embed it again, or set QA_EMBEDDER back"
    )


def _take_lock(folder: Path) -> int:
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fsync_file(folder)
    except BlockingIOError as error:
        os.close(handle)
        raise Locked(f"another process is writing to the collection {folder.name}: wait until it is done") from error
    return handle
