"""From a question to an answer that can be checked: the one place where the steps are joined.

question (+ history) -> search -> sufficiency -> prompt -> generator -> grounding -> Answer

Streaming and not run the same code: `events` yields what happens, `answer` waits for the last of it. Search and grounding are
synchronous and run in threads behind a permit; only the generator is awaited. Whatever the generator does, there is an answer.
"""

import asyncio
import contextlib
import re
import time
import uuid
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

import anyio
import anyio.to_thread

from app.extractive import answer_with_quotes, nothing_found
from app.generator import Generator
from app.grounding import Grounded, ground
from app.metrics import Metrics
from app.prompts import Shown, build_prompt, choose_evidence, is_refusal, may_become_refusal
from app.questions import standalone_question
from app.script import in_script, known_characters, language_of
from app.sufficiency import evidence_score
from core.errors import BadRequest, GeneratorDown, GeneratorSlow, Unavailable
from core.settings import Settings
from core.types import Answer, Citation, Filters, Hit, Mode, Reason, Status, Timings, Turn, Unsupported, Usage
from index.records import SearchResult
from index.search import Collection, Library

EXTRACTIVE = "extractive"  # also the name of the model that only quotes
LONGEST_QUEUE_S = 2.0  # wait for a turn of the generator before answering with quotes
THREADS = 8
MOST_WAITING = 128  # questions in the house at once; more are told to come back
_PREAMBLE = re.compile(r"<think>.*?</think>|<\|[a-z_]+\|>|\A\s*(?:答案?|回答|Answer)\s*[：:]\s*", re.DOTALL)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ask:
    """One question as it came in, checked for ranges. `model` None: the default. `max_tokens` None: the setting."""

    question: str
    collection: str = "default"
    k: int = 5
    history: tuple[Turn, ...] = ()
    filters: Filters = Filters()
    model: str | None = None
    mode: Literal["auto", "extractive"] = "auto"
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The hits, before anything is written."""

    hits: tuple[Hit, ...]
    generation: int


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the draft as it is written. The answer that follows has the last word."""

    text: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The end: the whole answer."""

    answer: Answer


Event = Found | Token | Answered


@dataclass(slots=True)
class _Draft:
    """What the generator wrote so far, and how long it took. Times in milliseconds."""

    text: str = ""
    usage: Usage = Usage()
    first_token_ms: float = 0.0
    generate_ms: float = 0.0


@dataclass(slots=True)
class _Run:
    """One question on its way. `begun` is the injected clock's time."""

    ask: Ask
    model: str | None
    standalone: str
    earlier: Turn | None
    collection: Collection
    found: SearchResult
    begun: float
    into_script: Callable[[str], str]
    draft: _Draft
    shown: tuple[Shown, ...] = ()
    ground_ms: float = 0.0


