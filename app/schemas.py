"""Requests and replies over HTTP. Unknown fields of our own requests are refused; ranges are the contract's."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from app.answering import Ask
from core.types import Answer, Citation, Document, Filters, Hit, Leg, Mode, Reason, Status, Turn
from index.records import DocumentRecord, SearchResult

COLLECTION_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,63}$"
Question = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"\S", description="The question, in Chinese or English.")]
Name = Annotated[str, Field(pattern=COLLECTION_PATTERN, description="Name of a collection.")]
Model = Annotated[str, Field(min_length=1, max_length=200, description="A name of GET /v1/models.")]
Short = Annotated[str, Field(min_length=1, max_length=500)]
Few = Annotated[list[Short], Field(max_length=100)]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TurnIn(_In):
    """One earlier exchange."""

    question: str = Field(max_length=2000)
    answer: str = Field(max_length=20_000)


class FiltersIn(_In):
    """What may be searched; empty: everything."""

    source: Few = Field(default_factory=list, description="Globs of sources; any may match.")
    document_id: Few = Field(default_factory=list)
    metadata: dict[Short, Short] = Field(default_factory=dict, max_length=20)

    def value(self) -> Filters:
        return Filters(tuple(self.source), tuple(self.document_id), dict(self.metadata))


class AskIn(_In):
    """A question for POST /ask."""

    question: Question
    collection: Name = "default"
    k: int = Field(5, ge=1, le=20, description="Passages to find.")
    history: list[TurnIn] = Field(default_factory=list, max_length=10)
    filters: FiltersIn = Field(default_factory=FiltersIn)
    model: Model | None = None
    mode: Literal["auto", "extractive"] = "auto"
    stream: bool = False
    max_tokens: int | None = Field(None, ge=16, le=4096)

    def value(self) -> Ask:
        turns = tuple(Turn(t.question, t.answer) for t in self.history)
        return Ask(self.question, self.collection, self.k, turns, self.filters.value(), self.model, self.mode, self.max_tokens)


class SearchIn(_In):
    """A question for POST /search."""

    question: Question
    collection: Name = "default"
    k: int = Field(10, ge=1, le=100)
    filters: FiltersIn = Field(default_factory=FiltersIn)
    leg: Leg = "fused"


class _Out(BaseModel):
    model_config = ConfigDict(from_attributes=True, protected_namespaces=())


class ScoresOut(_Out):
    dense: float | None
    lexical: float | None
    fused: float | None


class HitOut(_Out):
    """A passage found."""

    rank: int
    passage_id: str
    document_id: str
    source: str
    title: str
    page_first: int
    page_last: int
    headings: list[str]
    text: str
    scores: ScoresOut

    @classmethod
    def of(cls, hit: Hit) -> Self:
        p = hit.passage
        return cls(
            rank=hit.rank,
            passage_id=p.id,
            document_id=p.document_id,
            source=hit.source,
            title=hit.title,
            page_first=p.page_first,
            page_last=p.page_last,
            headings=list(p.headings),
            text=p.text,
            scores=ScoresOut.model_validate(hit.scores),
        )


class CitationOut(_Out):
    """A verbatim quote that supports `answer[answer_start:answer_end]`; offsets in characters."""

    marker: int
    passage_id: str
    document_id: str
    title: str
    source: str
    page_first: int
    page_last: int
    headings: list[str]
    quote: str
    quote_start: int
    quote_end: int
    answer_start: int
    answer_end: int
    support: float

    @classmethod
    def of(cls, citation: Citation) -> Self:
        return cls.model_validate(citation)


class UnsupportedOut(_Out):
    answer_start: int
    answer_end: int
    why: str


class UsageOut(_Out):
    prompt_tokens: int
    completion_tokens: int


class TimingsOut(_Out):
    """Milliseconds; 0 where a step did not run."""

    embed_ms: float
    search_ms: float
    first_token_ms: float
    generate_ms: float
    ground_ms: float
    total_ms: float


class AnswerOut(_Out):
    """The reply of POST /ask."""

    id: str
    question: str
    standalone_question: str
    answer: str
    status: Status
    mode: Mode
    reason: Reason | None
    citations: list[CitationOut]
    unsupported: list[UnsupportedOut]
    hits: list[HitOut]
    model: str | None
    generation: int
    usage: UsageOut
    timings: TimingsOut

    @classmethod
    def of(cls, answer: Answer) -> Self:
        return cls(
            id=answer.id,
            question=answer.question,
            standalone_question=answer.standalone_question,
            answer=answer.answer,
            status=answer.status,
            mode=answer.mode,
            reason=answer.reason,
            citations=[CitationOut.of(c) for c in answer.citations],
            unsupported=[UnsupportedOut.model_validate(u) for u in answer.unsupported],
            hits=[HitOut.of(h) for h in answer.hits],
            model=answer.model,
            generation=answer.generation,
            usage=UsageOut.model_validate(answer.usage),
            timings=TimingsOut.model_validate(answer.timings),
        )


class SearchTimingsOut(_Out):
    embed_ms: float
    search_ms: float


class SearchOut(_Out):
    """The reply of POST /search."""

    hits: list[HitOut]
    generation: int
    timings: SearchTimingsOut

    @classmethod
    def of(cls, found: SearchResult) -> Self:
        timings = SearchTimingsOut(embed_ms=round(found.embed_ms, 2), search_ms=round(found.search_ms, 2))
        return cls(hits=[HitOut.of(h) for h in found.hits], generation=found.generation, timings=timings)


class DocumentOut(_Out):
    """A document of the index, without its text."""

    id: str
    source: str
    title: str
    media_type: str
    sha256: str
    size: int
    pages: int
    passages: int
    metadata: dict[str, str]

    @classmethod
    def of(cls, record: DocumentRecord) -> Self:
        return cls.model_validate(record)


class DocumentsOut(_Out):
    collection: str
    generation: int
    total: int
    documents: list[DocumentOut]


class PageOut(_Out):
    number: int
    start: int
    end: int
    label: str


class DocumentTextOut(_Out):
    """A document with its text: `text[quote_start:quote_end]` of a citation is its quote."""

    id: str
    source: str
    title: str
    media_type: str
    sha256: str
    metadata: dict[str, str]
    pages: list[PageOut]
    text: str

    @classmethod
    def of(cls, document: Document) -> Self:
        return cls.model_validate(document)


class CollectionOut(_Out):
    """A collection. `problem` is empty, or the type of what keeps it from being opened."""

    name: str
    generation: int
    documents: int
    passages: int
    problem: str


class CollectionsOut(_Out):
    collections: list[CollectionOut]


class ChatMessageIn(BaseModel):
    """A message of an OpenAI client; `content` may be its list-of-parts form."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[dict[str, Any]] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "".join(str(part.get("text", "")) for part in self.content if part.get("type") in ("text", "input_text"))
        return self.content or ""


class ChatIn(BaseModel):
    """POST /v1/chat/completions: OpenAI's fields that mean something here, and ours. Other fields are ignored, so that any client works."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    messages: list[ChatMessageIn] = Field(min_length=1, max_length=200)
    model: Model | None = None
    stream: bool = False
    max_tokens: int | None = Field(None, ge=1, le=100_000)
    max_completion_tokens: int | None = Field(None, ge=1, le=100_000)
    collection: Name = "default"
    k: int = Field(5, ge=1, le=20)
    filters: FiltersIn = Field(default_factory=FiltersIn)
    mode: Literal["auto", "extractive"] = "auto"
