"""The vocabulary: frozen values that every part speaks.

Offsets are characters (Unicode code points) of `Document.text`, half open: `text[start:end]`. Page numbers are 1-based.
Scores and vectors are never kept on a passage; a `Hit` wraps a passage with its rank and scores.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Leg = Literal["fused", "dense", "lexical"]
Status = Literal["answered", "no_evidence"]
Mode = Literal["generated", "extractive"]
Reason = Literal["no_hits", "insufficient_evidence", "model_declined", "generator_unavailable", "generator_timeout"]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a document. `number` counts from 1; `label` is the printed one ("iv", "A-3") where the file has it."""

    number: int
    start: int
    end: int
    label: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """One source file as text. `sha256` is of the file's bytes; `id` depends on the source alone and survives replacement."""

    id: str
    source: str
    title: str
    media_type: str
    text: str
    pages: tuple[Page, ...]
    sha256: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Passage:
    """A span of a document that is indexed and cited as one: `document.text[start:end] == text`.

    `headings` is the path from the outermost heading to the passage; a passage that continues a table has the table's
    header row as its last element. `token_count` is in the embedder's tokens, headings not counted.
    """

    id: str
    document_id: str
    ordinal: int
    text: str
    start: int
    end: int
    page_first: int
    page_last: int
    headings: tuple[str, ...]
    token_count: int


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of one hit. `dense` is a cosine in -1..1, `lexical` a BM25 score >= 0, `fused` in 0..1; None where a leg did not return it."""

    dense: float | None
    lexical: float | None
    fused: float | None


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found for a question, with its 1-based rank and what the reader needs to name its document."""

    rank: int
    passage: Passage
    source: str
    title: str
    scores: Scores


@dataclass(frozen=True, slots=True)
class Filters:
    """What a search may return. Empty tuples and mappings do not restrict; source patterns are shell globs, any may match."""

    source: tuple[str, ...] = ()
    document_id: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        return not (self.source or self.document_id or self.metadata)


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier exchange of a conversation."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Citation:
    """A verbatim quote that supports a span of the answer.

    `document.text[quote_start:quote_end] == quote`; `answer[answer_start:answer_end]` is the supported text; `support` is in 0..1.
    """

    marker: int
    passage_id: str
    document_id: str
    title: str
    source: str
    page_first: int
    page_last: int
    headings: tuple[str, ...]
    quote: str
    quote_start: int
    quote_end: int
    answer_start: int
    answer_end: int
    support: float


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A span of the answer that no shown passage supports, and why."""

    answer_start: int
    answer_end: int
    why: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens the generator reports; 0 where it was not asked."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds of each step of one answer; 0.0 where a step did not run."""

    embed_ms: float = 0.0
    search_ms: float = 0.0
    first_token_ms: float = 0.0
    generate_ms: float = 0.0
    ground_ms: float = 0.0
    total_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The reply to one question. `reason` is None only for a generated or requested-extractive answer with evidence."""

    id: str
    question: str
    standalone_question: str
    answer: str
    status: Status
    mode: Mode
    reason: Reason | None
    citations: tuple[Citation, ...]
    unsupported: tuple[Unsupported, ...]
    hits: tuple[Hit, ...]
    model: str | None
    generation: int
    usage: Usage
    timings: Timings
