"""Cuts a parsed document into passages: within one section, at sentence borders, sized in the embedder's tokens.

A passage is always a slice of the text. Every step is linear in the length of the text: a sentence is cut by characters before
anything counts its tokens, since a tokenizer may need time and memory beyond measure for one endless word.
"""

import bisect
import math
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from core.sentences import sentence_spans
from core.types import Document, Page, Passage
from ingest.loaders.parsed import Block, Parsed

CHUNKER = "1"  # of loaders and chunking together: a change makes every document be read again
_LONGEST_PIECE = 480  # characters of a sentence that are counted as one piece
_LONGEST_LABEL = 300  # characters of a heading or a table's header that go with a passage
_PATH_TOKENS = 96  # most of the path of headings, so that the passage itself is not cut by the embedder
_SOFT_BORDERS = ("\n", "，、；：", ",;: \t", "")  # where to cut an endless sentence, best first

CountTokens = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True, slots=True)
class _Unit:
    """The smallest thing a passage is made of: a sentence, a row, a line of code, or a piece of a too long one."""

    start: int
    end: int
    tokens: int
    block: int  # number of its block
    table: bool


def chunker_version(passage_tokens: int) -> str:
    """What must be the same for passages to be the same."""
    return f"{CHUNKER}-{passage_tokens}"


def cut(document: Document, parsed: Parsed, count_tokens: CountTokens, passage_tokens: int) -> list[Passage]:
    """Passages of at most `passage_tokens` tokens each, in the order of the text, covering all blocks but the headings.

    A heading with nothing below it is a passage of its own, so that no text is lost; but not the title, which goes with them all.
    """
    sections = list(_sections(parsed))
    units = _fit(parsed.text, _units(parsed, [b for _, blocks in sections for b in blocks]), count_tokens, passage_tokens)
    by_block: dict[int, list[_Unit]] = {}
    for unit in units:
        by_block.setdefault(unit.block, []).append(unit)
    spans: list[tuple[int, int, tuple[str, ...]]] = []
    for path, blocks in sections:
        own = [unit for number in blocks for unit in by_block.get(number, ())]
        for first, last in _pack(own, passage_tokens):
            spans.append((own[first].start, own[last].end, _headings(path, parsed, own, first)))
    counts = count_tokens([parsed.text[start:end] for start, end, _ in spans])
    starts = [page.start for page in parsed.pages]
    return [
        Passage(
            id=f"{document.id}-{document.sha256[:8]}-{ordinal}",
            document_id=document.id,
            ordinal=ordinal,
            text=parsed.text[start:end],
            start=start,
            end=end,
            page_first=_page_at(parsed.pages, starts, start),
            page_last=_page_at(parsed.pages, starts, end - 1),
            headings=headings,
            token_count=tokens,
        )
        for ordinal, ((start, end, headings), tokens) in enumerate(zip(spans, counts, strict=True))
    ]


def _sections(parsed: Parsed) -> Iterator[tuple[tuple[str, ...], list[int]]]:
    """(path of headings, numbers of the blocks below it). A heading that holds nothing and leads nowhere is its own section."""
    path: list[tuple[int, str]] = []
    blocks: list[int] = []
    for number, block in enumerate(parsed.blocks):
        if block.kind != "heading":
            blocks.append(number)
            continue
        if blocks:
            yield _labels(path), blocks
        blocks = []
        while path and path[-1][0] >= block.level:
            path.pop()
        if _leads_nowhere(parsed.blocks, number) and (_label(parsed, block) != parsed.title or len(parsed.blocks) == 1):
            yield _labels(path), [number]
        path.append((block.level, _label(parsed, block)))
    if blocks:
        yield _labels(path), blocks


def _leads_nowhere(blocks: Sequence[Block], number: int) -> bool:
    following = blocks[number + 1] if number + 1 < len(blocks) else None
    return following is None or (following.kind == "heading" and following.level <= blocks[number].level)


def _label(parsed: Parsed, block: Block) -> str:
    return (block.label or parsed.text[block.start : block.end])[:_LONGEST_LABEL]


def _labels(path: Sequence[tuple[int, str]]) -> tuple[str, ...]:
    """The path without empty ones; of a path too long for the embedder the innermost headings stay."""
    labels = [label for _, label in path if label]
    while len(labels) > 1 and sum(map(len, labels)) > 4 * _PATH_TOKENS:
        labels.pop(0)
    return tuple(labels)


def _headings(path: tuple[str, ...], parsed: Parsed, units: Sequence[_Unit], first: int) -> tuple[str, ...]:
    """The path, and for a passage that begins inside a table the header row it would otherwise be without."""
    unit = units[first]
    begun = first > 0 and units[first - 1].block == unit.block
    if not (unit.table and begun):
        return path
    header = parsed.blocks[unit.block].label[:_LONGEST_LABEL]
    return (*path, header) if header else path


