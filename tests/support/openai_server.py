"""A model server that misbehaves on demand: raw asyncio on a loopback port, speaking as much of OpenAI's HTTP as the generator reads."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

Fault = Literal["none", "hang", "500", "cut", "invalid", "drip", "long-line", "slow-first", "error-event", "no-done", "429", "400"]
FAULTS: tuple[Fault, ...] = ("hang", "500", "cut", "invalid", "drip", "long-line", "slow-first", "error-event", "no-done")
SLOW_FAULTS: tuple[Fault, ...] = ("hang", "drip", "slow-first")


@dataclass(slots=True)
class OpenAIServer:
    """`fault` and `text` may be changed while it runs. `closed_early` counts streams whose client left before their end."""

    text: str = "The pump delivers 120 litres per minute at 3.5 bar [1]."
    fault: Fault = "none"
    model: str = "tiny"
    context: int = 0
    token_s: float = 0.0
    url: str = ""
    bodies: list[dict[str, object]] = field(default_factory=list)
    probes: int = 0
    closed_early: int = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next((int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-length")), 0)
            body = await reader.readexactly(length)
            if head.startswith("GET /v1/models"):
                self.probes += 1
                await self._models(writer)
            else:
                self.bodies.append(json.loads(body))
                await self._complete(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _models(self, writer: asyncio.StreamWriter) -> None:
        body = json.dumps(
            {"object": "list", "data": [{"id": self.model, "object": "model", "max_model_len": self.context or None}]}
        ).encode()
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        await writer.drain()

    async def _complete(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        gone = asyncio.ensure_future(reader.read(1))
        try:
            sending = asyncio.ensure_future(self._send(writer))
            await asyncio.wait({gone, sending}, return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                self.closed_early += 1
                sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        finally:
            gone.cancel()

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        fault = self.fault
        if fault == "hang":
            await asyncio.sleep(60)
        if fault in ("500", "429", "400"):
            writer.write(f"HTTP/1.1 {fault} Refused\r\nConnection: close\r\nContent-Length: 4\r\n\r\noops".encode())
            await writer.drain()
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        await writer.drain()
        if fault == "slow-first":
            await asyncio.sleep(60)
        if fault == "drip":
            for byte in event(self.text):
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.05)
        if fault == "long-line":
            for _ in range(160):
                writer.write(b"x" * 65_536)
                await writer.drain()
            return
        await self._write_answer(writer, fault)

    async def _write_answer(self, writer: asyncio.StreamWriter, fault: Fault) -> None:
        pieces = [self.text[i : i + 5] for i in range(0, len(self.text), 5)]
        for number, piece in enumerate(pieces):
            if number == len(pieces) // 2:
                if fault == "cut":
                    return
                if fault == "invalid":
                    writer.write(b'data: {"choices": [{"delta": \n\n')
                if fault == "error-event":
                    writer.write(b'data: {"error": {"message": "out of memory"}}\n\n')
            writer.write(event(piece))
            await writer.drain()
            await asyncio.sleep(self.token_s)
        if fault == "no-done":
            return
        usage = {"prompt_tokens": 50, "completion_tokens": len(pieces)}
        writer.write(b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\ndata: [DONE]\n\n")
        await writer.drain()


def event(text: str) -> bytes:
    """One chunk of a chat completion."""
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}).encode() + b"\n\n"


@asynccontextmanager
async def serving(server: OpenAIServer, port: int = 0) -> AsyncIterator[OpenAIServer]:
    """The server on a loopback port; gone when the block ends, like a killed process."""
    tasks: set[asyncio.Task[None]] = set()

    async def tracked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(server.handle(reader, writer))
        tasks.add(task)
        try:
            await asyncio.wait({task})
        finally:
            tasks.discard(task)

    listener = await asyncio.start_server(tracked, "127.0.0.1", port)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"
    try:
        yield server
    finally:
        listener.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)
