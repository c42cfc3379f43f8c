"""PDF: pdfium gives the text with positions, pypdf the outline, labels and metadata; layout makes paragraphs of it."""

import ctypes
import re
from collections import Counter
from collections.abc import Iterator, Sequence

import pypdfium2 as pdfium
from pypdfium2 import raw

from core.errors import Unreadable
from core.types import Page
from ingest.loaders.parsed import Block, BlockKind, Parsed, one_line, strings
from ingest.loaders.pdf_facts import Entry, Facts, read_facts
from ingest.loaders.pdf_layout import Line, Paragraph, columns, count_words, joined, paragraphs, without_running_lines

_LINE_END = re.compile("\r\n|\r|\n|\ufffe|\x02")
_CUT = "\ufffe\x02"  # pdfium's sign for a hyphen at the end of a line
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ufeff\ufffe\uffff]")
_POOR_TITLE = re.compile(
    r"untitled|microsoft (?:word|powerpoint)|\.(?:docx?|pptx?|pdf|tex|dvi|indd|qxd|xlsx?)\s*$|^[\W\d_]*$", re.IGNORECASE
)
_BOLD = re.compile(rb"bold|black|heavy|demi|(?:SF|CM|EC)BX", re.IGNORECASE)
_LETTERS = re.compile(r"[\W_]+")
_LONGEST_HEADING = 120


def load(data: bytes) -> Parsed:
    """Raises Unreadable: `encrypted`, `damaged`, or `no text` when no page has any, as in a scan."""
    if not data:
        raise Unreadable("damaged", "the file is empty")
    read = _read_pages(data)
    count = len(read)
    if not any(read):
        raise Unreadable("no text", f"{_pages_say(count)}; if it is a scan, run OCR (text recognition) on it first")
    facts = read_facts(data)
    pages = without_running_lines(read, facts.labels)
    if not any(pages):
        pages = read
    lines = [line for page in pages for line in page]
    outlined = _outline_headings(lines, facts.outline)
    headings = outlined or _size_headings(lines)
    groups = paragraphs(lines, frozenset(headings))
    level_of = {id(lines[index]): level for index, level in headings.items()}
    if not outlined:
        level_of |= _bold_headings(groups, level_of)
    text, blocks, spans = _assemble(groups, level_of, lines)
    metadata = dict(facts.metadata)
    return Parsed(
        text, _title(metadata.pop("title", ""), blocks), _pages(spans, count, facts), blocks, strings({**metadata, "pages": count})
    )


def _pages_say(count: int) -> str:
    return "its only page has no text" if count == 1 else f"none of its {count} pages has text"


def _read_pages(data: bytes) -> list[list[Line]]:
    try:
        pdf = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise Unreadable("encrypted", "it opens with a password only: save a copy without one") from error
        raise Unreadable("damaged", "it is no PDF, or so broken that nothing can be read from it") from error
    try:
        pages = []
        broken = 0
        for number in range(len(pdf)):
            try:
                pages.append(list(_page_lines(pdf, number)))
            except pdfium.PdfiumError:
                broken += 1
                pages.append([])
        if not pages or broken == len(pages):
            raise Unreadable("damaged", "none of its pages can be read")
        return pages
    finally:
        pdf.close()


def _page_lines(pdf: "pdfium.PdfDocument", number: int) -> Iterator[Line]:
    page = pdf[number]
    try:
        textpage = page.get_textpage()
        text = textpage.get_text_range()
        positions = len(text) == textpage.count_chars()  # else some characters take two places and offsets would be wrong
        start = 0
        for found in [*_LINE_END.finditer(text), None]:
            end = found.start() if found else len(text)
            piece = text[start:end]
            clean = _CONTROL.sub(" ", piece).strip()
            if clean:
                first = start + len(piece) - len(piece.lstrip())
                last = start + len(piece.rstrip()) - 1
                cut = bool(found and found[0] in _CUT)
                yield _placed(textpage, clean, number + 1, first, last, cut) if positions else _unplaced(clean, number + 1, cut)
            start = found.end() if found else end
        textpage.close()
    finally:
        page.close()


def _placed(textpage: "pdfium.PdfTextPage", text: str, page: int, first: int, last: int, cut: bool) -> Line:
    try:
        left, bottom, _, top = textpage.get_charbox(first, loose=True)
        right = textpage.get_charbox(last, loose=True)[2]
    except pdfium.PdfiumError:
        return _unplaced(text, page, cut)
    if top <= bottom:
        return _unplaced(text, page, cut)
    return Line(text, page, left, right, bottom, top - bottom, cut, _is_bold(textpage, first) and _is_bold(textpage, last))


def _is_bold(textpage: "pdfium.PdfTextPage", index: int) -> bool:
    """By the name of the letter's font; the weight that PDFs state is mostly wrong."""
    name, flags = ctypes.create_string_buffer(128), ctypes.c_int()
    raw.FPDFText_GetFontInfo(textpage, index, name, len(name), ctypes.byref(flags))
    return bool(_BOLD.search(name.value))


