"""HTML: trafilatura finds the main text; where it finds too little of a page, the whole body without its menus is taken."""

import re
from collections.abc import Iterator
from typing import Any

import trafilatura
from lxml import etree
from lxml import html as lxml_html

from core.errors import Unreadable
from ingest.loaders.parsed import Block, Parsed, Writer, one_line, storable, strings, table_rows, whole
from ingest.loaders.text import decode

Element = Any  # lxml has no types

_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([-\w]{2,40})", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"\A\s*<\?xml[^>]{0,300}\?>")
_UNSEEN = frozenset("script style noscript template nav footer aside form button select iframe svg head".split())  # noqa: SIM905
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = frozenset(
    "address article blockquote body center dd details div dl dt fieldset figcaption figure header html li main menu ol p section"  # noqa: SIM905
    " summary ul".split()
)
_NO_LETTER = re.compile(r"[\W_]+")
_MARK = re.compile(r"\s*(?:-|\d+\.) ")
_SHORT = 2_000  # characters; the heuristics were made for articles and lose the ends of shorter pages
_LONG = 2_000_000  # characters; what is larger is no article, and would need much time and memory
_ENOUGH = 0.4  # of the body's text; below, the extraction is not trusted: a short page, a page of tables
_DEEPEST = 400


def load(data: bytes) -> Parsed:
    """Raises Unreadable: `no text` for a page without any, `damaged` for bytes that are not text."""
    declared = _CHARSET.search(data[:4096])
    source = _XML_DECLARATION.sub("", storable(decode(data, declared[1].decode("ascii") if declared else "")))
    if not source.strip():
        raise Unreadable("no text", "the file is empty")
    try:
        page = lxml_html.document_fromstring(source)
    except (etree.LxmlError, ValueError) as error:
        raise Unreadable("no text", f"no HTML in it ({error})") from error
    title = one_line("".join(page.xpath("string(//title)")))
    metadata = _metadata(page)
    body = _written(page)
    main = _main_letters(source) if len(body.text) > _SHORT and len(source) < _LONG else ""
    text, blocks = _without_boilerplate(body, main) if main else (body.text, body.blocks)
    if not blocks:
        raise Unreadable("no text", "the page shows no text; perhaps a program draws it")
    headings = [b for b in blocks if b.kind == "heading"]
    return whole(text, title or (headings[0].label if headings else ""), blocks, metadata)


def _main_letters(source: str) -> str:
    """Letters and digits of what trafilatura takes for the main text; empty when it finds none."""
    try:
        found = trafilatura.bare_extraction(
            source, favor_recall=True, include_tables=True, include_comments=False, include_formatting=False, with_metadata=False
        )
    except (etree.LxmlError, ValueError, TypeError, AttributeError, RecursionError):
        return ""  # it is a heuristic: the body still has everything
    body = getattr(found, "body", None)
    return "" if body is None else _letters("".join(body.itertext()))


def _letters(text: str) -> str:
    return _NO_LETTER.sub("", text)


def _without_boilerplate(body: Writer, main: str) -> tuple[str, list[Block]]:
    """The blocks of the body that are main text, and the headings over them; all blocks when hardly any are.

    trafilatura only says what is main: it loses headings and the shape of lists, so its own output is not used.
    """
    text = body.text
    kept: list[Block] = []
    pending: list[Block] = []  # headings that wait for a kept block below them
    for block in body.blocks:
        if block.kind == "heading":
            pending = [h for h in pending if h.level < block.level] + [block]
        elif _is_main(text[block.start : block.end], main):
            kept += [*pending, block]
            pending = []
    if sum(b.end - b.start for b in kept) < _ENOUGH * len(text):
        return text, body.blocks
    writer = Writer()
    for block in kept:
        writer.add(block.kind, text[block.start : block.end], block.level, block.label)
    return writer.text, writer.blocks


