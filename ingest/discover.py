"""Finds the files of a folder and reads them so that what is hashed is what is parsed.

The walk is sorted, visits every real folder once, does not follow links out of the folder, and gives each file the source it
is known by: its path from the root with `/` between the parts. Nothing is skipped in silence.
"""

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import BadRequest, Unreadable
from ingest.loaders.formats import Format, format_of
from ingest.loaders.parsed import storable

_TRIES = 3
_BLOCK = 1 << 20
_OFFICE_LOCKS = ("~$", ".~lock.")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to index."""

    source: str
    path: Path
    format: Format


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file or folder that is not indexed: `reason` is a short stable code, `detail` says more."""

    source: str
    reason: str
    detail: str = ""


@dataclass(slots=True)
class Found:
    """Everything a walk met, in order of source. `failed` holds what should have been indexed but could not be looked at."""

    files: list[SourceFile] = field(default_factory=list)
    skipped: list[Outcome] = field(default_factory=list)
    failed: list[Outcome] = field(default_factory=list)


def walk(root: Path, *, leave_out: tuple[Path, ...] = ()) -> Found:
    """All files below `root`. Folders in `leave_out` (our own data, for one) are not entered.

    Raises BadRequest when `root` is not a folder that can be read.
    """
    try:
        top = root.resolve(strict=True)
        os.scandir(top).close()
    except FileNotFoundError as error:
        raise BadRequest(f"the folder {root} does not exist") from error
    except NotADirectoryError as error:
        raise BadRequest(f"{root} is a file: give the folder it is in") from error
    except (OSError, RuntimeError) as error:
        raise BadRequest(f"the folder {root} cannot be read: {error}") from error
    walker = _Walker(top, {p.resolve() for p in leave_out})
    walker.folder(top, "")
    walker.linked_folders()
    found = walker.found
    for several in (found.files, found.skipped, found.failed):
        several.sort(key=lambda one: one.source)
    return found


class _Walker:
    def __init__(self, top: Path, leave_out: set[Path]) -> None:
        self._top = top
        self._leave_out = leave_out
        self._visited: set[tuple[int, int]] = set()
        self._links: list[tuple[Path, str]] = []  # folders reached by a link wait until all real ones are known
        self._sources: set[str] = set()
        self.found = Found()

    def folder(self, start: Path, prefix: str) -> None:
        waiting = [(start, prefix)]
        while waiting:
            path, before = waiting.pop()
            try:
                if not self._enter(path):
                    continue
                entries = sorted(os.scandir(path), key=lambda e: e.name)
            except OSError as error:
                self.found.failed.append(Outcome(before.rstrip("/") or ".", "unreadable", _said(error)))
                continue
            for entry in entries:
                source = before + readable(entry.name)
                try:
                    deeper = self._entry(Path(path) / entry.name, source)
                except (OSError, RuntimeError) as error:  # RuntimeError: a link that leads to itself
                    self._skip(source, "link" if entry.is_symlink() else "unreadable", _said(error))
                    continue
                if deeper:
                    waiting.append((deeper, source + "/"))

    def linked_folders(self) -> None:
        """Folders behind links are walked last, so that a folder keeps its own name when both are found."""
        while self._links:
            path, source = self._links.pop(0)
            state = path.stat()
            if (state.st_dev, state.st_ino) in self._visited:
                self._skip(source, "link", "the folder it leads to is read under its own name")
            else:
                self.folder(path, source + "/")

    def _enter(self, path: Path) -> bool:
        state = path.stat()
        new = (state.st_dev, state.st_ino) not in self._visited
        self._visited.add((state.st_dev, state.st_ino))
        return new

    def _entry(self, path: Path, source: str) -> Path | None:
        """Sort one entry; returns it when it is a folder to go into."""
        if path.name.startswith(".") or path.name.startswith(_OFFICE_LOCKS):
            self._skip(source, "hidden")
            return None
        target = path
        linked = path.is_symlink()
        if linked:
            target = path.resolve(strict=True)
            if not target.is_relative_to(self._top):
                self._skip(source, "link", "it leads outside of the folder")
                return None
        mode = target.stat().st_mode
        if stat.S_ISDIR(mode):
            if target.resolve() in self._leave_out:
                self._skip(source, "own data")
                return None
            if linked:
                self._links.append((path, source))
                return None
            return path
        self._file(path, source, mode)
        return None

    def _file(self, path: Path, source: str, mode: int) -> None:
        if not stat.S_ISREG(mode):
            self._skip(source, "not a file")
            return
        chosen = format_of(source)
        if chosen is None:
            self._skip(source, "unsupported", path.suffix.lower())
        elif source in self._sources:
            self.found.failed.append(Outcome(source, "unreadable", "another file's name reads the same: rename one"))
        else:
            self._sources.add(source)
            self.found.files.append(SourceFile(source, path, chosen))

    def _skip(self, source: str, reason: str, detail: str = "") -> None:
        self.found.skipped.append(Outcome(source, reason, storable(detail)))


def readable(name: str) -> str:
    """A file name as text that can be stored: bytes that are not UTF-8 are written `\\xff`."""
    return os.fsencode(name).decode("utf-8", errors="backslashreplace")


def fingerprint(path: Path, *, file_mb: int) -> str:
    """SHA-256 of a file's bytes, in bounded memory. Raises Unreadable (unreadable, limit)."""
    digest = hashlib.sha256()
    for block in _read_blocks(path, file_mb):
        digest.update(block)
    return digest.hexdigest()


def read_stable(path: Path, *, file_mb: int, pause: Callable[[float], None] = time.sleep) -> bytes:
    """The bytes of a file that did not change while it was read. Raises Unreadable (unreadable, limit, changed)."""
    for attempt in range(_TRIES):
        if attempt:
            pause(0.1 * 4 ** (attempt - 1))
        before = _state(path)
        data = b"".join(_read_blocks(path, file_mb))
        if _state(path) == before and len(data) == before[2]:
            return data
    raise Unreadable("changed", "it kept changing while it was read: run ingest again")


def _state(path: Path) -> tuple[int, int, int, int]:
    try:
        state = path.stat()
    except OSError as error:
        raise Unreadable("unreadable", _said(error)) from error
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns


def _read_blocks(path: Path, file_mb: int) -> Iterator[bytes]:
    """Raises Unreadable as soon as more than `file_mb` megabytes came, whatever the size said."""
    try:
        # Not blocking: a pipe that took the place of a file since the walk must not hold us up.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            read = 0
            while size <= file_mb * 1_000_000 and (block := file.read(_BLOCK)):
                read += len(block)
                size = max(size, read)
                yield block
    except OSError as error:
        raise Unreadable("unreadable", _said(error)) from error
    if size > file_mb * 1_000_000:
        raise Unreadable("limit", f"it has {size / 1e6:,.0f} MB, QA_FILE_MB allows {file_mb}")


def _said(error: BaseException) -> str:
    return (error.strerror or "it cannot be read") if isinstance(error, OSError) else str(error).split(" from ")[0]
