"""What a loader returns: one text, and where its blocks and pages lie in it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from core.types import Page

BlockKind = Literal["heading", "paragraph", "list", "table", "code"]

# NUL breaks databases and C strings; a lone surrogate cannot be encoded. One character for one, so that offsets stay.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Block:
    """A span `text[start:end]` of one kind. `level` is 1..6 for a heading, 1 outermost, and 0 for everything else.

    `label` is the heading without markup, or the header row of a table; empty where the span itself says it.
    """

    kind: BlockKind
    start: int
    end: int
    level: int = 0
    label: str = ""


@dataclass(frozen=True, slots=True)
class Parsed:
    """The text of a file. Blocks are in order and do not overlap; text outside of all blocks is not indexed.

    `pages` cover the text in order; a format without pages has one. A page without text has `start == end`.
    """

    text: str
    title: str
    pages: tuple[Page, ...]
    blocks: tuple[Block, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)


def storable(text: str) -> str:
    """`text` with each NUL and each lone surrogate replaced by U+FFFD; the length does not change."""
    return _UNSTORABLE.sub("\ufffd", text)


def one_line(text: str, longest: int = 200) -> str:
    """White space folded to single spaces and cut to `longest` characters, for titles and headings."""
    folded = " ".join(storable(text[: 4 * longest]).split())
    return folded if len(folded) <= longest else folded[: longest - 1].rstrip() + "…"


def strings(values: Mapping[str, object]) -> dict[str, str]:
    """Metadata as one-line strings, empty ones left out."""
    lines = {key: one_line(str(value), 500) for key, value in values.items() if value is not None}
    return {key: value for key, value in lines.items() if value}


def whole(text: str, title: str, blocks: Sequence[Block], metadata: Mapping[str, str] | None = None) -> Parsed:
    """A Parsed of a format without pages: everything is on page 1."""
    return Parsed(text, title, (Page(1, 0, len(text)),), tuple(blocks), metadata or {})


class Writer:
    """Builds a text block by block for loaders whose format is not text already. Blocks stand apart by an empty line."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self.blocks: list[Block] = []

    @property
    def length(self) -> int:
        return self._length

    @property
    def text(self) -> str:
        return "".join(self._parts)

    def add(self, kind: BlockKind, text: str, level: int = 0, label: str = "") -> None:
        """Append a block; white space around it goes, and an empty one is left out."""
        stripped = text.strip()
        if not stripped:
            return
        if self._parts:
            self._append("\n\n")
        start = self._length
        self._append(stripped)
        self.blocks.append(Block(kind, start, self._length, level, label))

    def _append(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)


def table_rows(rows: Sequence[Sequence[str]]) -> tuple[str, str]:
    """(text, header): a table as Markdown pipe rows under its first row. Cells become one line; `|` in a cell is escaped."""
    width = max((len(row) for row in rows), default=0)
    lines = ["| " + " | ".join([_cell(c) for c in row] + [""] * (width - len(row))) + " |" for row in rows]
    if len(lines) > 1:
        lines.insert(1, "|" + "---|" * width)
    return "\n".join(lines), lines[0] if lines else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
