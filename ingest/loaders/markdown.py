"""Markdown. The text stays as written, but for what nobody reads: comments, HTML tags, image addresses and front matter."""

import re
from html import unescape

from core.errors import Unreadable
from ingest.loaders.markdown_blocks import front_matter, parse_blocks
from ingest.loaders.markup import strip_markup
from ingest.loaders.parsed import Parsed, one_line, strings, whole
from ingest.loaders.text import decode

_IMAGE = re.compile(r"!\[([^\[\]\n]{0,300})\]\([^()\n]{0,3000}\)")
_LINK = re.compile(r"\[([^\[\]\n]{0,300})\]\([^()\n]{0,3000}\)")
_ANCHOR = re.compile(r"\s*(?:\[\[[^\[\]\n]{0,200}\]\]|\{#[^{}\n]{0,200}\})\s*\Z")
_EMPHASIS = re.compile(r"(?<![\w*])(\*{1,3}|_{1,3})(?=\S)(.{1,300}?)(?<=\S)\1(?![\w*])")
_DATA_URI = re.compile(r"data:[a-z]{1,20}/[-+.a-z0-9]{1,60};base64,[A-Za-z0-9+/=]{64,}")


def load(data: bytes) -> Parsed:
    """Raises Unreadable: `no text`, or `damaged` for binary data under a Markdown file's name."""
    return from_markdown(decode(data))


def from_markdown(source: str, *, components: bool = False) -> Parsed:
    """`components` drops the tags of JSX components too."""
    matter, body = front_matter(source)
    text = strip_markup(_DATA_URI.sub("", body) if "base64," in body else body, components=components)
    text = _IMAGE.sub(r"\1", text) if "![" in text else text
    blocks = parse_blocks(text, plain)
    if not blocks:
        raise Unreadable("no text", "no text is left without markup" if source.strip() else "the file is empty")
    headings = [b for b in blocks if b.kind == "heading" and b.label]
    title = matter.pop("title", "") or next((b.label for b in headings if b.level == 1), "") or (headings[0].label if headings else "")
    return whole(text, one_line(title), blocks, strings(matter))


def plain(text: str) -> str:
    """A heading without links, emphasis, code marks, anchors and escapes."""
    bare = _ANCHOR.sub("", text.strip()[:2000])
    bare = _LINK.sub(r"\1", _IMAGE.sub(r"\1", bare)).replace("`", "")
    bare = _EMPHASIS.sub(r"\2", bare)
    return one_line(unescape(re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", bare)))
