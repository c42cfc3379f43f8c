"""MDX: Markdown with imports, exports and components. The program parts are dropped, what stands between component tags stays."""

import re

from ingest.loaders.markdown import from_markdown
from ingest.loaders.markup import outside_fences
from ingest.loaders.parsed import Parsed
from ingest.loaders.text import decode

_IMPORT = re.compile(r"^import\s[^\n]*(?:['\"][^\n]*|\{[^}]{0,2000}\}\s*from[^\n]*)(?:\n|\Z)", re.MULTILINE)
_EXPORT = re.compile(r"^export\s+(?:const|let|var|default|function|async|class)\b(?:[^\n]+\n?)+", re.MULTILINE)
_TEMPLATE_LINE = re.compile(r"^[ \t]*\{[#:/@][^\n{}]{0,300}\}[ \t]*(?:\n|\Z)", re.MULTILINE)
_ANCHOR = re.compile(r"^(#{1,6} [^\n]*?)[ \t]*\[\[[^\[\]\n]{1,200}\]\][ \t]*$", re.MULTILINE)


def load(data: bytes) -> Parsed:
    """Raises Unreadable as the Markdown loader does."""
    return from_markdown(outside_fences(decode(data), _without_code), components=True)


def _without_code(prose: str) -> str:
    prose = _remove_between(prose, "{/*", "*/}")
    for pattern in (_IMPORT, _EXPORT, _TEMPLATE_LINE):
        prose = pattern.sub("", prose)
    return _ANCHOR.sub(r"\1", prose)


def _remove_between(text: str, opening: str, closing: str) -> str:
    parts: list[str] = []
    cursor = 0
    while (start := text.find(opening, cursor)) >= 0 and (end := text.find(closing, start)) >= 0:
        parts.append(text[cursor:start])
        cursor = end + len(closing)
    return "".join([*parts, text[cursor:]])
