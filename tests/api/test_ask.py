"""POST /ask over the whole service: grounded, quoted, refused when it should be, and answered whatever the model does."""

import asyncio
import time
from collections.abc import Sequence

import httpx
import pytest

from app.fakes import FakeGenerator
from app.prompts import Message
from core.errors import GeneratorDown, GeneratorSlow
from tests.api.reading import ask, check, stream

SETS = "一場網球比賽由幾盤比賽構成？"
SERVICE = "How many hours until the pump PPR-9087 must be serviced?"
NOWHERE = "火星上的企鵝吃什麼早餐？"


async def test_a_known_question_is_answered_with_a_verbatim_quote_of_the_right_page(client: httpx.AsyncClient) -> None:
    answer = await ask(client, SERVICE)
    assert (answer["status"], answer["mode"], answer["reason"], answer["model"]) == ("answered", "generated", None, "fake-model")
    citation = answer["citations"][0]
    assert (citation["source"], citation["page_first"]) == ("manuals/pump.txt", 1)
    text = (await client.get(f"/documents/{citation['document_id']}")).json()["text"]
    assert text[citation["quote_start"] : citation["quote_end"]] == citation["quote"]
    assert answer["usage"]["completion_tokens"] > 0
    assert answer["timings"]["total_ms"] > 0


async def test_an_unknown_question_is_refused_and_the_model_is_not_asked(connect) -> None:  # type: ignore[no-untyped-def]
    generator = FakeGenerator()
    async with connect(generator) as client:
        answer = await ask(client, NOWHERE)
    assert (answer["status"], answer["reason"]) == ("no_evidence", "insufficient_evidence")
    assert answer["hits"], "what was found is shown even so"
    assert generator.asked == []


@pytest.mark.parametrize("draft", ["NOT IN THE DOCUMENTS", "資料中沒有答案。", "The passages do not mention this."])
async def test_a_model_that_declines_is_believed(connect, draft: str) -> None:  # type: ignore[no-untyped-def]
    async with connect(FakeGenerator([draft])) as client:
        answer = await ask(client, SERVICE)
    assert (answer["status"], answer["mode"], answer["reason"]) == ("no_evidence", "generated", "model_declined")


async def test_a_filter_that_leaves_nothing_gives_no_hits(client: httpx.AsyncClient) -> None:
    answer = await ask(client, SERVICE, filters={"source": ["nothing/*"]})
    assert (answer["status"], answer["reason"], answer["hits"]) == ("no_evidence", "no_hits", [])


async def test_filters_keep_to_their_sources(client: httpx.AsyncClient) -> None:
    answer = await ask(client, SERVICE, filters={"source": ["manuals/*"]})
    assert {hit["source"] for hit in answer["hits"]} == {"manuals/pump.txt"}


@pytest.mark.parametrize("more", [{"mode": "extractive"}, {"model": "extractive"}])
async def test_quotes_alone_when_asked_for(connect, more: dict[str, str]) -> None:  # type: ignore[no-untyped-def]
    generator = FakeGenerator()
    async with connect(generator) as client:
        answer = await ask(client, SERVICE, **more)
    assert (answer["status"], answer["mode"], answer["reason"], answer["model"]) == ("answered", "extractive", None, None)
    assert "500 hours" in answer["answer"]
    assert generator.asked == []


@pytest.mark.parametrize(
    ("generator", "reason"),
    [
        (FakeGenerator(state="down"), "generator_unavailable"),
        (FakeGenerator(state="starting"), "generator_unavailable"),
        (FakeGenerator([GeneratorDown("away")]), "generator_unavailable"),
        (FakeGenerator([GeneratorSlow("slow")]), "generator_timeout"),
        (FakeGenerator(break_after=3), "generator_unavailable"),
        (FakeGenerator(["The pump must be serviced every 900 hours [1]."]), "insufficient_evidence"),
        (FakeGenerator(["Penguins rule the moon with iron flippers."]), "insufficient_evidence"),
    ],
    ids=["down", "starting", "refuses", "slow", "cut midway", "invents a number", "invents everything"],
)
@pytest.mark.parametrize("streaming", [False, True])
async def test_whatever_the_model_does_there_is_an_answer_of_quotes(
    connect, generator: FakeGenerator, reason: str, streaming: bool
) -> None:  # type: ignore[no-untyped-def]
    async with connect(generator) as client:
        if streaming:
            events = await stream(client, "/ask", question=SERVICE)
            assert [name for name, _ in events][-2:] == ["answer", "done"]
            answer = events[-2][1]
            check(answer)
        else:
            answer = await ask(client, SERVICE)
    assert (answer["status"], answer["mode"], answer["reason"]) == ("answered", "extractive", reason)
    assert "500 hours" in answer["answer"]


