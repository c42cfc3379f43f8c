"""The OpenAI-compatible routes, spoken to by the official client as well."""

from typing import Any

import httpx
import openai
import pytest

from app.fakes import FakeGenerator
from app.schemas import ChatIn
from core.errors import BadRequest
from tests.api.conftest import Connect
from tests.api.reading import check, stream

SERVICE = "How many hours until the pump PPR-9087 must be serviced?"


def chat(question: str = SERVICE, **more: Any) -> dict[str, Any]:
    return {"model": "fake-model", "messages": [{"role": "user", "content": question}], **more}


async def test_models_are_what_a_request_may_name(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/v1/models")).json()
    assert listed["object"] == "list"
    assert [model["id"] for model in listed["data"]] == ["fake-model", "extractive"]
    for model in listed["data"]:
        assert (await client.post("/v1/chat/completions", json=chat(model=model["id"]))).status_code == 200
    assert (await client.post("/v1/chat/completions", json=chat(model="gpt-99"))).status_code == 422


async def test_without_a_generator_there_is_still_a_model_that_answers(connect: Connect) -> None:
    async with connect(FakeGenerator(state="down", names=())) as client:
        names = [model["id"] for model in (await client.get("/v1/models")).json()["data"]]
        assert names == ["extractive"]
        reply = (await client.post("/v1/chat/completions", json=chat(model=names[0]))).json()
    assert "500 hours" in reply["choices"][0]["message"]["content"]
    assert reply["citations"]


async def test_a_completion_carries_the_citations(client: httpx.AsyncClient) -> None:
    reply = (await client.post("/v1/chat/completions", json=chat())).json()
    assert reply["object"] == "chat.completion"
    assert reply["choices"][0]["finish_reason"] == "stop"
    assert reply["usage"]["total_tokens"] == reply["usage"]["prompt_tokens"] + reply["usage"]["completion_tokens"]
    check({**reply, "answer": reply["choices"][0]["message"]["content"]})


async def test_a_stream_is_chunks_that_join_to_the_checked_answer(client: httpx.AsyncClient) -> None:
    events = await stream(client, "/v1/chat/completions", **chat())
    assert events[-1] == ("message", "[DONE]")
    chunks = [data for _, data in events[:-1]]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    check({**chunks[-1], "answer": text})


async def test_an_invented_draft_is_never_streamed_to_a_chat_client(connect: Connect) -> None:
    async with connect(FakeGenerator(["The pump must be serviced every 900 hours [1]."])) as client:
        events = await stream(client, "/v1/chat/completions", **chat())
    assert "900" not in str(events)
    assert "500 hours" in str(events)


async def test_a_broken_stream_says_so_before_done(connect: Connect) -> None:
    async with connect(FakeGenerator([ZeroDivisionError("secret")])) as client:
        events = await stream(client, "/v1/chat/completions", **chat())
    assert "error" in events[-2][1]
    assert events[-1][1] == "[DONE]"
    assert "secret" not in str(events)


@pytest.mark.parametrize(
    "more",
    [
        {"temperature": 0.7, "top_p": 1, "user": "me", "stream_options": {"include_usage": True}, "tools": []},
        {"max_tokens": 1},
        {"max_completion_tokens": 100_000},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": SERVICE}]}]},
        {"messages": [{"role": "system", "content": "You are a pirate."}, {"role": "user", "content": SERVICE}]},
    ],
    ids=["unused parameters", "few tokens", "many tokens", "parts", "system"],
)
async def test_what_chat_clients_send_is_taken(connect: Connect, more: dict[str, Any]) -> None:
    generator = FakeGenerator(["It must be serviced every 500 hours."])
    async with connect(generator) as client:
        reply = await client.post("/v1/chat/completions", json={**chat(), **more})
    assert reply.status_code == 200, reply.text
    assert "pirate" not in str(generator.asked)


async def test_earlier_messages_are_the_history(connect: Connect) -> None:
    generator = FakeGenerator(["It must be serviced every 500 hours."])
    messages = [
        {"role": "user", "content": "What is the pump PPR-9087?"},
        {"role": "assistant", "content": "A pump."},
        {"role": "user", "content": "How often must it be serviced?"},
    ]
    async with connect(generator) as client:
        await client.post("/v1/chat/completions", json={**chat(), "messages": messages})
    assert "Earlier question: What is the pump PPR-9087?" in generator.asked[0][-1].content


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"role": "user", "content": ""}],
        [{"role": "user", "content": "x" * 2001}],
        [{"role": "assistant", "content": "hello"}],
        [{"role": "wizard", "content": "hello"}],
        [{"role": "user", "content": None}],
    ],
    ids=["none", "empty", "too long", "not the user", "unknown role", "null"],
)
async def test_conversations_without_a_question_are_refused(client: httpx.AsyncClient, messages: list[Any]) -> None:
    reply = await client.post("/v1/chat/completions", json={**chat(), "messages": messages})
    assert reply.status_code == 422
    assert reply.headers["content-type"] == "application/problem+json"


async def test_the_official_client_asks_and_streams(client: httpx.AsyncClient) -> None:
    official = openai.AsyncOpenAI(base_url="http://service/v1", api_key="none", http_client=client)
    assert [model.id async for model in official.models.list()] == ["fake-model", "extractive"]
    asked: list[Any] = [{"role": "user", "content": SERVICE}]
    reply = await official.chat.completions.create(model="fake-model", messages=asked)
    assert reply.choices[0].message.content
    assert reply.model_extra is not None
    assert reply.model_extra["citations"][0]["source"] == "manuals/pump.txt"
    text, last = "", None
    async for chunk in await official.chat.completions.create(model="fake-model", messages=asked, stream=True):
        text += chunk.choices[0].delta.content or ""
        last = chunk
    assert text == reply.choices[0].message.content
    assert last is not None
    assert (last.model_extra or {})["citations"]


def test_parts_that_are_no_text_say_nothing() -> None:
    body = ChatIn.model_validate({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]})
    assert body.messages[0].text == ""
    assert issubclass(BadRequest, Exception)
