"""What answering may expect of any generator: passed by the fake and by the HTTP one alike."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from app.fakes import FakeGenerator
from app.generator import Generator, HttpGenerator
from app.prompts import Message
from core.errors import GeneratorDown
from core.types import Usage
from tests.support.openai_server import OpenAIServer, serving

TEXT = "幫浦每分鐘輸送 120 公升。The pump delivers 120 litres [1]."
MESSAGES = [Message("system", "Answer."), Message("user", "How much?")]


async def written(generator: Generator, model: str | None = None) -> tuple[str, Usage | None]:
    text, usage = "", None
    async for delta in generator.stream(MESSAGES, model=model, max_tokens=200):
        text += delta.text
        usage = delta.usage or usage
    return text, usage


class GeneratorContract:
    """Subclasses give a working `generator`, a `broken` one that fails midway, a `dead` one, and a way to count given-up streams."""

    async def test_the_pieces_are_the_whole_text(self, generator: Generator) -> None:
        text, usage = await written(generator)
        assert text == TEXT
        assert usage is not None
        assert usage.completion_tokens > 0

    async def test_it_is_ready_and_lists_its_models(self, generator: Generator) -> None:
        assert generator.state == "ready"
        assert len(generator.models()) >= 1

    async def test_every_listed_model_may_be_named(self, generator: Generator) -> None:
        for name in generator.models():
            assert (await written(generator, name))[0] == TEXT

    async def test_several_streams_at_once_do_not_mix(self, generator: Generator) -> None:
        assert [text for text, _ in await asyncio.gather(*(written(generator) for _ in range(5)))] == [TEXT] * 5

    async def test_a_stream_that_is_closed_stops_the_generation(self, slow: Generator, given_up: "Count") -> None:
        async with aclosing(slow.stream(MESSAGES, model=None, max_tokens=200)) as deltas:
            assert (await anext(deltas)).text
        assert await given_up.reaches(1)

    async def test_a_stream_that_is_cancelled_stops_the_generation(self, slow: Generator, given_up: "Count") -> None:
        begun = asyncio.Event()

        async def read() -> None:
            async with aclosing(slow.stream(MESSAGES, model=None, max_tokens=200)) as deltas:
                async for _ in deltas:
                    begun.set()

        task = asyncio.create_task(read())
        await begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await given_up.reaches(1)

    async def test_a_text_cut_in_the_middle_is_an_error_not_an_answer(self, broken: Generator) -> None:
        got: list[str] = []

        async def read() -> None:
            async for delta in broken.stream(MESSAGES, model=None, max_tokens=200):
                got.append(delta.text)

        with pytest.raises(GeneratorDown):
            await read()
        assert "".join(got)
        assert TEXT.startswith("".join(got))

    async def test_a_dead_one_says_so_at_once(self, dead: Generator) -> None:
        assert dead.state != "ready"
        with pytest.raises(GeneratorDown):
            await written(dead)


class Count:
    """How many streams were given up, as the other side saw it."""

    def __init__(self, of: FakeGenerator | OpenAIServer) -> None:
        self._of = of

    async def reaches(self, wanted: int) -> bool:
        for _ in range(100):
            if (self._of.closed if isinstance(self._of, FakeGenerator) else self._of.closed_early) == wanted:
                return True
            await asyncio.sleep(0.01)
        return False


class TestFakeGenerator(GeneratorContract):
    @pytest.fixture
    def generator(self) -> FakeGenerator:
        return FakeGenerator([TEXT])

    @pytest.fixture
    def slow(self) -> FakeGenerator:
        return FakeGenerator([TEXT], delay_s=0.01)

    @pytest.fixture
    def given_up(self, slow: FakeGenerator) -> Count:
        return Count(slow)

    @pytest.fixture
    def broken(self) -> FakeGenerator:
        return FakeGenerator([TEXT], break_after=2)

    @pytest.fixture
    def dead(self) -> FakeGenerator:
        return FakeGenerator(state="down")


class TestHttpGenerator(GeneratorContract):
    @pytest.fixture
    async def server(self) -> AsyncIterator[OpenAIServer]:
        async with serving(OpenAIServer(text=TEXT)) as server:
            yield server

    @pytest.fixture
    async def generator(self, server: OpenAIServer) -> AsyncIterator[HttpGenerator]:
        made = HttpGenerator(server.url)
        await made.start()
        yield made
        await made.close()

    @pytest.fixture
    def slow(self, generator: HttpGenerator, server: OpenAIServer) -> HttpGenerator:
        server.token_s = 0.05
        return generator

    @pytest.fixture
    def given_up(self, server: OpenAIServer) -> Count:
        return Count(server)

    @pytest.fixture
    def broken(self, generator: HttpGenerator, server: OpenAIServer) -> HttpGenerator:
        server.fault = "cut"
        return generator

    @pytest.fixture
    async def dead(self) -> AsyncIterator[HttpGenerator]:
        async with serving(OpenAIServer()) as server:
            url = server.url
        made = HttpGenerator(url)
        await made.start()
        yield made
        await made.close()
