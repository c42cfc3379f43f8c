"""Answers as Server-Sent Events: ours for POST /ask, OpenAI's chunks for chat. A stream always ends with a word: never silently."""

import json
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from app.answering import Answered, Event, Found, Token
from app.errors import problem, problem_of
from app.schemas import AnswerOut, HitOut
from core.errors import QaError
from core.sentences import sentence_spans
from core.types import Answer

logger = logging.getLogger(__name__)

SSE_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def first_of(events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
    """The same events, the first one fetched already: what is wrong with the question is raised here, before any reply has begun."""
    first = await anext(events)
    return _again(first, events)


async def _again(first: Event, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
    async with aclosing(events):
        yield first
        async for event in events:
            yield event


def sse(name: str, data: str) -> bytes:
    """One event; `data` is JSON on one line."""
    return f"event: {name}\ndata: {data}\n\n".encode()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


async def ask_events(events: AsyncGenerator[Event, None], request_id: str) -> AsyncGenerator[bytes, None]:
    """hits, token …, answer, done; or error."""
    try:
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Token):
                    yield sse("token", _json({"text": event.text}))
                elif isinstance(event, Found):
                    hits = [HitOut.of(h).model_dump() for h in event.hits]
                    yield sse("hits", _json({"hits": hits, "generation": event.generation}))
                else:
                    yield sse("answer", AnswerOut.of(event.answer).model_dump_json())
        yield sse("done", "{}")
    except Exception as error:  # noqa: BLE001 - the outer edge of a stream: the reply has begun, so the error becomes its last event
        yield sse("error", _json(_problem(error, request_id)))


def _problem(error: Exception, request_id: str) -> dict[str, Any]:
    logger.error("stream broke id=%s", request_id, exc_info=error)
    if isinstance(error, QaError):
        return problem_of(error, request_id)[1]
    return problem(500, "internal", "Internal error", "see the service's log", request_id)


def completion(answer: Answer, model: str) -> dict[str, Any]:
    """A chat completion that carries the citations."""
    message = {"role": "assistant", "content": answer.answer}
    usage = {**_usage(answer)}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return {**_frame(answer.id, "chat.completion", model), "choices": [choice], "usage": usage, **_ours(answer)}


def _frame(answer_id: str, kind: str, model: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{answer_id.removeprefix('ask-')}", "object": kind, "created": int(time.time()), "model": model}


def _usage(answer: Answer) -> dict[str, int]:
    prompt, written = answer.usage.prompt_tokens, answer.usage.completion_tokens
    return {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}


def _ours(answer: Answer) -> dict[str, Any]:
    whole = AnswerOut.of(answer).model_dump()
    return {name: whole[name] for name in ("citations", "unsupported", "hits", "status", "mode", "reason", "generation", "timings")}


async def chat_chunks(events: AsyncGenerator[Event, None], model: str, request_id: str) -> AsyncGenerator[bytes, None]:
    """OpenAI's stream. A chunk cannot be taken back, so the checked answer is sent, a sentence a chunk; citations come with the last."""
    try:
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Answered):
                    for chunk in _chunks(event.answer, model):
                        yield b"data: " + _json(chunk).encode() + b"\n\n"
    except Exception as error:  # noqa: BLE001 - the outer edge of a stream: the reply has begun, so the error becomes its last event
        body = _problem(error, request_id)
        yield b"data: " + _json({"error": {"message": body["detail"], "type": body["type"], "code": body["status"]}}).encode() + b"\n\n"
    yield b"data: [DONE]\n\n"


def _chunks(answer: Answer, model: str) -> list[dict[str, Any]]:
    frame = _frame(answer.id, "chat.completion.chunk", model)
    starts = [0, *(start for start, _ in sentence_spans(answer.answer)[1:]), len(answer.answer)]
    pieces = [answer.answer[a:b] for a, b in zip(starts, starts[1:], strict=False)]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}, *({"content": p} for p in pieces)]
    chunks = [{**frame, "choices": [{"index": 0, "delta": d, "finish_reason": None}]} for d in deltas]
    last = {**frame, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": _usage(answer), **_ours(answer)}
    return [*chunks, last]