def _units(parsed: Parsed, numbers: Sequence[int]) -> Iterator[_Unit]:
    for number in numbers:
        block = parsed.blocks[number]
        body = parsed.text[block.start : block.end]
        spans = _lines(body) if block.kind in ("table", "code") else sentence_spans(body)
        for start, end in spans:
            yield from _pieces(parsed.text, _Unit(block.start + start, block.start + end, 0, number, block.kind == "table"))


def _lines(body: str) -> Iterator[tuple[int, int]]:
    """Lines with something on them; the indentation of code belongs to the line."""
    offset = 0
    for line in body.split("\n"):
        if line and not line.isspace():
            yield offset, offset + len(line.rstrip())
        offset += len(line) + 1


def _pieces(text: str, unit: _Unit) -> Iterator[_Unit]:
    """The unit, cut at soft borders while it is longer than a piece may be."""
    start = unit.start
    while unit.end - start > _LONGEST_PIECE:
        border = _soft_border(text, start + _LONGEST_PIECE // 2, start + _LONGEST_PIECE)
        yield from _trimmed(text, replace(unit, start=start, end=border))
        start = border
    yield from _trimmed(text, replace(unit, start=start))


def _trimmed(text: str, unit: _Unit) -> Iterator[_Unit]:
    """The unit without white space around it; nothing when there is only that."""
    body = text[unit.start : unit.end]
    if body and not body.isspace():
        indent = 0 if unit.start == 0 or text[unit.start - 1] == "\n" else len(body) - len(body.lstrip())
        yield replace(unit, start=unit.start + indent, end=unit.start + len(body.rstrip()))


def _soft_border(text: str, low: int, high: int) -> int:
    """The best offset in low..high to cut at: behind a newline, else a comma, else a space, else before any whole character."""
    for signs in _SOFT_BORDERS:
        at = max((text.rfind(sign, low, high) for sign in signs), default=-1)
        if at >= low:
            return at + 1
    at = high
    while at > low + 1 and (unicodedata.combining(text[at]) or text[at] in "\u200d\ufe0f" or text[at - 1] == "\u200d"):
        at -= 1
    return at


def _fit(text: str, units: Iterator[_Unit], count_tokens: CountTokens, most: int) -> list[_Unit]:
    """Units with their tokens counted; one that has too many is halved until it has not, or is a single character."""
    fitting: list[_Unit] = []
    waiting = list(units)
    while waiting:
        counts = count_tokens([text[u.start : u.end] for u in waiting])
        counted = [replace(u, tokens=tokens) for u, tokens in zip(waiting, counts, strict=True)]
        waiting = []
        for unit in counted:
            if unit.tokens <= most or unit.end - unit.start < 2:
                fitting.append(unit)
                continue
            quarter = (unit.end - unit.start) // 4
            border = _soft_border(text, unit.start + max(1, quarter), unit.end - max(1, quarter))
            for half in (replace(unit, end=border), replace(unit, start=border)):
                waiting += _trimmed(text, half)
    return sorted(fitting, key=lambda unit: unit.start)


def _pack(units: Sequence[_Unit], most: int) -> Iterator[tuple[int, int]]:
    """(first, last) units of each passage of one section: as few passages as possible, of like size, ending at a block's end if near."""
    sums = [0]
    for unit in units:
        sums.append(sums[-1] + unit.tokens)
    first = 0
    while first < len(units):
        left = sums[-1] - sums[first]
        if left <= most or first == len(units) - 1:
            yield first, len(units) - 1
            return
        room = bisect.bisect_right(sums, sums[first] + most) - 1  # units[first:room] fit
        ideal = sums[first] + left / math.ceil(left / most)
        last = max(first, min(range(first, max(room, first + 1)), key=lambda n: abs(sums[n + 1] - ideal) + _cost(units, n, most)))
        yield first, last
        first = last + 1


def _cost(units: Sequence[_Unit], last: int, most: int) -> float:
    """What it costs to end a passage behind a unit, in tokens away from the ideal size."""
    if units[last].block != units[last + 1].block:
        return 0.0
    if units[last].table and (last < 2 or units[last - 2].block != units[last].block):
        return most  # a header without a row says nothing
    return 0.2 * most if units[last].table else 0.35 * most


def _page_at(pages: Sequence[Page], starts: Sequence[int], offset: int) -> int:
    """Number of the page that holds `offset`; an empty page before it starts at the same place and does not count."""
    return pages[max(0, bisect.bisect_right(starts, offset) - 1)].number if pages else 1
