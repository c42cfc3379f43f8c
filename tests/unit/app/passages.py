"""Hits made by hand for the pure tests."""

from app.prompts import Shown
from core.types import Hit, Passage, Scores


def hit(text: str, *, rank: int = 1, source: str = "a.txt", title: str = "", start: int = 0, headings: tuple[str, ...] = ()) -> Hit:
    """A hit whose passage begins at `start` of its document."""
    document_id = f"doc-{source}"
    passage = Passage(f"{document_id}-{start}", document_id, start, text, start, start + len(text), 3, 3, headings, len(text))
    return Hit(rank, passage, source, title, Scores(0.9, 5.0, 0.9))


def shown(*texts: str) -> list[Shown]:
    """Each text as a hit of its own document, shown whole; markers from 1."""
    hits = [hit(text, rank=n, source=f"{n}.txt", start=100 * n) for n, text in enumerate(texts, start=1)]
    return [Shown(n, h, ((0, len(h.passage.text)),)) for n, h in enumerate(hits, start=1)]
