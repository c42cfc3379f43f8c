"""What a Word document's styles and numbering say of a paragraph: is it a heading, and which number does a reader see before it?"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Element = Any  # lxml has no types

_HEADING_NAME = re.compile(r"(?:heading|標題|标题|überschrift|titre)\s*([1-9])", re.IGNORECASE)
_DEEPEST = 20
_HAN_DIGITS = "〇一二三四五六七八九"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_ROMAN = tuple(
    zip(
        (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
        ("m", "cm", "d", "cd", "c", "xc", "l", "xl", "x", "ix", "v", "iv", "i"),
        strict=True,
    )
)
_HAN_FORMS = ("taiwaneseCounting", "chineseCounting", "ideographTraditional", "ideographDigital", "japaneseCounting")


def local(element: Element) -> str:
    """The element's name without its name space; empty for comments and the like."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: Element, name: str) -> str:
    """An attribute by its name without name space; empty when it is missing."""
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name), "")


def child_of(element: Element | None, *path: str) -> Element | None:
    """The first descendant along `path`; None when there is none."""
    for name in path:
        element = next((c for c in element if local(c) == name), None) if element is not None else None
    return element


def value_of(element: Element | None, *path: str) -> str:
    """The `val` attribute at `path`; empty when it is missing."""
    found = child_of(element, *path)
    return attribute(found, "val") if found is not None else ""


@dataclass(frozen=True, slots=True)
class _Style:
    name: str
    based_on: str
    outline: str
    num_id: str
    num_level: str


@dataclass(frozen=True, slots=True)
class Styles:
    """Paragraph styles by id."""

    by_id: dict[str, _Style] = field(default_factory=dict)

    def chain(self, paragraph: Element) -> Iterator[_Style]:
        """The paragraph's style and those it is based on."""
        style_id = value_of(paragraph, "pPr", "pStyle")
        for _ in range(_DEEPEST):
            style = self.by_id.get(style_id)
            if style is None:
                return
            yield style
            style_id = style.based_on

    def heading(self, paragraph: Element) -> tuple[int, bool]:
        """(level 1..6 or 0, whether it is the document's title)."""
        outline = value_of(paragraph, "pPr", "outlineLvl")
        for style in self.chain(paragraph):
            if style.name.lower() in ("title", "標題", "标题", "titel", "titre"):
                return 0, True
            if found := _HEADING_NAME.fullmatch(style.name):
                return min(int(found[1]), 6), False
            outline = outline or style.outline
        return (min(int(outline) + 1, 6) if outline.isdigit() and int(outline) < 9 else 0), False


def read_styles(root: Element | None) -> Styles:
    styles = {}
    for element in root if root is not None else ():
        if local(element) == "style":
            name = value_of(element, "name") or attribute(element, "styleId")
            properties = child_of(element, "pPr")
            styles[attribute(element, "styleId")] = _Style(
                name,
                value_of(element, "basedOn"),
                value_of(properties, "outlineLvl"),
                value_of(properties, "numPr", "numId"),
                value_of(properties, "numPr", "ilvl"),
            )
    return Styles(styles)


@dataclass(frozen=True, slots=True)
class _Level:
    format: str
    text: str  # "%1.%2"
    start: int


class Numbering:
    """Counts the numbered paragraphs of one document, in order, as Word does."""

    def __init__(self, levels: dict[str, dict[int, _Level]], abstract_of: dict[str, str]) -> None:
        self._levels = levels  # by abstract list
        self._abstract_of = abstract_of
        self._counts: dict[tuple[str, int], int] = {}

    def label(self, paragraph: Element, styles: Styles) -> str:
        """The number or bullet before this paragraph, "" when it has none. Call once a paragraph: it counts."""
        abstract, level = self._place(paragraph, styles)
        found = self._levels.get(abstract, {}).get(level)
        if found is None:
            return "-" if _is_list_style(paragraph, styles) else ""
        if found.format == "none":
            return ""
        if found.format == "bullet":
            return "-"
        for deeper in [key for key in self._counts if key[0] == abstract and key[1] > level]:
            del self._counts[deeper]
        self._counts[abstract, level] = self._counts.get((abstract, level), found.start - 1) + 1
        return re.sub(r"%([1-9])", lambda m: self._number(abstract, int(m[1]) - 1), found.text).strip()

    def indent(self, paragraph: Element, styles: Styles) -> str:
        return "  " * min(self._place(paragraph, styles)[1], 8)

    def _number(self, abstract: str, level: int) -> str:
        found = self._levels[abstract].get(level)
        if found is None:
            return ""
        return number_text(self._counts.get((abstract, level), found.start), found.format)

    def _place(self, paragraph: Element, styles: Styles) -> tuple[str, int]:
        """(abstract list, level); ("", 0) for a paragraph that is in no list."""
        own = child_of(paragraph, "pPr", "numPr")
        num_id, level = value_of(own, "numId"), value_of(own, "ilvl")
        for style in styles.chain(paragraph):
            num_id, level = num_id or style.num_id, level or style.num_level
        return (self._abstract_of.get(num_id, ""), int(level) if level.isdigit() else 0) if num_id not in ("", "0") else ("", 0)


def _is_list_style(paragraph: Element, styles: Styles) -> bool:
    return any(style.name.lower().startswith("list bullet") for style in styles.chain(paragraph))


def read_numbering(root: Element | None) -> Numbering:
    levels: dict[str, dict[int, _Level]] = {}
    abstract_of: dict[str, str] = {}
    for element in root if root is not None else ():
        if local(element) == "abstractNum":
            levels[attribute(element, "abstractNumId")] = dict(_levels(element))
        elif local(element) == "num":
            abstract_of[attribute(element, "numId")] = value_of(element, "abstractNumId")
    return Numbering(levels, abstract_of)


def _levels(abstract: Element) -> Iterator[tuple[int, _Level]]:
    for element in abstract:
        number = attribute(element, "ilvl")
        if local(element) == "lvl" and number.isdigit():
            start = value_of(element, "start")
            form = value_of(element, "numFmt") or "decimal"
            yield int(number), _Level(form, value_of(element, "lvlText"), int(start) if start.isdigit() else 1)


def number_text(number: int, form: str) -> str:
    """A number as Word writes it in a list: 3, c, iii, 三, ③ …; unknown forms as digits."""
    if form in ("lowerLetter", "upperLetter") and number > 0:
        letters = _LETTERS[(number - 1) % 26] * ((number - 1) // 26 + 1)
        return letters.upper() if form == "upperLetter" else letters
    if form in ("lowerRoman", "upperRoman") and 0 < number < 4000:
        roman = ""
        for value, sign in _ROMAN:
            roman, number = roman + sign * (number // value), number % value
        return roman.upper() if form == "upperRoman" else roman
    if (
        form.startswith(("taiwaneseCounting", "chineseCounting", "ideographTraditional", "ideographDigital", "japaneseCounting"))
        and 0 < number < 100
    ):
        tens, ones = divmod(number, 10)
        before = "" if tens == 0 else "十" if tens == 1 else _HAN_DIGITS[tens] + "十"
        return before + (_HAN_DIGITS[ones] if ones else "")
    if form == "decimalEnclosedCircle" and 0 < number <= 20:
        return chr(0x245F + number)
    return f"{number:02d}" if form == "decimalZero" else str(number)
