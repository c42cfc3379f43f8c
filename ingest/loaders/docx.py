"""Word documents, read from their XML: headings, paragraphs, numbered lists, tables as rows with their header.

The parts are read directly, because that also reads strict and slightly broken files; names are matched without their name
space. Entities are not expanded, and what would not fit into memory is refused before it is unpacked.
"""

import io
import itertools
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

from lxml import etree

from core.errors import Unreadable
from ingest.loaders.docx_styles import Numbering, Styles, attribute, local, read_numbering, read_styles
from ingest.loaders.parsed import Parsed, Writer, one_line, strings, table_rows, whole

Element = Any  # lxml has no types

_OLE = b"\xd0\xcf\x11\xe0"  # an old .doc, or a .docx with a password, under the name of a .docx
_LARGEST_PART = 128_000_000  # bytes of XML, unpacked
_MOST_PARTS = 20_000
_DOCTYPE = re.compile(rb"<!DOCTYPE|<!ENTITY")
_DEEPEST = 60
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError)


def load(data: bytes) -> Parsed:
    """Raises Unreadable: `encrypted`, `damaged`, `limit`, or `no text`."""
    if not data:
        raise Unreadable("damaged", "the file is empty")
    package = _Package(data)
    document = package.xml(package.main)
    body = next((child for child in document if local(child) == "body"), None)
    if body is None:
        raise Unreadable("damaged", "it has no document body")
    walk = _Walk(read_styles(package.part_or_none("styles.xml")), read_numbering(package.part_or_none("numbering.xml")))
    walk.blocks(body, 0)
    for kind in ("footnotes.xml", "endnotes.xml"):
        notes = package.part_or_none(kind)
        for note in notes if notes is not None else ():
            walk.blocks(note, 0)
    walk.end_list()
    writer = walk.writer
    if not writer.blocks:
        raise Unreadable("no text", "it holds no text; perhaps only pictures")
    metadata = package.properties()
    headings = [b for b in writer.blocks if b.kind == "heading"]
    title = metadata.pop("title", "") or walk.title or (headings[0].label if headings else "")
    return whole(writer.text, one_line(title), writer.blocks, metadata)


class _Package:
    """The parts of the file."""

    def __init__(self, data: bytes) -> None:
        if data.startswith(_OLE):
            raise Unreadable("encrypted", "it has a password, or is in the old .doc format: save it as .docx without password")
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
            self._names = {name.replace("\\", "/").lstrip("/").lower(): name for name in self._zip.namelist()}
        except _BROKEN as error:
            raise Unreadable("damaged", f"it is no Word document ({error})") from error
        if len(self._names) > _MOST_PARTS:
            raise Unreadable("limit", f"it has {len(self._names):,} parts")
        self.main = self._main_part()
        self._folder = self.main.rpartition("/")[0]

    def _main_part(self) -> str:
        if "_rels/.rels" in self._names:
            for relation in self.xml("_rels/.rels"):
                if (relation.get("Type") or "").endswith("/officeDocument"):
                    target = (relation.get("Target") or "").replace("\\", "/").lstrip("/").lower()
                    if target in self._names:
                        return target
        if "word/document.xml" in self._names:
            return "word/document.xml"
        raise Unreadable("damaged", "it has no Word document inside")

    def xml(self, name: str) -> Element:
        """Raises Unreadable for a part that is too large, has a document type declaration or is no XML."""
        try:
            part = self._zip.getinfo(self._names[name])
            if part.file_size > _LARGEST_PART:
                raise Unreadable("limit", f"{name} in it has {part.file_size / 1e6:,.0f} MB unpacked")
            with self._zip.open(part) as file:
                content = file.read(_LARGEST_PART + 1)
        except (*_BROKEN, KeyError) as error:
            raise Unreadable("damaged", f"{name} in it cannot be unpacked ({error})") from error
        if len(content) > _LARGEST_PART:
            raise Unreadable("limit", f"{name} in it has more than {_LARGEST_PART / 1e6:,.0f} MB unpacked")
        if _DOCTYPE.search(content[:8192]) or _DOCTYPE.search(content[:8192].replace(b"\0", b"")):
            raise Unreadable("damaged", f"{name} in it declares a document type, which Word never does")
        parser = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True, remove_comments=True, remove_pis=True
        )
        try:
            return etree.fromstring(content, parser)
        except (etree.LxmlError, ValueError) as error:
            if "unknown error" in str(error):  # what libxml2 says when it gets no memory
                raise Unreadable("limit", f"{name} in it needs more memory than QA_PARSE_MEMORY_MB allows") from error
            raise Unreadable("damaged", f"{name} in it is no XML ({error})") from error

    def part_or_none(self, file_name: str) -> Element | None:
        """A part beside the main one; None when it is missing or broken: the text can be read without."""
        name = f"{self._folder}/{file_name}".lstrip("/")
        try:
            return self.xml(name) if name in self._names else None
        except Unreadable:
            return None

    def properties(self) -> dict[str, str]:
        try:
            core = self.xml("docprops/core.xml") if "docprops/core.xml" in self._names else ()
        except Unreadable:
            return {}
        found = {local(e): e.text for e in core}
        date = (found.get("modified") or found.get("created") or "")[:10]
        wanted = {
            name: found.get(key)
            for name, key in (("title", "title"), ("author", "creator"), ("subject", "subject"), ("keywords", "keywords"))
        }
        return strings({**wanted, "date": date})