def _is_main(text: str, main: str) -> bool:
    lines = [letters for line in text.split("\n") if (letters := _letters(_MARK.sub("", line)))]
    return bool(lines) and 2 * sum(line[:200] in main for line in lines) >= len(lines)


def _metadata(page: Element) -> dict[str, str]:
    named = {str(m.get("name") or m.get("property") or "").lower(): m.get("content") for m in page.iter("meta")}
    return strings(
        {
            "author": named.get("author") or named.get("article:author"),
            "date": named.get("date") or named.get("article:published_time") or named.get("dcterms.date"),
            "description": named.get("description") or named.get("og:description"),
            "language": page.get("lang"),
        }
    )


def _written(root: Element) -> Writer:
    writer = Writer()
    _Walk(writer).children(root, 0)
    return writer


class _Walk:
    """Turns a tree of HTML, into blocks."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._inline: list[str] = []

    def children(self, node: Element, depth: int) -> None:
        self._inline.append(node.text or "")
        for child in node:
            if isinstance(child.tag, str):
                self._element(child, child.tag, depth)
            self._inline.append(child.tail or "")
        if depth == 0:
            self._flush()

    def _element(self, node: Element, tag: str, depth: int) -> None:
        level = _HEADINGS.get(tag, 0)
        if depth > _DEEPEST or tag in _UNSEEN:
            return
        if level:
            self._flush()
            label = one_line(_text(node))
            self._writer.add("heading", label, level, label)
        elif tag == "table" and not _is_layout(node):
            self._flush()
            rows = [cells for row in node.iter("tr") if (cells := [_text(c) for c in row if c.tag in ("td", "th")])]
            text, header = table_rows([row for row in rows if any(cell.strip() for cell in row)])
            self._writer.add("table", text, 0, header)
        elif tag in ("ul", "ol") and not node.xpath(".//table | .//pre"):
            self._flush()
            self._writer.add("list", "\n".join(_items(node, 0)))
        elif tag in ("pre", "code") and "\n" in (raw := "".join(node.itertext())):
            self._flush()
            self._writer.add("code", raw.strip("\n"))
        elif tag == "br":
            self._inline.append("\n")
        elif tag in _BLOCKS or tag in ("table", "tr", "td", "th", "tbody"):
            self._flush()
            self.children(node, depth + 1)
            self._flush()
        else:
            self.children(node, depth + 1)

    def _flush(self) -> None:
        lines = [" ".join(line.split()) for line in "".join(self._inline).split("\n\n")] if self._inline else []
        self._inline.clear()
        self._writer.add("paragraph", "\n".join(line for line in lines if line))


def _is_layout(table: Element) -> bool:
    """A table that holds tables, or one cell only, arranges a page instead of showing data."""
    return bool(table.xpath(".//table")) or len(table.xpath(".//td | .//th")) < 2


def _text(node: Element) -> str:
    return " ".join(" ".join(str(t) for t in _visible(node)).split()) if len(node) else " ".join((node.text or "").split())


def _visible(node: Element) -> Iterator[str]:
    for piece in node.xpath(".//text()[not(ancestor::script or ancestor::style)]"):
        yield str(piece)


def _items(node: Element, depth: int) -> Iterator[str]:
    """One line an item, nested lists indented by two spaces."""
    number = 0
    for child in node:
        if child.tag in ("ul", "ol"):
            yield from _items(child, depth + 1) if depth < 20 else ()
        if child.tag != "li":
            continue
        number += 1
        nested = [c for c in child if c.tag in ("ul", "ol")]
        own = [child.text or ""]
        for c in child:
            own += ([] if c in nested or not isinstance(c.tag, str) else [_text(c)]) + [c.tail or ""]
        mark = f"{number}." if node.tag == "ol" else "-"
        if line := " ".join(" ".join(own).split()):
            yield f"{'  ' * depth}{mark} {line}"
        for inner in nested:
            yield from _items(inner, depth + 1) if depth < 20 else ()