class Answering:
    """Answers questions. One a service; `clock` gives seconds."""

    def __init__(
        self,
        library: Library,
        generator: Generator,
        settings: Settings,
        *,
        metrics: Metrics | None = None,
        clock: Callable[[], float] = time.perf_counter,
        longest_queue_s: float = LONGEST_QUEUE_S,
    ) -> None:
        self._library = library
        self._generator = generator
        self._settings = settings
        self._metrics = metrics or Metrics()
        self._clock = clock
        self._queue_s = min(longest_queue_s, settings.first_token_seconds)
        self._turns = asyncio.Semaphore(settings.concurrent_asks)
        self._threads = anyio.CapacityLimiter(THREADS)
        self._inside = 0

    def models(self) -> tuple[str, ...]:
        """Names a request may give, the default first; `extractive` always works."""
        return (*self._generator.models(), EXTRACTIVE)

    async def in_thread(self, call: Callable[[], T]) -> T:
        """Run synchronous work of the core in one of a few threads."""
        return await anyio.to_thread.run_sync(call, limiter=self._threads)

    async def search(self, name: str, question: str, k: int, filters: Filters, leg: Literal["fused", "dense", "lexical"]) -> SearchResult:
        """Hits alone; needs no generator. NotFound for an unknown collection."""
        return await self.in_thread(lambda: self._library.get(name).search(question, k=k, filters=filters, leg=leg))

    async def answer(self, ask: Ask) -> Answer:
        """The whole answer at once."""
        async with contextlib.aclosing(self.events(ask)) as events:
            async for event in events:
                if isinstance(event, Answered):
                    return event.answer
        raise RuntimeError("answering ended without an answer")

    async def events(self, ask: Ask) -> AsyncGenerator[Event, None]:
        """Found, then tokens, then Answered, always in this order. BadRequest, NotFound and the like come before the first event.

        Closing the iterator stops the generation.
        """
        model = self._model(ask)
        if self._inside >= MOST_WAITING:
            raise Unavailable("too many questions at once: ask again in a moment")
        self._inside += 1
        self._metrics.asks_running.inc()
        try:
            run = await self._start(ask, model)
            yield Found(run.found.hits, run.found.generation)
            async with contextlib.aclosing(self._steps(run)) as steps:
                async for event in steps:
                    if isinstance(event, Answered):
                        self._metrics.answered(event.answer)
                    yield event
        finally:
            self._inside -= 1
            self._metrics.asks_running.dec()

    def _model(self, ask: Ask) -> str | None:
        """The model that is to write; None where only quotes are wanted or no model is known."""
        if ask.model is not None and ask.model not in self.models():
            raise BadRequest(f"model {ask.model[:80]!r} is not served here; one of: {', '.join(self.models())}")
        if ask.mode == "extractive" or ask.model == EXTRACTIVE:
            return None
        return ask.model or next(iter(self._generator.models()), None)

    async def _start(self, ask: Ask, model: str | None) -> _Run:
        begun = self._clock()
        standalone, earlier = standalone_question(ask.question, ask.history)
        collection = await self.in_thread(lambda: self._library.get(ask.collection))
        found = await self.in_thread(lambda: collection.search(standalone, k=ask.k, filters=ask.filters))
        language = language_of(ask.question)
        known = known_characters(ask.question, [h.passage.text for h in found.hits])
        return _Run(ask, model, standalone, earlier, collection, found, begun, lambda t: in_script(t, language, known), _Draft())

    async def _steps(self, run: _Run) -> AsyncGenerator[Token | Answered, None]:
        """Everything after the search."""
        if not run.found.hits:
            yield self._refused(run, "no_hits", "extractive")
            return
        if evidence_score(run.standalone, run.found.hits, run.found.evidence) < self._settings.evidence_threshold:
            yield self._refused(run, "insufficient_evidence", "extractive")
            return
        if run.ask.mode == "extractive" or run.ask.model == EXTRACTIVE:
            yield await self._quoted(run, None)
            return
        failed: Reason | None = None
        try:
            async with contextlib.aclosing(self._written(run)) as tokens:
                async for token in tokens:
                    yield token
        except GeneratorSlow:
            failed = "generator_timeout"
        except GeneratorDown:
            failed = "generator_unavailable"
        if failed:
            yield await self._quoted(run, failed)
        elif is_refusal(run.draft.text):
            yield self._refused(run, "model_declined", "generated")
        else:
            yield await self._checked(run)

    async def _written(self, run: _Run) -> AsyncGenerator[Token, None]:
        """The draft, piece by piece, when it is this question's turn. GeneratorSlow when the turn does not come."""
        language = language_of(run.ask.question)
        run.shown = await self.in_thread(lambda: choose_evidence(run.standalone, run.found.hits, self._settings.evidence_tokens))
        prompt = build_prompt(run.ask.question, run.shown, language, run.earlier)
        try:
            async with asyncio.timeout(self._queue_s):
                await self._turns.acquire()
        except TimeoutError as error:
            raise GeneratorSlow("the generator is busy with earlier questions") from error
        held = ""
        begun = self._clock()
        try:
            deltas = self._generator.stream(prompt, model=run.model, max_tokens=run.ask.max_tokens or self._settings.max_tokens)
            async with contextlib.aclosing(deltas):
                async for delta in deltas:
                    run.draft.usage = delta.usage or run.draft.usage
                    if not delta.text:
                        continue
                    run.draft.first_token_ms = run.draft.first_token_ms or _ms(self._clock() - begun)
                    run.draft.text += delta.text
                    held += delta.text
                    if not may_become_refusal(run.draft.text):
                        yield Token(run.into_script(held))
                        held = ""
        finally:
            self._turns.release()
            run.draft.generate_ms = _ms(self._clock() - begun)
        run.draft.text = _PREAMBLE.sub("", run.draft.text).strip()

    async def _checked(self, run: _Run) -> Answered:
        """The draft grounded; quotes instead when its core is not supported."""

        def check() -> Grounded:
            return ground(run.into_script(run.draft.text), run.standalone, run.shown, run.collection.similarities)

        begun = self._clock()
        grounded = await self.in_thread(check)
        run.ground_ms = _ms(self._clock() - begun)
        if not grounded.sound:
            return await self._quoted(run, "insufficient_evidence")
        return self._finished(run, grounded.answer, "answered", "generated", None, grounded.citations, grounded.unsupported)

    async def _quoted(self, run: _Run, reason: Reason | None) -> Answered:
        begun = self._clock()
        language = language_of(run.ask.question)
        similarities = run.collection.similarities
        quoted = await self.in_thread(lambda: answer_with_quotes(run.standalone, run.found.hits, language, run.into_script, similarities))
        run.ground_ms += _ms(self._clock() - begun)
        if not quoted.citations:
            return self._refused(run, reason or "no_hits", "extractive")
        return self._finished(run, quoted.answer, "answered", "extractive", reason, quoted.citations)

    def _refused(self, run: _Run, reason: Reason, mode: Mode) -> Answered:
        return self._finished(run, nothing_found(language_of(run.ask.question)), "no_evidence", mode, reason)

    def _finished(
        self,
        run: _Run,
        text: str,
        status: Status,
        mode: Mode,
        reason: Reason | None,
        citations: tuple[Citation, ...] = (),
        unsupported: tuple[Unsupported, ...] = (),
    ) -> Answered:
        timings = Timings(
            embed_ms=round(run.found.embed_ms, 2),
            search_ms=round(run.found.search_ms, 2),
            first_token_ms=run.draft.first_token_ms,
            generate_ms=run.draft.generate_ms,
            ground_ms=run.ground_ms,
            total_ms=_ms(self._clock() - run.begun),
        )
        answer = Answer(
            id=f"ask-{uuid.uuid4().hex}",
            question=run.ask.question,
            standalone_question=run.standalone,
            answer=text,
            status=status,
            mode=mode,
            reason=reason,
            citations=citations,
            unsupported=unsupported,
            hits=run.found.hits,
            model=run.model if mode == "generated" else None,
            generation=run.found.generation,
            usage=run.draft.usage,
            timings=timings,
        )
        return Answered(answer)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
