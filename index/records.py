"""What index/ takes from ingest and gives to app: entries, records, results. Light: importing it loads no engine."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.types import Document, Hit, Passage

Vectors = NDArray[np.float32]


def no_progress(done: int) -> None:
    """The progress callback that shows nothing."""


class Embedder(Protocol):
    """Texts to vectors. Implementations are thread-safe and give the same vector for the same text in any batch (to about 1e-3).

    `id` is stable for the same weights and does not depend on the backend; vectors are (n, dimension) float32, C-contiguous,
    rows L2-normalised; texts longer than `max_tokens` are cut. `progress` is told how many texts were finished since the last call.
    """

    @property
    def id(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    @property
    def max_tokens(self) -> int: ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without prompt and special tokens."""
        ...

    def encode_documents(self, texts: Sequence[str], progress: Callable[[int], None] = no_progress) -> Vectors: ...

    def encode_queries(self, texts: Sequence[str]) -> Vectors: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """A document ready for the index. `original` are the bytes of the file, kept under their SHA-256."""

    document: Document
    passages: Sequence[Passage]
    original: bytes


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """What the index knows of one document without its text. `size` is in bytes, `passages` and `pages` are counts.

    `deleted` says a delete was asked for; `chunker` is the version that cut its passages.
    """

    id: str
    source: str
    sha256: str
    title: str
    media_type: str
    size: int
    passages: int
    pages: int
    deleted: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    chunker: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """How much a question found, for deciding whether to answer.

    `top_dense`: cosine of the best passage by meaning (-1..1); `dense_gap`: that minus the tenth's, >= 0.
    `coverage`: share of the question's term weight (idf) that occurs in the best hit (0..1).
    `lexical_speaks`: share of it that exists anywhere in the index (0..1), low when the question is in another language than the passages.
    `agreement`: both legs have the same best passage.
    """

    top_dense: float = 0.0
    dense_gap: float = 0.0
    coverage: float = 0.0
    lexical_speaks: float = 0.0
    agreement: bool = False


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Hits of one search, best first, all of one generation. Times in milliseconds."""

    hits: tuple[Hit, ...]
    generation: int
    evidence: Evidence
    embed_ms: float
    search_ms: float


def embedded_text(title: str, passage: Passage) -> str:
    """The text of a passage that is embedded and indexed: title, headings, text, one a line; the title is not repeated."""
    headings = [h for h in passage.headings if h != title]
    return "\n".join([*([title] if title else []), *headings, passage.text])
