"""Citation markers in a draft: `[2]`, `[1, 3]`, `【2】`. Found, taken out, and remembered by where they stood. Pure."""

import re
from collections.abc import Collection
from dataclasses import dataclass

_MARKER = re.compile(r"\s*[\[［【](\d{1,3}(?:\s*[,，、]\s*\d{1,3})*)[\]］】]")


@dataclass(frozen=True, slots=True)
class Marked:
    """A draft without its markers. `markers` are (offset in `text`, number): the marker stood before `text[offset]`."""

    text: str
    markers: tuple[tuple[int, int], ...]


def take_markers(draft: str, evidence: Collection[str]) -> Marked:
    """Split a draft into text and markers. A bracketed number copied from the evidence with the word before it (`list[0]`) is text."""
    kept: list[str] = []
    found: list[tuple[int, int]] = []
    length = last = 0
    for match in _MARKER.finditer(draft):
        copied = draft[max(0, match.start() - 6) : match.end()]
        if len(copied) > len(match.group()) and any(copied in text for text in evidence):
            continue
        piece = draft[last : match.start()]
        kept.append(piece)
        length += len(piece)
        found.extend((length, int(n)) for n in re.findall(r"\d+", match.group(1)))
        last = match.end()
    kept.append(draft[last:])
    return Marked("".join(kept), tuple(found))
