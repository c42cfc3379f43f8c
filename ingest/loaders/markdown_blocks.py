"""Markdown text to blocks, line by line: no tree is built, every span is a slice of the text as it stands."""

import re
from collections.abc import Callable

from ingest.loaders.parsed import Block, BlockKind

_FENCE = re.compile(r"\s{0,8}(`{3,}|~{3,})")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+|(?=[㐀-鿿])|$)")
_SETEXT = re.compile(r" {0,3}(=+|-{2,})[ \t]*\Z")
_RULE = re.compile(r" {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}\Z")
_ITEM = re.compile(r"\s*(?:[-*+•]|\d{1,9}[.)])[ \t]+\S")
_MATTER = re.compile(r"(---|\+\+\+)[ \t]*\n(.{0,20000}?)\n(?:\1|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_PAIR = re.compile(r"([A-Za-z][\w-]{0,40})\s*[:=]\s*(\S.*)")
_MOST_PAIRS = 30
_LONGEST_SETEXT = 200

Lines = list[tuple[int, str]]  # (offset, line without its newline)


def front_matter(source: str) -> tuple[dict[str, str], str]:
    """(its `key: value` lines, the text after it). Nested values are left out; without front matter ({}, source)."""
    found = _MATTER.match(source)
    pairs = [_PAIR.match(line) for line in found[2].split("\n")] if found else []
    if found is None or not any(pairs):
        return {}, source
    values = {pair[1].lower(): pair[2].strip().strip("\"'") for pair in pairs if pair}
    return dict(list(values.items())[:_MOST_PAIRS]), source[found.end() :]


def parse_blocks(text: str, plain: Callable[[str], str]) -> list[Block]:
    """Blocks of `text` in order. `plain` makes the label of a heading from its Markdown."""
    lines: Lines = []
    offset = 0
    for line in text.split("\n"):
        lines.append((offset, line))
        offset += len(line) + 1
    blocks: list[Block] = []
    at = 0
    while at < len(lines):
        line = lines[at][1]
        if not line or line.isspace():
            at += 1
            continue
        kind, until = _run(lines, at)
        if kind is not None:
            blocks.append(_block(kind, lines, at, until, plain))
        at = until
    return blocks


def _run(lines: Lines, at: int) -> tuple[BlockKind | None, int]:
    """What begins at line `at`, and the line behind its end; None for a rule, which has no text."""
    line = lines[at][1]
    if fence := _FENCE.match(line):
        return "code", _fence_end(lines, at, fence[1])
    if _ATX.match(line):
        return "heading", at + 1
    if _is_table(lines, at):
        until = at + 2
        while until < len(lines) and "|" in lines[until][1]:
            until += 1
        return "table", until
    if _RULE.match(line):
        return None, at + 1
    if _ITEM.match(line):
        return "list", _list_end(lines, at)
    if line.startswith(("    ", "\t")):
        return "code", _indented_end(lines, at)
    until = at + 1
    while until < len(lines) and not _interrupts(lines, until):
        if _SETEXT.match(lines[until][1]):
            heading = until == at + 1 and len(line) <= _LONGEST_SETEXT
            return ("heading", until + 1) if heading else ("paragraph", until)
        until += 1
    return "paragraph", until


def _interrupts(lines: Lines, at: int) -> bool:
    """Does line `at` end the paragraph before it?"""
    line = lines[at][1]
    if not line or line.isspace():
        return True
    return bool(_FENCE.match(line) or _ATX.match(line) or _ITEM.match(line)) or _is_table(lines, at)


def _is_table(lines: Lines, at: int) -> bool:
    """A table begins where a row of cells stands over a row of dashes."""
    if at + 1 >= len(lines) or "|" not in lines[at][1]:
        return False
    rule = lines[at + 1][1]
    return "-" in rule and "|" in rule and not rule.strip("|:- \t")


def _fence_end(lines: Lines, at: int, marks: str) -> int:
    for until in range(at + 1, len(lines)):
        stripped = lines[until][1].strip()
        if stripped.startswith(marks) and not stripped.strip(marks[0]):
            return until + 1
    return len(lines)


def _list_end(lines: Lines, at: int) -> int:
    """A list goes on over empty lines as long as items or indented lines follow."""
    until = at + 1
    blank = False
    while until < len(lines):
        line = lines[until][1]
        if not line or line.isspace():
            blank = True
        elif _ATX.match(line) or _is_table(lines, until) or (blank and not (_ITEM.match(line) or line[0] in " \t")):
            break
        elif (fence := _FENCE.match(line)) is not None:
            if line[0] not in " \t":
                break
            until = _fence_end(lines, until, fence[1]) - 1
            blank = False
        else:
            blank = False
        until += 1
    return until


def _indented_end(lines: Lines, at: int) -> int:
    until = at + 1
    while until < len(lines) and (lines[until][1].startswith(("    ", "\t")) or not lines[until][1].strip()):
        until += 1
    return until


def _block(kind: BlockKind, lines: Lines, at: int, until: int, plain: Callable[[str], str]) -> Block:
    while until > at + 1 and not lines[until - 1][1].strip():
        until -= 1
    first, last = lines[at], lines[until - 1]
    start = first[0] if kind == "code" else first[0] + len(first[1]) - len(first[1].lstrip())
    end = last[0] + len(last[1].rstrip())
    if kind == "table":
        return Block("table", start, end, 0, first[1].strip())
    if kind != "heading":
        return Block(kind, start, end)
    atx = _ATX.match(first[1])
    if atx is None:
        return Block("heading", start, end, 1 if "=" in last[1] else 2, plain(first[1]))
    label = first[1][atx.end() :].rstrip()
    bare = label.rstrip("#")
    return Block("heading", start, end, len(atx[1]), plain(bare if not bare or bare[-1] in " \t" else label))