def _unplaced(text: str, page: int, cut: bool) -> Line:
    return Line(text, page, 0.0, float(columns(text)), 0.0, 0.0, cut)


def _bare(text: str) -> str:
    return _LETTERS.sub("", text).casefold()


def _outline_headings(lines: Sequence[Line], outline: Sequence[Entry]) -> dict[int, int]:
    """{index of a line that is an outline's title: its level}. A title may go over two lines, and lack the line's number."""
    by_page: dict[int, list[int]] = {}
    for index, line in enumerate(lines):
        by_page.setdefault(line.page, []).append(index)
    found: dict[int, int] = {}
    for entry in outline:
        wanted = _bare(entry.title)
        for index in by_page.get(entry.page, ()) if wanted else ():
            own = _bare(lines[index].text)
            both = own + _bare(lines[index + 1].text) if index + 1 < len(lines) else own
            if index in found:
                continue
            if own == wanted or (own.endswith(wanted) and own.removesuffix(wanted).isdigit()):
                found[index] = entry.level
                break
            if wanted.startswith(own) and len(own) > 8 and both == wanted:
                found[index] = found[index + 1] = entry.level
                break
    return found


def _size_headings(lines: Sequence[Line]) -> dict[int, int]:
    """Without an outline: short lines in letters larger than the text's are headings, the largest of level 1."""
    letters: Counter[float] = Counter()
    for line in lines:
        letters[round(line.size * 2) / 2] += len(line.text)
    if not letters or not letters.most_common(1)[0][0]:
        return {}
    body = letters.most_common(1)[0][0]
    large = {
        index: round(line.size * 2) / 2
        for index, line in enumerate(lines)
        if line.size > 1.12 * body and len(line.text) <= _LONGEST_HEADING and line.text[-1] not in "。.；;，," and _bare(line.text)
    }
    if sum(len(lines[index].text) for index in large) > 0.2 * sum(letters.values()):
        return {}  # slides, posters: size says nothing
    levels = {size: min(level, 3) for level, size in enumerate(sorted(set(large.values()), reverse=True), 1)}
    return {index: levels[size] for index, size in large.items()}


def _bold_headings(groups: Sequence[Paragraph], level_of: dict[int, int]) -> dict[int, int]:
    """Without an outline: what stands alone in bold letters is a heading below those of larger letters."""
    titles = [g for g in groups if id(g.lines[0]) not in level_of and g.is_bold_title]
    letters = sum(len(line.text) for group in groups for line in group.lines)
    if sum(len(line.text) for title in titles for line in title.lines) > 0.2 * letters:
        return {}  # a form, a poster: bold says nothing
    level = min(6, max(level_of.values(), default=0) + 1)
    return {id(title.lines[0]): level for title in titles}


def _assemble(
    groups: Sequence[Paragraph], level_of: dict[int, int], lines: Sequence[Line]
) -> tuple[str, tuple[Block, ...], dict[int, tuple[int, int]]]:
    """(text, blocks, {page: (start, end)}). Heading lines of one level that follow each other are one heading.

    `level_of` has the level of a heading by the identity of its first line.
    """
    words = count_words(lines)
    parts: list[str] = []
    blocks: list[Block] = []
    spans: dict[int, tuple[int, int]] = {}
    length = 0
    for group in groups:
        level = level_of.get(id(group.lines[0]), 0)
        kind: BlockKind = "heading" if level else "list" if group.is_item else "paragraph"
        previous = blocks[-1] if blocks else None
        same = previous is not None and previous.kind == kind and (kind == "list" or (kind == "heading" and previous.level == level))
        same = same and (kind == "list" or previous is not None and previous.end - previous.start < _LONGEST_HEADING)
        if parts:
            separator = "\n" if same else "\n\n"
            parts.append(separator)
            length += len(separator)
        start = length
        for piece, page in joined(group, words):
            parts.append(piece)
            lead = len(piece) - len(piece.lstrip())
            spans[page] = (spans[page][0] if page in spans else length + lead, length + len(piece))
            length += len(piece)
        begun = previous.start if same and previous else start
        label = one_line(f"{previous.label} {''.join(parts[-1:])}" if same and previous else parts[-1]) if level else ""
        if same:
            blocks.pop()
        blocks.append(
            Block("heading", begun, length, level, label) if level else Block("list" if group.is_item else "paragraph", begun, length)
        )
    return "".join(parts), tuple(blocks), spans


def _pages(spans: dict[int, tuple[int, int]], count: int, facts: Facts) -> tuple[Page, ...]:
    pages = []
    at = 0
    for number in range(1, count + 1):
        start, end = spans.get(number, (at, at))
        label = facts.labels[number - 1] if number <= len(facts.labels) else ""
        pages.append(Page(number, start, end, "" if label == str(number) else label))
        at = end
    return tuple(pages)


def _title(stated: str, blocks: Sequence[Block]) -> str:
    if len(stated) > 2 and not _POOR_TITLE.search(stated):
        return stated
    first = next((b for b in blocks if b.kind == "heading"), None)
    return first.label if first is not None and first.level == 1 and first.start < 500 else ""