class _Walk:
    """Turns the body into blocks."""

    def __init__(self, styles: Styles, numbering: Numbering) -> None:
        self._styles = styles
        self._numbering = numbering
        self._items: list[str] = []
        self.writer = Writer()
        self.title = ""

    def blocks(self, parent: Element, depth: int) -> None:
        for child in parent if depth < _DEEPEST else ():
            name = local(child)
            if name == "p":
                self._paragraph(child, depth)
            elif name == "tbl":
                self.end_list()
                self._table(child, depth)
            elif name in ("sdt", "sdtContent", "customXml", "smartTag", "ins", "moveTo", "txbxContent", "note"):
                self.blocks(child, depth + 1)

    def _paragraph(self, paragraph: Element, depth: int) -> None:
        text = _text(paragraph)
        level, is_title = self._styles.heading(paragraph)
        label = self._numbering.label(paragraph, self._styles) if text.strip() else ""
        if not text.strip():
            pass
        elif level or is_title:
            self.end_list()
            line = one_line(f"{label} {text}")
            self.title = self.title or (line if is_title else "")
            self.writer.add("heading", line, level or 1, line)
        elif label:
            self._items.append(f"{self._numbering.indent(paragraph, self._styles)}{label} {' '.join(text.split())}")
        else:
            self.end_list()
            self.writer.add("paragraph", text)
        for box in _text_boxes(paragraph):
            self.end_list()
            self.blocks(box, depth + 1)

    def end_list(self) -> None:
        items, self._items = self._items, []
        self.writer.add("list", "\n".join(items))

    def _table(self, table: Element, depth: int) -> None:
        rows = [_cells(row) for row in _rows(table)]
        if max((len(row) for row in rows), default=0) <= 1:  # a frame around text
            for row in _rows(table):
                for cell in row:
                    self.blocks(cell, depth + 1)
            return
        text, header = table_rows([row for row in rows if any(cell.strip() for cell in row)])
        self.writer.add("table", text, 0, header)


def _rows(table: Element) -> Iterator[Element]:
    for child in table:
        if local(child) == "tr":
            yield child
        elif local(child) in ("sdt", "sdtContent", "customXml"):
            yield from _rows(child)


def _cells(row: Element) -> list[str]:
    """Texts of the cells; a cell over several columns fills them, one that continues the cell above is empty."""
    cells: list[str] = []
    for child in row.iter():
        if local(child) != "tc" or _row_of(child) is not row:
            continue
        span = next((attribute(e, "val") for e in child.iter() if local(e) == "gridSpan"), "1")
        text = " ".join(_text(p) for p in child.iter() if local(p) == "p")
        cells += [text] + [""] * (min(int(span), 63) - 1 if span.isdigit() else 0)
    return cells


def _row_of(cell: Element) -> Element | None:
    return next((a for a in cell.iterancestors() if local(a) == "tr"), None)


_SPACES = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "ptab": "\t"}
_NOT_READ = frozenset({"del", "moveFrom", "Fallback", "txbxContent", "instrText", "delText", "rPr", "pPr", "annotation"})


def _text(node: Element) -> str:
    """The text as it reads with all changes accepted; text boxes are blocks of their own."""
    parts: list[str] = []
    waiting = list(reversed(node))
    while waiting:
        child = waiting.pop()
        name = local(child)
        if name == "t":
            parts.append(child.text or "")
        elif name in _SPACES:
            parts.append(_SPACES[name])
        elif name == "sym":
            parts.append(_symbol(attribute(child, "char")))
        elif name not in _NOT_READ:
            waiting += reversed(child)
    return "".join(parts)


def _symbol(code: str) -> str:
    """A letter of a symbol font; those of the private area mean nothing outside of it."""
    number = int(code, 16) if re.fullmatch(r"[0-9A-Fa-f]{1,6}", code) else 0
    return chr(number) if 32 < number < 0xD800 else ""


def _text_boxes(paragraph: Element) -> Iterator[Element]:
    """Text boxes anchored in the paragraph, not those inside other boxes, nor the copies kept for old programs."""
    for box in paragraph.iter():
        if local(box) == "txbxContent":
            around = itertools.takewhile(lambda a: a is not paragraph, box.iterancestors())
            if not {"Fallback", "txbxContent"} & {local(a) for a in around}:
                yield box
