"""What every request passes: an id, security headers, a count, a log line, and a body that must not be too long.

Plain ASGI callables: they see a client leave and never hold a stream back.
"""

import asyncio
import contextlib
import logging
import re
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import problem, reply
from app.metrics import Metrics

logger = logging.getLogger(__name__)

LONGEST_BODY = 1_000_000  # bytes; the longest legal question with history is far below
COMMENT_EVERY_S = 15.0
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_POLLED = frozenset({"/health", "/ready", "/metrics"})  # asked every few seconds: not worth a line each
T = TypeVar("T")


class RequestContext:
    """Outermost: gives the request its id, and answers an unforeseen error as a problem before raising it again."""

    def __init__(self, app: ASGIApp, metrics: Metrics, clock: Callable[[], float] = time.perf_counter) -> None:
        self._app = app
        self._metrics = metrics
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _GIVEN_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        begun = self._clock()
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception:
            # Answer first, then raise again: the server's log and the tests must still see it.
            if not status:
                body = problem(500, "internal", "Internal error", "see the service's log", request_id)
                await reply(500, body)(scope, receive, send_with_headers)
            raise
        finally:
            self._count(scope, status, self._clock() - begun, request_id)

    def _count(self, scope: Scope, status: int, seconds: float, request_id: str) -> None:
        route = getattr(scope.get("route"), "path", "") or "none"  # the pattern: a raw path would make a metric of every typo
        self._metrics.requests.labels(scope["method"], route, str(status or 499)).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
        level = logging.DEBUG if route in _POLLED and status == 200 else logging.INFO
        logger.log(
            level, "request method=%s route=%s status=%d ms=%.1f id=%s", scope["method"], route, status or 499, seconds * 1000, request_id
        )


class BodyLimit:
    """Refuses a body over `longest` bytes with 413, by its announced length or while it arrives."""

    def __init__(self, app: ASGIApp, longest: int = LONGEST_BODY) -> None:
        self._app = app
        self._longest = longest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        too_long = HTTPException(413, f"a body may have {self._longest} bytes at most")
        if announced.isdigit() and int(announced) > self._longest:
            body = problem(413, "content-too-large", "Content Too Large", too_long.detail, scope.get("state", {}).get("request_id", ""))
            await reply(413, body, headers={"Connection": "close"})(scope, receive, send)
            return
        seen = 0

        async def receive_counted() -> Message:
            nonlocal seen
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > self._longest:
                    raise too_long
            return message

        await self._app(scope, receive_counted, send)


async def until_gone(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    """The result of `work`, or None when the client left first; then the work is cancelled, and a generation with it."""
    task = asyncio.ensure_future(work)
    watch = asyncio.ensure_future(_gone(request.receive))
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for each in (task, watch):
            each.cancel()
        await asyncio.gather(task, watch, return_exceptions=True)


async def _gone(receive: Callable[[], Awaitable[Message]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def with_comments(events: AsyncGenerator[bytes, None], every_s: float = COMMENT_EVERY_S) -> AsyncGenerator[bytes, None]:
    """`events` with an SSE comment whenever nothing came for `every_s`, so that no proxy takes a long wait for a dead line."""
    waiting: asyncio.Task[bytes] | None = None
    try:
        while True:
            waiting = waiting or asyncio.ensure_future(anext(events))
            await asyncio.wait({waiting}, timeout=every_s)
            if not waiting.done():
                yield b": still here\n\n"
                continue
            done, waiting = waiting, None
            try:
                yield done.result()
            except StopAsyncIteration:
                return
    finally:
        if waiting is not None:
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration):
                await waiting
        await events.aclose()
