"""Takes comments and tags out of Markdown without touching code, and without ever going back over the text."""

import re
from collections.abc import Callable

_FENCE_LINE = re.compile(r"^ {0,3}(`{3,}|~{3,})([^\n]*)$", re.MULTILINE)
_INTERESTING = re.compile(r"`+|<!--|</?([A-Za-z][A-Za-z0-9.]*)(?=[\s/>])")
_BLANK_LINES = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")
_LONGEST_TAG = 20_000
_SHORTEST_LOOK = 300
_LONGEST_CODE = 2_000

_INLINE = frozenset("a abbr b br em font i img input kbd mark small span strong sub sup u".split())  # noqa: SIM905 - a list of words
_BLOCK = frozenset(
    "article aside blockquote button center dd details div dl dt figcaption figure footer h1 h2 h3 h4 h5 h6 header hr label li main nav ol "  # noqa: SIM905
    "p picture pre section select source summary table tbody td tfoot th thead tr ul option form".split()
)
_DROPPED = frozenset("audio canvas embed iframe noscript object script style svg template video youtube".split())  # noqa: SIM905


def outside_fences(text: str, change: Callable[[str], str]) -> str:
    """Apply `change` to the runs of text between fenced code blocks; the fences stay as they are."""
    parts: list[str] = []
    cursor = 0
    opened: tuple[int, str] | None = None  # where the fence began, and its marks
    for line in _FENCE_LINE.finditer(text):
        marks = line[1]
        if opened is None:
            if marks[0] == "`" and "`" in line[2]:
                continue  # ```inline``` on one line
            parts.append(change(text[cursor : line.start()]))
            opened = (line.start(), marks)
        elif marks[0] == opened[1][0] and len(marks) >= len(opened[1]) and not line[2].strip():
            parts.append(text[opened[0] : line.end()])
            cursor, opened = line.end(), None
    parts.append(change(text[cursor:]) if opened is None else text[opened[0] :])
    return "".join(parts)


def strip_markup(text: str, *, components: bool) -> str:
    """Markdown without HTML comments and tags; text between tags stays, but for scripts, styles and players.

    Only known HTML names count as tags, so `<mask>` or `<your name>` stay. With `components`, capitalised names are tags too.
    """
    if "<" not in text:
        return text
    return outside_fences(text, lambda prose: _BLANK_LINES.sub("\n\n", _stripped(prose, components)))


def _stripped(text: str, components: bool) -> str:
    stripper = _Stripper(text, components)
    parts: list[str] = []
    kept = cursor = 0
    while (found := _INTERESTING.search(text, cursor)) is not None:
        start, cursor = found.start(), found.end()
        if found[0][0] == "`":
            closing = text.find(found[0], cursor, cursor + _LONGEST_CODE)
            cursor = closing + len(found[0]) if closing >= 0 else cursor
            continue
        end, instead = stripper.comment(start) if found[0] == "<!--" else stripper.tag(found)
        if end:
            parts += [text[kept:start], instead]
            kept = cursor = end
    return "".join([*parts, text[kept:]])


class _Stripper:
    """Finds ends of comments and tags; remembers what has no end, so that a text full of beginnings is not searched again and again."""

    def __init__(self, text: str, components: bool) -> None:
        self._text = text
        self._components = components
        self._patience = _LONGEST_TAG  # characters looked at for the end of a tag; less after each that has none
        self._endless: set[str] = set()  # what is not closed anywhere from here on

    def comment(self, start: int) -> tuple[int, str]:
        return self._behind("-->", start), ""

    def tag(self, found: re.Match[str]) -> tuple[int, str]:
        """(end of what goes, what comes in its place); (0, "") when it is not a tag."""
        name, lower = found[1], found[1].lower()
        component = self._components and name[0].isupper()
        if not (component or lower in _INLINE or lower in _BLOCK or lower in _DROPPED):
            return 0, ""
        end = tag_end(self._text, found.end(), self._patience)
        if not end:
            self._patience = max(_SHORTEST_LOOK, self._patience // 2)
            return 0, ""
        closing = found[0][1] == "/"
        if not closing and lower in _DROPPED and self._text[end - 2] != "/":
            end = self._behind(f"</{name}>", end) or end
        if lower in ("td", "th"):
            return end, " | " if closing else ""
        return end, "\n" if component or lower == "br" or lower not in _INLINE else ""

    def _behind(self, sign: str, start: int) -> int:
        """Offset behind the next `sign`; 0 when there is none."""
        at = -1 if sign in self._endless else self._text.find(sign, start)
        if at < 0:
            self._endless.add(sign)
            return 0
        return at + len(sign)


def tag_end(text: str, start: int, longest: int = _LONGEST_TAG) -> int:
    """Offset behind the `>` that closes a tag, `>` inside quotes and braces not counted; 0 when there is none near."""
    depth = 0
    quote = ""
    for at in range(start, min(len(text), start + longest)):
        sign = text[at]
        if quote:
            quote = "" if sign == quote and text[at - 1] != "\\" else quote
        elif sign in "\"'`" and (depth or text[at - 1] in "= "):
            quote = sign
        elif sign == "{":
            depth += 1
        elif sign == "}":
            depth -= 1
        elif sign == "<" and depth <= 0:
            return 0
        elif sign == ">" and depth <= 0:
            return at + 1
    return 0
