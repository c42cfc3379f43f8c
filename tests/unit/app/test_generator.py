"""The model server as an unreliable dependency: each fault ends in one of two errors, in time, and recovery is noticed."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from app.breaker import Breaker
from app.generator import HttpGenerator
from app.prompts import Message
from core.errors import GeneratorDown, GeneratorSlow, Unavailable
from tests.support.openai_server import FAULTS, SLOW_FAULTS, Fault, OpenAIServer, serving

MESSAGES = [Message("user", "How much?")]


async def text_of(generator: HttpGenerator, model: str | None = None) -> str:
    return "".join([delta.text async for delta in generator.stream(MESSAGES, model=model, max_tokens=64)])


@asynccontextmanager
async def started(generator: HttpGenerator) -> AsyncIterator[HttpGenerator]:
    await generator.start()
    try:
        yield generator
    finally:
        await generator.close()


async def until(condition: Callable[[], bool], seconds: float = 3.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        await asyncio.sleep(0.01)
    return condition()


@pytest.mark.parametrize("fault", FAULTS)
async def test_every_fault_becomes_one_of_two_errors_within_its_deadline(fault: Fault) -> None:
    async with (
        serving(OpenAIServer(fault=fault)) as server,
        started(HttpGenerator(server.url, first_token_s=0.3, total_s=0.6)) as generator,
    ):
        begun = time.monotonic()
        with pytest.raises(GeneratorSlow if fault in SLOW_FAULTS else GeneratorDown):
            await text_of(generator)
        assert time.monotonic() - begun < 2.0


async def test_a_stream_that_never_ends_meets_the_total_deadline() -> None:
    async with serving(OpenAIServer(text="word " * 500, token_s=0.02)) as server:
        async with started(HttpGenerator(server.url, first_token_s=0.5, total_s=0.4)) as generator:
            with pytest.raises(GeneratorSlow, match="whole answer"):
                await text_of(generator)
        assert await until(lambda: server.closed_early == 1)


async def test_a_refused_connection_costs_nothing_from_the_second_time_on() -> None:
    async with serving(OpenAIServer()) as server:
        url = server.url
    async with started(HttpGenerator(url, probe_every_s=60)) as generator:
        begun = time.monotonic()
        for _ in range(50):
            with pytest.raises(GeneratorDown):
                await text_of(generator)
        assert time.monotonic() - begun < 0.5


async def test_a_server_that_was_never_seen_is_starting_and_one_that_went_is_down() -> None:
    async with serving(OpenAIServer()) as server:
        port = int(server.url.split(":")[2].split("/")[0])
    async with started(HttpGenerator(server.url, probe_every_s=0.05)) as generator:
        assert generator.state == "starting"
        async with serving(OpenAIServer(), port):
            assert await until(lambda: generator.state == "ready")
        assert await until(lambda: generator.state == "down")
        async with serving(OpenAIServer(text="back"), port):
            assert await until(lambda: generator.state == "ready")
            assert await text_of(generator) == "back"


async def test_a_server_that_never_came_is_down_after_a_while() -> None:
    now = [0.0]
    async with serving(OpenAIServer()) as server:
        url = server.url
    async with started(HttpGenerator(url, probe_every_s=60, clock=lambda: now[0])) as generator:
        assert generator.state == "starting"
        now[0] = 1000.0
        assert generator.state == "down"


async def test_repeated_failures_open_the_breaker_and_a_good_answer_closes_it() -> None:
    now = [0.0]
    breaker = Breaker(failures=3, cool_down_s=8, clock=lambda: now[0])
    async with serving(OpenAIServer(fault="500", text="fine")) as server, started(HttpGenerator(server.url, breaker=breaker)) as generator:
        for _ in range(6):
            with pytest.raises(GeneratorDown):
                await text_of(generator)
        assert len(server.bodies) == 3, "an open breaker asks nobody"
        assert generator.state == "down"
        server.fault = "none"
        now[0] += 8
        assert await text_of(generator) == "fine"
        assert breaker.state == "closed"


async def test_models_are_the_servers_own_unless_named_by_the_settings() -> None:
    async with serving(OpenAIServer(model="tiny")) as server:
        async with started(HttpGenerator(server.url)) as generator:
            assert generator.models() == ("tiny",)
        async with started(HttpGenerator(server.url, allowed=("tiny", "tiny-lora"))) as generator:
            assert generator.models() == ("tiny", "tiny-lora")
            await text_of(generator)
            await text_of(generator, "tiny-lora")
        assert [body["model"] for body in server.bodies] == ["tiny", "tiny-lora"]


async def test_the_configured_model_is_listed_before_the_server_was_seen() -> None:
    generator = HttpGenerator("http://127.0.0.1:9/v1", known=("planned",))
    assert generator.models() == ("planned",)
    await generator.close()


@pytest.mark.parametrize(("fault", "error"), [("429", GeneratorSlow), ("400", GeneratorDown)])
async def test_a_refusal_of_one_request_does_not_count_against_the_server(fault: Fault, error: type[Exception]) -> None:
    async with serving(OpenAIServer(fault=fault, text="fine")) as server, started(HttpGenerator(server.url)) as generator:
        for _ in range(10):
            with pytest.raises(error):
                await text_of(generator)
        server.fault = "none"
        assert generator.state == "ready"
        assert await text_of(generator) == "fine"


@pytest.mark.parametrize(("context", "wanted", "sent"), [(0, 4096, 4096), (2048, 64, 64), (200, 4096, 187), (4, 64, 1)])
async def test_no_more_tokens_are_asked_for_than_the_models_context_leaves(context: int, wanted: int, sent: int) -> None:
    async with serving(OpenAIServer(context=context)) as server, started(HttpGenerator(server.url)) as generator:
        async for _ in generator.stream([Message("user", "How many?")], model=None, max_tokens=wanted):
            pass
    assert server.bodies[0]["max_tokens"] == pytest.approx(sent, abs=4)


async def test_only_known_parameters_reach_the_server_and_the_key_goes_with_them() -> None:
    async with serving(OpenAIServer()) as server, started(HttpGenerator(server.url, key="secret")) as generator:
        await text_of(generator)
    assert set(server.bodies[0]) == {"model", "messages", "max_tokens", "temperature", "stream", "stream_options"}


def test_both_errors_are_of_the_kind_that_may_pass() -> None:
    assert issubclass(GeneratorDown, Unavailable)
    assert issubclass(GeneratorSlow, Unavailable)
