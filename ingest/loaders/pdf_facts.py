"""What pypdf knows of a PDF besides its text: outline, printed page labels, metadata. All of it may be missing or broken."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from ingest.loaders.parsed import one_line, strings

_FAILS = (PyPdfError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, OSError, AssertionError)
_FAILS_TOO = (NotImplementedError, ImportError, StopIteration)
_MOST_ENTRIES = 5_000
_DEEPEST = 6
_MOST_LABELLED = 5_000  # pages

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the outline: its title, level from 1, and 1-based page."""

    title: str
    level: int
    page: int


@dataclass(frozen=True, slots=True)
class Facts:
    """`labels[i]` is the printed label of page i + 1; shorter than the document where there are none."""

    outline: tuple[Entry, ...] = ()
    labels: tuple[str, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)


def read_facts(data: bytes) -> Facts:
    """Never raises for a broken file: what cannot be read is left out."""
    reader = _try(lambda: _open(data), None)
    if reader is None:
        return Facts()
    return Facts(
        outline=_try(lambda: tuple(_entries(reader)), ()),
        labels=_try(lambda: _labels(reader), ()),
        metadata=_try(lambda: _metadata(reader), {}),
    )


def _try(read: Callable[[], T], otherwise: T) -> T:
    try:
        return read()
    except (*_FAILS, *_FAILS_TOO):
        return otherwise


def _open(data: bytes) -> PdfReader:
    reader = PdfReader(io.BytesIO(data), strict=False)
    if reader.is_encrypted:
        reader.decrypt("")
    return reader


def _entries(reader: PdfReader) -> Iterator[Entry]:
    pages = {page.indirect_reference.idnum: number for number, page in enumerate(reader.pages, 1) if page.indirect_reference is not None}
    waiting: list[tuple[Any, int]] = [(item, 1) for item in reversed(reader.outline)]
    found = 0
    last_level = 0
    while waiting and found < _MOST_ENTRIES:
        item, level = waiting.pop()
        if isinstance(item, list):
            if level < _DEEPEST + 1:
                waiting += [(inner, last_level + 1) for inner in reversed(item)]
            continue
        last_level = level
        found += 1
        number = pages.get(getattr(item.page, "idnum", -1))
        title = one_line(str(item.title or ""))
        if number and title:
            yield Entry(title, min(level, _DEEPEST), number)


def _labels(reader: PdfReader) -> tuple[str, ...]:
    if "/PageLabels" not in reader.root_object or len(reader.pages) > _MOST_LABELLED:
        return ()
    return tuple(one_line(label, 20) for label in reader.page_labels)


def _metadata(reader: PdfReader) -> dict[str, str]:
    info = reader.metadata
    if info is None:
        return {}
    date = _try(lambda: info.modification_date or info.creation_date, None)
    return strings(
        {
            "title": _try(lambda: info.title, None),
            "author": _try(lambda: info.author, None),
            "subject": _try(lambda: info.subject, None),
            "keywords": _try(lambda: info.get("/Keywords"), None),
            "date": date.date().isoformat() if date else None,
        }
    )