async def test_a_traditional_question_gets_no_simplified_character_and_the_quote_stays_verbatim(connect) -> None:  # type: ignore[no-untyped-def]
    for generator in (FakeGenerator(["深度学习框架的默认学习率是0.001。"]), FakeGenerator(state="down")):
        async with connect(generator) as client:
            answer = await ask(client, "深度學習框架的學習率是多少？", collection="simplified")
        assert "學習率" in answer["answer"]
        assert not set("学习认") & set(answer["answer"])
        assert "学习率" in answer["citations"][0]["quote"]


async def test_a_follow_up_shows_its_standalone_question(connect) -> None:  # type: ignore[no-untyped-def]
    generator = FakeGenerator()
    async with connect(generator) as client:
        history = [{"question": "What is the pump PPR-9087?", "answer": "A pump."}]
        answer = await ask(client, "How often must it be serviced?", history=history)
    assert "PPR-9087" in answer["standalone_question"]
    assert answer["question"] == "How often must it be serviced?"
    assert answer["status"] == "answered"
    assert "Earlier question: What is the pump PPR-9087?" in generator.asked[0][-1].content


async def test_streaming_sends_hits_then_tokens_then_the_whole_answer(client: httpx.AsyncClient) -> None:
    events = await stream(client, "/ask", question=SERVICE)
    names = [name for name, _ in events]
    assert names[0] == "hits"
    assert names[-2:] == ["answer", "done"]
    assert set(names[1:-2]) == {"token"}
    answer = events[-2][1]
    check(answer)
    assert [hit["passage_id"] for hit in events[0][1]["hits"]] == [hit["passage_id"] for hit in answer["hits"]]
    plain = await ask(client, SERVICE)
    assert answer["answer"] == plain["answer"]


async def test_a_refusal_is_not_streamed_as_an_answer(connect) -> None:  # type: ignore[no-untyped-def]
    async with connect(FakeGenerator(["資料中沒有答案"], piece=2)) as client:
        assert [name for name, _ in await stream(client, "/ask", question=SERVICE)] == ["hits", "answer", "done"]


async def test_errors_of_the_question_come_before_the_stream(client: httpx.AsyncClient) -> None:
    reply = await client.post("/ask", json={"question": SERVICE, "collection": "no-such", "stream": True})
    assert reply.status_code == 404
    assert reply.headers["content-type"] == "application/problem+json"


async def test_an_unforeseen_error_ends_the_stream_with_a_word(connect) -> None:  # type: ignore[no-untyped-def]
    async with connect(FakeGenerator([ZeroDivisionError("secret detail")])) as client:
        events = await stream(client, "/ask", question=SERVICE)
        assert [name for name, _ in events] == ["hits", "error"]
        assert "secret" not in str(events[-1])
        assert events[-1][1]["request_id"]


async def test_no_more_answers_are_written_at_once_than_allowed_and_the_rest_get_quotes(connect) -> None:  # type: ignore[no-untyped-def]
    generator = FakeGenerator(["The pump must be serviced every 500 hours."], delay_s=0.05)
    async with connect(generator, concurrent_asks=2, first_token_seconds=0.2) as client:
        begun = time.monotonic()
        answers = await asyncio.gather(*(ask(client, SERVICE) for _ in range(6)))
        assert time.monotonic() - begun < 5
    assert generator.most_running == 2
    reasons = [answer["reason"] for answer in answers]
    assert reasons.count("generator_timeout") == 4
    assert reasons.count(None) == 2


async def test_the_prompt_keeps_to_its_budget(connect) -> None:  # type: ignore[no-untyped-def]
    seen: list[Sequence[Message]] = []

    def reply(messages: Sequence[Message]) -> str:
        seen.append(messages)
        return "It must be serviced every 500 hours."

    async with connect(FakeGenerator([reply]), evidence_tokens=64) as client:
        await ask(client, SERVICE)
    assert len(seen[0][-1].content) < 64 * 4 + 200
    assert "500 hours" in seen[0][-1].content


async def test_chinese_is_asked_in_chinese(connect) -> None:  # type: ignore[no-untyped-def]
    generator = FakeGenerator(["一場網球比賽由一至五盤比賽構成。"])
    async with connect(generator) as client:
        answer = await ask(client, SETS)
    assert answer["mode"] == "generated"
    assert answer["citations"][0]["source"] == "網球.txt"
    assert "繁體中文" in generator.asked[0][0].content
