"""Answers as events: in order, whole, and never ended without a word."""

import json
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from app.answering import Answered, Event, Found, Token
from app.streams import ask_events, chat_chunks, completion, first_of, sse
from core.errors import Damaged, NotFound
from core.types import Answer, Timings, Unsupported, Usage
from tests.api.reading import events_of
from tests.unit.app.passages import hit

ANSWER = Answer(
    id="ask-1",
    question="q",
    standalone_question="q",
    answer="First sentence. [1] Second sentence. [1]",
    status="answered",
    mode="generated",
    reason=None,
    citations=(),
    unsupported=(Unsupported(0, 5, "why"),),
    hits=(hit("Passage."),),
    model="m",
    generation=3,
    usage=Usage(10, 4),
    timings=Timings(total_ms=12.5),
)


async def happening(*events: Event, error: Exception | None = None) -> AsyncGenerator[Event, None]:
    for event in events:
        yield event
    if error:
        raise error


async def text_of(stream: AsyncGenerator[bytes, None]) -> str:
    return b"".join([piece async for piece in stream]).decode()


async def test_events_keep_their_order_and_the_answer_is_whole() -> None:
    stream = ask_events(happening(Found(ANSWER.hits, 3), Token("Fir"), Token("st"), Answered(ANSWER)), "id")
    events = events_of(await text_of(stream))
    assert [name for name, _ in events] == ["hits", "token", "token", "answer", "done"]
    assert events[0][1]["generation"] == 3
    assert events[0][1]["hits"][0]["text"] == "Passage."
    assert [data["text"] for name, data in events if name == "token"] == ["Fir", "st"]
    assert events[3][1]["answer"] == ANSWER.answer
    assert events[3][1]["usage"] == {"prompt_tokens": 10, "completion_tokens": 4}


@pytest.mark.parametrize(
    ("error", "kind"),
    [(Damaged("/srv/data/x is broken"), "damaged"), (ZeroDivisionError("secret"), "internal")],
    ids=["ours", "unforeseen"],
)
async def test_an_error_is_the_last_event_and_tells_no_secret(error: Exception, kind: str) -> None:
    text = await text_of(ask_events(happening(Found((), 1), error=error), "id-7"))
    name, problem = events_of(text)[-1]
    assert name == "error"
    assert problem["type"].endswith(kind)
    assert problem["request_id"] == "id-7"
    assert "/srv/data" not in text
    assert "secret" not in text


async def test_a_line_break_in_an_answer_does_not_break_the_event() -> None:
    text = await text_of(ask_events(happening(Token("a\n\nb\r\nc")), "id"))
    assert events_of(text)[0] == ("token", {"text": "a\n\nb\r\nc"})


async def test_what_is_wrong_with_a_question_is_raised_before_the_stream() -> None:
    with pytest.raises(NotFound):
        await first_of(happening(error=NotFound("no such collection")))
    again = await first_of(happening(Found((), 1), Token("x")))
    assert [type(event) for event in [event async for event in again]] == [Found, Token]


async def test_chat_chunks_join_to_the_answer_and_end_with_its_citations() -> None:
    text = await text_of(chat_chunks(happening(Found((), 1), Token("draft"), Answered(ANSWER)), "m", "id"))
    chunks = [data for _, data in events_of(text)]
    assert chunks[-1] == "[DONE]"
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks[:-1]) == ANSWER.answer
    assert "draft" not in text
    assert len(chunks) >= 5, "a sentence a chunk"
    assert chunks[-2]["unsupported"] == [{"answer_start": 0, "answer_end": 5, "why": "why"}]
    assert {chunk["id"] for chunk in chunks[:-1]} == {"chatcmpl-1"}


async def test_an_empty_answer_still_makes_a_valid_stream() -> None:
    chunks = [data for _, data in events_of(await text_of(chat_chunks(happening(Answered(replace(ANSWER, answer=""))), "m", "id")))]
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"


def test_a_completion_is_openais_with_ours_beside_it() -> None:
    made = completion(ANSWER, "m")
    assert made["choices"][0]["message"] == {"role": "assistant", "content": ANSWER.answer}
    assert made["usage"] == {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}
    assert {"citations", "hits", "status", "mode", "reason", "generation"} <= set(made)
    json.dumps(made)


def test_an_event_is_two_lines_and_an_empty_one() -> None:
    assert sse("token", '{"text":"é"}') == 'event: token\ndata: {"text":"é"}\n\n'.encode()
