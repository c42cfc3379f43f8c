"""The model that writes answers, spoken to over HTTP: any server with OpenAI's `/v1/chat/completions` and `/v1/models`.

It is treated as an unreliable dependency: deadlines for the first token and for the whole, a breaker, one probe every two seconds
that notices when the server comes and goes, and a request that is given up closes its connection, so that the server stops writing.
"""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import httpx

from app.breaker import Breaker
from app.prompts import Message, estimate_tokens
from core.errors import GeneratorDown, GeneratorSlow
from core.types import Usage

logger = logging.getLogger(__name__)

GeneratorState = Literal["ready", "starting", "down"]
LONGEST_LINE = 1_000_000  # bytes of one event of the server's stream
PROBE_EVERY_S = 2.0
PROBE_TIMEOUT_S = 2.0
CONNECT_TIMEOUT_S = 0.8
SILENT_PROBES = 5  # probes without an answer after which a server that still accepts connections counts as gone
STARTING_S = 300.0  # how long a server that was never seen is taken to be starting


class _Refused(Exception):
    """The cause of an error that is about one request, not about the server's health."""


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a generated answer. The last one may carry `usage` and an empty text."""

    text: str
    usage: Usage | None = None


class Generator(Protocol):
    """What answering needs of a model. `stream` raises GeneratorDown or GeneratorSlow; closing its iterator stops the generation."""

    @property
    def state(self) -> GeneratorState: ...

    def models(self) -> tuple[str, ...]:
        """Names a request may give, the default first. Empty while none is known."""

    def stream(self, messages: Sequence[Message], *, model: str | None, max_tokens: int) -> AsyncGenerator[Delta, None]: ...

    async def start(self) -> None: ...

    async def close(self) -> None: ...


class HttpGenerator:
    """A generator behind an OpenAI-compatible server at `url` (its `/v1`). `allowed` empty: what the server lists is allowed.

    `known` names models to be listed before the server was first seen. Times are seconds.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str = "",
        allowed: Sequence[str] = (),
        known: Sequence[str] = (),
        first_token_s: float = 15.0,
        total_s: float = 60.0,
        probe_every_s: float = PROBE_EVERY_S,
        breaker: Breaker | None = None,
        clock: Callable[[], float] = time.monotonic,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx.AsyncClient(
            base_url=url.rstrip("/") + "/",
            headers={**headers, "Accept-Encoding": "identity"},
            timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT_S),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=8, keepalive_expiry=30.0),
            transport=transport,
            trust_env=False,
        )
        self._allowed = tuple(allowed)
        self._listed = tuple(known)
        self._contexts: dict[str, int] = {}  # longest prompt and answer together, of the models whose server says so
        self._first_token_s = first_token_s
        self._total_s = total_s
        self._probe_every_s = probe_every_s
        self._breaker = breaker or Breaker(clock=clock)
        self._clock = clock
        self._begun = clock()
        self._seen = False
        self._silent = 0
        self._probing: asyncio.Task[None] | None = None

    @property
    def state(self) -> GeneratorState:
        if self._seen and self._breaker.state == "closed":
            return "ready"
        return "starting" if not self._seen and self._clock() - self._begun < STARTING_S else "down"

    def models(self) -> tuple[str, ...]:
        return self._allowed or self._listed

    async def start(self) -> None:
        """Probe once, then keep probing in the background."""
        self._begun = self._clock()
        await self.probe()
        self._probing = asyncio.create_task(self._probe_for_ever(), name="generator-probe")

    async def close(self) -> None:
        if self._probing is not None:
            self._probing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._probing
        await self._client.aclose()

    async def _probe_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._probe_every_s)
            await self.probe()

    async def probe(self) -> None:
        """Ask the server for its models; notice that it came, went or came back. Never raises for what the server does."""
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                reply = await self._client.get("models")
            contexts = _model_contexts(reply)
        except TimeoutError:
            # A busy server on few cores answers late: silence counts only when it lasts.
            self._silent += 1
            if self._silent == SILENT_PROBES or not self._seen:
                self._lost("does not answer")
            return
        except (httpx.HTTPError, ValueError) as error:
            self._lost(type(error).__name__)
            return
        self._silent = 0
        self._listed, self._contexts = tuple(contexts), contexts
        if not self._seen or self._breaker.state != "closed":
            logger.info("generator answers models=%s", ",".join(contexts))
        self._seen = True
        self._breaker.returned()

    def _lost(self, why: str) -> None:
        if self._breaker.state == "closed":
            logger.warning("generator does not answer (%s): answers are quotes until it is back", why)
        self._breaker.failed(gone=True)

    async def stream(self, messages: Sequence[Message], *, model: str | None, max_tokens: int) -> AsyncGenerator[Delta, None]:
        """The pieces of one answer as the server writes them."""
        if not self._breaker.admit():
            raise GeneratorDown("the model server is away")
        names = self.models()
        if not names:
            self._breaker.abandoned()
            raise GeneratorDown("the model server lists no model")
        body = {
            "model": model or names[0],
            "messages": [{"role": m.role, "content": m.content} for m in messages],
            "max_tokens": self._room(model or names[0], messages, max_tokens),
            "temperature": 0.0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        settled = False
        try:
            async with contextlib.aclosing(self._deltas(body)) as deltas:
                async for delta in deltas:
                    yield delta
            self._breaker.succeeded()
            settled = True
        except (GeneratorDown, GeneratorSlow) as error:
            # A request refused for itself, or a full queue, says nothing of the next one.
            if not isinstance(error.__cause__, _Refused):
                self._breaker.failed(gone=isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout))
                settled = True
            raise
        finally:
            if not settled:
                self._breaker.abandoned()

    def _room(self, model: str, messages: Sequence[Message], wanted: int) -> int:
        """`wanted` tokens, or as many as the model's context leaves after the prompt: a server refuses what cannot fit."""
        context = self._contexts.get(model, 0)
        return max(1, min(wanted, context - sum(estimate_tokens(m.content) + 8 for m in messages))) if context else wanted

    async def _deltas(self, body: dict[str, Any]) -> AsyncGenerator[Delta, None]:
        """One request under both deadlines, without the breaker. Every fault becomes GeneratorDown or GeneratorSlow."""
        begun = asyncio.get_running_loop().time()
        first = True
        ended = False
        events = self._events(body)
        try:
            while True:
                deadline = begun + (min(self._first_token_s, self._total_s) if first else self._total_s)
                async with asyncio.timeout_at(deadline):
                    event = await anext(events, None)
                if event is None:
                    break
                if event == b"[DONE]":
                    ended = True
                    continue
                delta, last = _parse(event)
                ended = ended or last
                first = first and not delta.text
                if delta.text or delta.usage:
                    yield delta
        except TimeoutError as error:
            what = "first token" if first else "whole answer"
            raise GeneratorSlow(f"the model server took too long for the {what}") from error
        except httpx.HTTPError as error:
            raise GeneratorDown(f"the model server broke off ({type(error).__name__})") from error
        finally:
            await events.aclose()
        if not ended:
            raise GeneratorDown("the model server's answer ended in the middle")

    async def _events(self, body: dict[str, Any]) -> AsyncGenerator[bytes, None]:
        """The data of each Server-Sent Event of the reply, as bytes."""
        async with self._client.stream("POST", "chat/completions", json=body) as reply:
            if reply.status_code == 429:
                raise GeneratorSlow("the model server is full") from _Refused()
            if reply.status_code != 200:
                cause = _Refused() if 400 <= reply.status_code < 500 else None
                raise GeneratorDown(f"the model server answered {reply.status_code}") from cause
            rest = b""
            async for piece in reply.aiter_raw():
                *lines, rest = (rest + piece).split(b"\n")
                if len(rest) > LONGEST_LINE:
                    raise GeneratorDown("the model server sent a line that is too long")
                for line in lines:
                    if line.startswith(b"data:"):
                        yield line[5:].strip()


def _parse(event: bytes) -> tuple[Delta, bool]:
    """The text and usage of one chunk, and whether it says that the answer is complete."""
    try:
        chunk = json.loads(event)
        usage = chunk.get("usage")
        counted = Usage(int(usage["prompt_tokens"]), int(usage.get("completion_tokens") or 0)) if usage else None
        choices = chunk.get("choices") or []
        if not choices and "error" in chunk:
            raise GeneratorDown("the model server reported an error in its stream")
        text = choices[0]["delta"].get("content") or "" if choices else ""
        return Delta(str(text), counted), bool(choices and choices[0].get("finish_reason"))
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise GeneratorDown("the model server sent something that is not a chat completion") from error


def _model_contexts(reply: httpx.Response) -> dict[str, int]:
    """Names of a `/v1/models` reply with the longest context of each (vLLM says it; 0: not said). Raises ValueError when it is none."""
    if reply.status_code != 200:
        raise ValueError(f"/v1/models answered {reply.status_code}")
    try:
        return {str(entry["id"]): int(entry.get("max_model_len") or 0) for entry in reply.json()["data"]}
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError("/v1/models is not a list of models") from error
