"""Streams that stay alive, and work that ends with its client."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from starlette.requests import Request

from app.limits import until_gone, with_comments


async def slow(closed: list[bool]) -> AsyncGenerator[bytes, None]:
    try:
        yield b"one"
        await asyncio.sleep(0.12)
        yield b"two"
    finally:
        closed.append(True)


async def test_silence_is_filled_with_comments_and_nothing_is_lost() -> None:
    closed: list[bool] = []
    got = [piece async for piece in with_comments(slow(closed), every_s=0.03)]
    assert [piece for piece in got if not piece.startswith(b":")] == [b"one", b"two"]
    assert sum(piece.startswith(b":") for piece in got) >= 2
    assert all(piece.endswith(b"\n\n") for piece in got if piece.startswith(b":"))
    assert closed == [True]


async def test_a_stream_given_up_in_a_silence_is_closed() -> None:
    closed: list[bool] = []
    stream = with_comments(slow(closed), every_s=0.01)
    assert await anext(stream) == b"one"
    assert (await anext(stream)).startswith(b":")
    await stream.aclose()
    assert closed == [True]


async def test_an_error_of_the_stream_is_not_swallowed() -> None:
    async def broken() -> AsyncGenerator[bytes, None]:
        yield b"one"
        raise ValueError("x")

    async def read() -> None:
        async for _ in with_comments(broken()):
            pass

    with pytest.raises(ValueError, match="x"):
        await read()


def request(gone: asyncio.Event) -> Request:
    async def receive() -> dict[str, object]:
        await gone.wait()
        return {"type": "http.disconnect"}

    return Request({"type": "http", "headers": []}, receive)


async def test_work_whose_client_left_is_cancelled() -> None:
    gone, cancelled = asyncio.Event(), asyncio.Event()

    async def work() -> str:
        try:
            gone.set()
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return "late"

    assert await until_gone(request(gone), work()) is None
    assert cancelled.is_set()


async def test_work_gives_its_result_or_its_error_to_a_client_that_stays() -> None:
    async def good() -> str:
        return "answer"

    async def bad() -> str:
        raise ValueError("x")

    assert await until_gone(request(asyncio.Event()), good()) == "answer"
    with pytest.raises(ValueError, match="x"):
        await until_gone(request(asyncio.Event()), bad())
