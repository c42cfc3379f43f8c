"""Writing to disk so that a crash, a full disk or a failing one never leaves a half-written file under its final name."""

import errno
import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import DiskFull

_CANNOT_WRITE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG})
_CANNOT_WRITE_WORDS = ("No space left", "os error 28", "os error 5", "Input/output error", "Disk quota", "disk is full", "disk I/O error")


@contextmanager
def writing(what: Path) -> Iterator[None]:
    """Turn every way in which Python, SQLite, FAISS and tantivy say "no space" or "I/O error" into DiskFull naming `what`."""
    try:
        yield
    except OSError as error:
        if error.errno in _CANNOT_WRITE:
            raise _disk_full(what, error) from error
        raise
    except (sqlite3.OperationalError, RuntimeError, ValueError) as error:  # the two libraries raise plain RuntimeError and ValueError
        if any(words in str(error) for words in _CANNOT_WRITE_WORDS):
            raise _disk_full(what, error) from error
        raise


def _disk_full(what: Path, error: Exception) -> DiskFull:
    return DiskFull(f"cannot write {what}: {error}. What was published stays as it was; free some space and run the same command again")


def fsync_file(path: Path) -> None:
    """Force a file's, or a directory's, content to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def fsync_tree(folder: Path) -> None:
    """Force every file below `folder`, then every directory, to the disk."""
    for path in sorted(folder.rglob("*"), reverse=True):
        fsync_file(path)
    fsync_file(folder)


def write_durable(path: Path, content: bytes) -> None:
    """Replace `path` by `content`: after a crash it holds the old bytes or the new ones, nothing between."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        fsync_file(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
