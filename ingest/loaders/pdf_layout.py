"""Lines of PDF pages to paragraphs and headings. Pure: knows positions and words, no PDF library.

A PDF has hard line ends everywhere, and no paragraphs. Lines of a paragraph are joined again: without a space between Han
characters, with one between words, and a word cut by a hyphen is made whole.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

Break = Literal["join", "line", "block"]

_TERMINATED = re.compile(r"[。！？；：.!?:;…][”’」』）)\]\"']*\Z")
_ITEM = re.compile(
    r"\s*(?:[•‧●○◦▪■□◆►➢✓–—*-]\s*(?=\S)|\(?\d{1,3}[.)、]\s|\d{1,3}(?:\.\d{1,3}){1,4}\s|[（(](?:\d{1,3}|[一二三四五六七八九十]{1,3}|[a-z])[）)]"
    r"|[一二三四五六七八九十]{1,3}、|第\s*[一二三四五六七八九十百\d]{1,5}\s*[條条章節节項项])"
)
_BULLET = re.compile(r"\s*(?:[•‧●○◦▪■□◆►➢✓–—*-]\s+|\(?\d{1,3}[.)、]\s|[（(](?:\d{1,3}|[a-z])[）)])")
_WIDE = re.compile("[\u2e80-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uff60]")
_PAGE_NUMBER = re.compile(
    r"[-–—\s]*(?:page|p\.|第)?\s*(\d{1,4})\s*(?:頁|页)?(?:\s*(?:of|/|,?\s*共)\s*\d{1,4}\s*(?:頁|页)?)?[-–—\s]*", re.IGNORECASE
)
_HYPHENATING = frozenset({"self", "non", "well", "cross", "ex"})  # what follows them keeps its hyphen
_LONGEST_TITLE = 120  # characters
_TITLE = re.compile(r"[^\W\d_].*[^.。,，;；、\s]\Z")
_CAPTION = re.compile(r"\s*(?:Table|Figure|Fig\.|圖|表|图)\s*\d", re.IGNORECASE)
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a page. Positions in points from the lower left corner; `size` is the height of its letters.

    `cut` says that the line ended inside a word, at a hyphen which the text no longer has; `bold` that it begins and ends in
    bold letters. Without positions, left and right are columns and `size` is 0.
    """

    text: str
    page: int
    left: float = 0.0
    right: float = 0.0
    bottom: float = 0.0
    size: float = 0.0
    cut: bool = False
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Lines that belong together; `breaks[i]` says how line i + 1 follows line i."""

    lines: tuple[Line, ...]
    breaks: tuple[Break, ...]

    @property
    def is_bold_title(self) -> bool:
        """A line or two in bold letters that are no sentence: a heading of the same size as the text."""
        length = sum(len(line.text) for line in self.lines)
        bold = all(line.bold for line in self.lines) and length <= _LONGEST_TITLE
        return bold and bool(_TITLE.search(self.lines[-1].text)) and not _CAPTION.match(self.lines[0].text)

    @property
    def is_item(self) -> bool:
        return bool(_BULLET.match(self.lines[0].text))


def columns(text: str) -> int:
    return len(text) + len(_WIDE.findall(text))


def without_running_lines(pages: Sequence[Sequence[Line]], labels: Sequence[str] = ()) -> list[list[Line]]:
    """Pages without repeated headers and footers, and without bare page numbers.

    A line goes only when it stands at the edge, apart from the text, and comes back on many pages; or is this page's number.
    A page never loses all of its words.
    """
    edges = [_edges(lines) for lines in pages]
    seen: Counter[str] = Counter(key for places in edges for key in {_key(line) for line in places})
    often = max(3, 0.3 * sum(1 for lines in pages if lines))
    offsets = Counter(offset for n, places in enumerate(edges, 1) for line in places if (offset := _number_offset(line, n)) is not None)
    kept: list[list[Line]] = []
    for number, (lines, places) in enumerate(zip(pages, edges, strict=True), 1):
        label = labels[number - 1] if number <= len(labels) else str(number)
        gone = {
            id(line)
            for line in places
            if (seen[_key(line)] >= often and _stands_apart(line, lines) and any(map(str.isalpha, line.text)))
            or (line in (lines[0], lines[-1]) and _is_page_number(line, number, label, offsets))
        }
        left = [line for line in lines if id(line) not in gone]
        kept.append(left or [line for line in lines if _number_offset(line, number) is None])
    return kept


def _edges(lines: Sequence[Line]) -> list[Line]:
    return list(lines) if len(lines) <= 4 else [*lines[:2], *lines[-2:]]


def _key(line: Line) -> str:
    return _DIGITS.sub("#", "".join(line.text.split()))


def _number_offset(line: Line, page: int) -> int | None:
    found = _PAGE_NUMBER.fullmatch(line.text)
    return int(found[1]) - page if found else None


def _is_page_number(line: Line, page: int, label: str, offsets: Counter[int]) -> bool:
    if label and line.text.strip("-–— ") == label:
        return True
    offset = _number_offset(line, page)
    return offset is not None and (offset == 0 or offsets[offset] >= 3)


def _stands_apart(line: Line, lines: Sequence[Line]) -> bool:
    """Farther from its neighbour than lines of text are, or of another size. Without positions only short lines qualify."""
    if not line.size:
        return columns(line.text) <= 60
    others = [o for o in lines if o is not line and _key(o) != _key(line)]
    if not others:
        return False
    nearest = min(others, key=lambda o: abs(o.bottom - line.bottom))
    gap = abs(nearest.bottom - line.bottom)
    return gap > 1.6 * max(line.size, nearest.size) or abs(nearest.size - line.size) > 0.08 * nearest.size or gap < 0.3 * line.size


def paragraphs(lines: Sequence[Line], headings: frozenset[int] = frozenset()) -> list[Paragraph]:
    """Group lines, in reading order over all pages. `headings` are indexes of lines that belong to no paragraph but their own."""
    edges = _right_edges(lines)
    pitch = _pitch(lines)
    groups: list[Paragraph] = []
    own: list[Line] = []
    breaks: list[Break] = []
    for number, line in enumerate(lines):
        how: Break = "block"
        if own and not {number, number - 1} & headings:
            how = _between(lines[number - 1], line, edges, pitch)
        if own and how == "block":
            groups.append(Paragraph(tuple(own), tuple(breaks)))
            own, breaks = [], []
        elif own:
            breaks.append(how)
        own.append(line)
    if own:
        groups.append(Paragraph(tuple(own), tuple(breaks)))
    return groups


def _column(line: Line) -> tuple[int, int]:
    return line.page, round(line.left / 24)


def _right_edges(lines: Iterable[Line]) -> dict[tuple[int, int], float]:
    """How far right the text of each column goes, a column being what begins at about the same place on a page."""
    rights: dict[tuple[int, int], list[float]] = {}
    for line in lines:
        rights.setdefault(_column(line), []).append(line.right)
    return {column: sorted(several)[-(-9 * (len(several) - 1) // 10)] for column, several in rights.items()}


def _pitch(lines: Sequence[Line]) -> float:
    """Usual distance of two lines of text, in letter heights; 0 without positions."""
    pairs = zip(lines, lines[1:], strict=False)
    distances = [(a.bottom - b.bottom) / a.size for a, b in pairs if a.size and a.page == b.page and a.bottom > b.bottom]
    return median(distances) if distances else 0.0


def _between(a: Line, b: Line, edges: dict[tuple[int, int], float], pitch: float) -> Break:
    if a.cut:
        return "join"
    ended = bool(_TERMINATED.search(a.text))
    edge = max(edges.get((a.page, _column(a)[1] + d), 0.0) for d in (-1, 0, 1))
    slack = edge - a.right
    letter = a.size or 2.0
    full = slack < max(2.5 * letter, 0.12 * (edge - a.left)) and (bool(a.size) or columns(a.text) >= 30)
    if a.page != b.page or (a.size and b.bottom > a.bottom + a.size):  # next page, or top of the next column
        goes_on = (full or b.text[:1].islower()) and not ended and not _ITEM.match(b.text)
        return "join" if goes_on else "block"
    if a.size and abs(a.size - b.size) > 0.15 * max(a.size, b.size):
        return "block"
    if a.size and abs(a.bottom - b.bottom) < 0.3 * a.size:
        return "line"
    if a.bold != b.bold and (ended or not full):
        return "block"
    if pitch and (a.bottom - b.bottom) / letter > 1.35 * pitch:
        return "block"
    if _ITEM.match(b.text):
        return "line" if full and not ended and b.left >= a.left and not _BULLET.match(b.text) else "block"
    if full:
        return "block" if ended and a.size and b.left - a.left > 0.8 * letter and not _ITEM.match(a.text) else "join"
    if b.text[:1].islower():
        return "join"
    return "block" if ended or _BULLET.match(a.text) else "line"


def joined(paragraph: Paragraph, words: Counter[str]) -> Iterator[tuple[str, int]]:
    """(text, page) pieces of a paragraph in order; together they are its text. `words` counts the words of the document."""
    text = ""
    for number, line in enumerate(paragraph.lines):
        piece = line.text.strip() if number == 0 else line.text.lstrip()
        if number:
            how = paragraph.breaks[number - 1]
            piece = ("\n" if how == "line" else glue(text, piece, paragraph.lines[number - 1].cut, words)) + piece
        text = piece.rstrip()
        yield text, line.page


def glue(before: str, after: str, cut: bool, words: Counter[str]) -> str:
    """What stands between two lines of one paragraph: nothing, a space, or the hyphen that the word has."""
    if cut:
        first, second = _last_word(before), _first_word(after)
        hyphenated = words[f"{first}-{second}".casefold()] > words[f"{first}{second}".casefold()]
        keeps = first.casefold() in _HYPHENATING or not second[:1].islower() or first[-1:].isdigit()
        return "-" if hyphenated or keeps else ""
    if _WIDE.match(after[:1]) or _WIDE.match(before[-1:]):
        both_wide = _WIDE.match(after[:1]) and _WIDE.match(before[-1:])
        return "" if both_wide or not (before[-1:].isalnum() and after[:1].isalnum()) else " "
    return "" if re.search(r"[A-Za-z]-\Z", before) and after[:1].islower() else " "


def _last_word(text: str) -> str:
    return re.split(r"[^\w]", text[-60:])[-1]


def _first_word(text: str) -> str:
    return re.split(r"[^\w]", text[:60])[0]


def count_words(lines: Iterable[Line]) -> Counter[str]:
    """Words, and words with hyphens, of the lines, case folded."""
    return Counter(word.casefold() for line in lines for word in re.findall(r"[A-Za-z]+(?:-[A-Za-z]+)*", line.text))
