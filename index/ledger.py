"""The truth of a collection: documents, revisions, passages, vectors, tombstones and jobs in one SQLite file (WAL, synchronous=FULL).

A revision is one accepted state of one document; it stays as long as it is current or part of a kept generation, so that every kept
generation can show its passages. Vectors are fp16 and keyed by the text they were made from: the same text is embedded once.
"""

import hashlib
import json
import sqlite3
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import Damaged, NotFound
from core.types import Document, Page, Passage
from index.disk import writing
from index.records import DocumentRecord, Entry, Vectors

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS revisions (
  id INTEGER PRIMARY KEY AUTOINCREMENT, document_id TEXT NOT NULL, source TEXT NOT NULL, title TEXT NOT NULL, media_type TEXT NOT NULL,
  text TEXT NOT NULL, pages TEXT NOT NULL, metadata TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL, chunker TEXT NOT NULL,
  embedder TEXT NOT NULL, passages INTEGER NOT NULL, content TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS documents (
  source TEXT PRIMARY KEY, document_id TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL, deleted INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS passages (
  id INTEGER PRIMARY KEY AUTOINCREMENT, revision INTEGER NOT NULL, ordinal INTEGER NOT NULL, name TEXT NOT NULL, text TEXT NOT NULL,
  first INTEGER NOT NULL, last INTEGER NOT NULL, page_first INTEGER NOT NULL, page_last INTEGER NOT NULL, headings TEXT NOT NULL,
  token_count INTEGER NOT NULL, vector BLOB NOT NULL, checked BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS passages_by_revision ON passages (revision, ordinal);
CREATE INDEX IF NOT EXISTS passages_by_vector ON passages (vector);
CREATE TABLE IF NOT EXISTS vectors (
  embedder TEXT NOT NULL, key BLOB NOT NULL, vector BLOB NOT NULL, PRIMARY KEY (embedder, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS generations (number INTEGER PRIMARY KEY, document_set TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS generation_revisions (
  generation INTEGER NOT NULL, revision INTEGER NOT NULL, PRIMARY KEY (generation, revision)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tombstones (
  document_id TEXT NOT NULL, revision INTEGER NOT NULL, PRIMARY KEY (document_id, revision)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS jobs (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, document_id TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '');
"""
_RECORD = """SELECT r.document_id, r.source, r.sha256, r.title, r.media_type, r.size, r.passages, r.pages, {deleted}, r.metadata, r.chunker
             FROM revisions r {join} ORDER BY r.source"""
_PASSAGE = "name, text, first, last, page_first, page_last, headings, token_count, ordinal, checked"


class Ledger:
    """One open ledger. Thread-safe: one connection behind a lock. The writer creates it; readers only open an existing one."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = path
        if not create and not path.is_file():
            raise NotFound(f"there is no ledger at {path}: run `python -m ingest`")
        self._lock = threading.RLock()
        mode = "rwc" if create else "rw"
        with writing(path), self._sound():
            self._db = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False, timeout=30
            )
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            if create:
                self._db.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def _sound(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            if "malformed" in str(error) or "not a database" in str(error):
                raise Damaged(
                    f"{self.path} is damaged ({error}): restore it from a backup, or move the folder away and run `python -m ingest`"
                ) from error
            raise

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of the block is committed, or none. Raises DiskFull, after rolling back, when it cannot be written."""
        with self._lock, writing(self.path), self._sound():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def read(self, sql: str, values: Sequence[object] = ()) -> list[Any]:
        with self._lock, self._sound():
            return self._db.execute(sql, tuple(values)).fetchall()

    # ---- what it is made with

    def meta(self, key: str) -> str | None:
        rows = self.read("SELECT value FROM meta WHERE key = ?", (key,))
        return str(rows[0][0]) if rows else None

    def set_meta(self, **values: str) -> None:
        with self.transaction() as db:
            db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", list(values.items()))

    def data_version(self) -> int:
        """Changes whenever another connection has committed."""
        return int(self.read("PRAGMA data_version")[0][0])

    # ---- documents

    def records(self) -> list[DocumentRecord]:
        """Documents of the current state, those with a delete asked for included."""
        return [_record(row) for row in self.read(_RECORD.format(deleted="d.deleted", join="JOIN documents d ON d.revision = r.id"))]

    def generation_records(self, generation: int) -> list[DocumentRecord]:
        join = f"JOIN generation_revisions g ON g.revision = r.id AND g.generation = {int(generation)}"
        return [_record(row) for row in self.read(_RECORD.format(deleted="0", join=join))]

    def revision_documents(self, generation: int) -> list[tuple[int, str, str, str, dict[str, str]]]:
        """(revision, document id, source, title, metadata) of a published generation, by revision."""
        rows = self.read(
            "SELECT r.id, r.document_id, r.source, r.title, r.metadata FROM revisions r JOIN generation_revisions g ON g.revision = r.id"
            " WHERE g.generation = ? ORDER BY r.id",
            (generation,),
        )
        return [(row[0], row[1], row[2], row[3], json.loads(row[4])) for row in rows]

    def document(self, revision: int) -> Document:
        rows = self.read(
            "SELECT document_id, source, title, media_type, text, pages, sha256, metadata FROM revisions WHERE id = ?", (revision,)
        )
        if not rows:
            raise NotFound(f"revision {revision} is no longer in {self.path}")
        id_, source, title, media_type, text, pages, sha256, metadata = rows[0]
        return Document(id_, source, title, media_type, text, tuple(Page(**p) for p in json.loads(pages)), sha256, json.loads(metadata))

    def put(self, entry: Entry, keys: Sequence[bytes], chunker: str, embedder: str, fresh: Mapping[bytes, bytes]) -> None:
        """One document, its passages and the vectors it brings (`fresh`: key to fp16 bytes), in one transaction, replacing its source."""
        document, content = entry.document, content_hash(entry)
        pages = json.dumps([asdict(page) for page in document.pages], ensure_ascii=False)
        metadata = json.dumps(dict(document.metadata), ensure_ascii=False, sort_keys=True)
        with self.transaction() as db:
            db.executemany(
                "INSERT OR IGNORE INTO vectors VALUES (?, ?, ?)", [(embedder, key, fresh[key]) for key in set(keys) & fresh.keys()]
            )
            row = db.execute(
                "INSERT INTO revisions VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (document.id, document.source, document.title, document.media_type, document.text, pages, metadata, document.sha256,
                 len(entry.original), chunker, embedder, len(entry.passages), content),
            )  # fmt: skip
            revision = int(row.lastrowid or 0)
            db.executemany(
                "INSERT INTO passages VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [_passage_row(revision, p, key) for p, key in zip(entry.passages, keys, strict=True)],
            )
            db.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?, 0)", (document.source, document.id, revision))

    def drop(self, sources: Iterable[str]) -> None:
        with self.transaction() as db:
            db.executemany("DELETE FROM documents WHERE source = ?", [(source,) for source in sources])

    def forget(self, embedder: str, dimension: int) -> None:
        """Empty the current state and take another embedder; published generations keep what they need."""
        with self.transaction() as db:
            db.execute("DELETE FROM documents")
            db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", [("embedder", embedder), ("dimension", str(dimension))])

    # ---- passages and vectors

    def known_vectors(self, embedder: str, keys: Iterable[bytes]) -> set[bytes]:
        with self._lock:
            wanted = "SELECT 1 FROM vectors WHERE embedder = ? AND key = ?"
            return {key for key in keys if self._db.execute(wanted, (embedder, key)).fetchone()}

    def passages(self, ids: Sequence[int]) -> list[Passage]:
        """Passages by ledger number, in that order. Raises NotFound when one is gone, Damaged when one is not what was written."""
        found = []
        with self._lock, self._sound():
            for number in ids:
                row = self._db.execute(
                    f"SELECT {_PASSAGE}, (SELECT document_id FROM revisions WHERE id = revision) FROM passages WHERE id = ?", (int(number),)
                ).fetchone()
                if row is None:
                    raise NotFound(f"passage {number} is no longer in {self.path}")
                found.append(self._passage(row, row[-1]))
        return found

    def _passage(self, row: Sequence[Any], document_id: str) -> Passage:
        name, text, first, last, page_first, page_last, headings, token_count, ordinal, checked = row[:10]
        passage = Passage(name, document_id, ordinal, text, first, last, page_first, page_last, tuple(json.loads(headings)), token_count)
        if _check(passage) != checked:
            raise Damaged(
                f"passage {name} in {self.path} is not what was written: run `python -m ingest DIR --full` to rebuild the collection"
            )
        return passage

    def rows(self) -> Iterator[tuple[int, int, str, Passage, bytes]]:
        """Everything a generation is built from: (passage number, revision, title, passage, fp16 vector), ordered by source and ordinal."""
        columns = ", ".join(f"p.{name}" for name in _PASSAGE.split(", "))
        cursor = self._db.execute(
            f"SELECT {columns}, p.id, p.revision, r.title, v.vector, r.document_id FROM documents d JOIN revisions r ON r.id = d.revision"
            " JOIN passages p ON p.revision = r.id JOIN vectors v ON v.embedder = r.embedder AND v.key = p.vector"
            " WHERE d.deleted = 0 ORDER BY r.source, p.ordinal"
        )
        for row in cursor:
            number, revision, title, vector, document_id = row[10:]
            yield number, revision, title, self._passage(row, document_id), vector

    # ---- the set of documents, generations, deletes

    def document_set(self) -> tuple[str, dict[int, str]]:
        """Hash of the current set of documents, and each of its revisions with its content hash."""
        rows = self.read(
            "SELECT r.source, r.id, r.content, r.chunker FROM documents d JOIN revisions r ON r.id = d.revision"
            " WHERE d.deleted = 0 ORDER BY r.source"
        )
        digest = hashlib.sha256(json.dumps([[row[0], row[2], row[3]] for row in rows]).encode()).hexdigest()
        return digest, {row[1]: row[2] for row in rows}

    def add_generation(self, number: int, document_set: str, revisions: Iterable[int]) -> None:
        with self.transaction() as db:
            db.execute("INSERT OR REPLACE INTO generations VALUES (?, ?)", (number, document_set))
            db.executemany("INSERT OR REPLACE INTO generation_revisions VALUES (?, ?)", [(number, revision) for revision in revisions])

    def finish_deletes(self) -> None:
        with self.transaction() as db:
            db.execute("UPDATE jobs SET state = 'indexed' WHERE kind = 'delete' AND state = 'queued' AND document_id NOT IN"
                       " (SELECT document_id FROM documents WHERE deleted = 0)")  # fmt: skip

    def prune(self, keep: Sequence[int]) -> set[str]:
        """Forget generations but `keep`, and every revision and vector that nothing needs. Returns the file hashes still needed."""
        marks = ",".join("?" * len(keep))
        with self.transaction() as db:
            db.execute(f"DELETE FROM generation_revisions WHERE generation NOT IN ({marks})", list(keep))
            db.execute(f"DELETE FROM generations WHERE number NOT IN ({marks})", list(keep))
            gone = (
                "SELECT id FROM revisions WHERE id NOT IN (SELECT revision FROM documents UNION SELECT revision FROM generation_revisions)"
            )
            if db.execute(f"SELECT EXISTS ({gone})").fetchone()[0]:
                db.execute(f"DELETE FROM passages WHERE revision IN ({gone})")
                db.execute("DELETE FROM vectors WHERE NOT EXISTS (SELECT 1 FROM passages p WHERE p.vector = key)")
                db.execute(f"DELETE FROM tombstones WHERE revision IN ({gone})")
                db.execute(f"DELETE FROM revisions WHERE id IN ({gone})")
        return {row[0] for row in self.read("SELECT DISTINCT sha256 FROM revisions")}

    def bury(self, document_id: str) -> str:
        """Ask for a document's deletion: every revision of it up to now is hidden at once. Returns the job's id."""
        job = uuid.uuid4().hex
        with self.transaction() as db:
            db.execute("INSERT INTO jobs (id, kind, document_id, state) VALUES (?, 'delete', ?, 'queued')", (job, document_id))
            db.execute("INSERT OR IGNORE INTO tombstones SELECT document_id, id FROM revisions WHERE document_id = ?", (document_id,))
            db.execute("UPDATE documents SET deleted = 1 WHERE document_id = ?", (document_id,))
        return job

    def buried(self) -> set[int]:
        """Revisions that must not be shown."""
        return {row[0] for row in self.read("SELECT revision FROM tombstones")}


def vector_key(text: str) -> bytes:
    """Key of an embedded text: the first 16 bytes of its SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]


def to_half(vector: Vectors) -> bytes:
    """A (d,) vector as little-endian fp16 bytes, the form in which it is kept."""
    return vector.astype("<f2").tobytes()


def from_half(blobs: Sequence[bytes], dimension: int) -> Vectors:
    """fp16 bytes to (n, dimension) float32, rows normalised again after the rounding."""
    half = np.frombuffer(b"".join(blobs), dtype="<f2").reshape(len(blobs), dimension)
    vectors = np.ascontiguousarray(half, dtype=np.float32)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return vectors


def content_hash(entry: Entry) -> str:
    """Hash of everything a search can show of a document: two entries with the same one give the same answers."""
    document = entry.document
    parts = [
        document.title,
        document.sha256,
        sorted(document.metadata.items()),
        [asdict(p) for p in document.pages],
        [asdict(p) for p in entry.passages],
    ]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()


def _check(passage: Passage) -> bytes:
    return hashlib.sha256(json.dumps(asdict(passage)).encode()).digest()[:8]


def _passage_row(revision: int, p: Passage, key: bytes) -> tuple[object, ...]:
    headings = json.dumps(p.headings, ensure_ascii=False)
    return (revision, p.ordinal, p.id, p.text, p.start, p.end, p.page_first, p.page_last, headings, p.token_count, key, _check(p))


def _record(row: Sequence[Any]) -> DocumentRecord:
    id_, source, sha256, title, media_type, size, passages, pages, deleted, metadata, chunker = row
    pages_count = len(json.loads(pages))
    return DocumentRecord(id_, source, sha256, title, media_type, size, passages, pages_count, bool(deleted), json.loads(metadata), chunker)
