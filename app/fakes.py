"""A generator without a model: replies from a script, with delays and faults. A shipped peer of HttpGenerator for tests and demos."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field

from app.generator import Delta, GeneratorState
from app.prompts import Message
from core.errors import GeneratorDown
from core.types import Usage

Reply = str | Exception | Callable[[Sequence[Message]], str]


def copy_first_passage(messages: Sequence[Message]) -> str:
    """A model that copies: the first line of text of the first passage, marked."""
    lines = messages[-1].content.splitlines()
    at = next((i for i, line in enumerate(lines) if line == "<text>"), None)
    return f"{lines[at + 1]}" if at is not None and at + 1 < len(lines) else "NOT IN THE DOCUMENTS"


@dataclass(slots=True)
class FakeGenerator:
    """`replies` are taken in turn, the last one for ever: a text, a function of the messages, or an error to raise.

    `break_after` n: the stream ends with GeneratorDown after n pieces. `delay_s` passes before each piece.
    `asked` keeps the messages of every request, `closed` counts streams that were given up.
    """

    replies: Sequence[Reply] = (copy_first_passage,)
    names: tuple[str, ...] = ("fake-model",)
    state: GeneratorState = "ready"
    delay_s: float = 0.0
    piece: int = 4
    break_after: int | None = None
    asked: list[tuple[Message, ...]] = field(default_factory=list)
    models_asked: list[str | None] = field(default_factory=list)
    closed: int = 0
    running: int = 0
    most_running: int = 0

    def models(self) -> tuple[str, ...]:
        return self.names

    async def start(self) -> None:
        """Nothing to start."""

    async def close(self) -> None:
        """Nothing to close."""

    async def stream(self, messages: Sequence[Message], *, model: str | None, max_tokens: int) -> AsyncGenerator[Delta, None]:
        if self.state != "ready":
            raise GeneratorDown("the fake model is down")
        reply = self.replies[min(len(self.asked), len(self.replies) - 1)]
        self.asked.append(tuple(messages))
        self.models_asked.append(model)
        if isinstance(reply, Exception):
            raise reply
        text = reply if isinstance(reply, str) else reply(messages)
        pieces = [text[i : i + self.piece] for i in range(0, len(text), self.piece)][:max_tokens]
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        complete = False
        try:
            for number, piece in enumerate(pieces):
                await asyncio.sleep(self.delay_s)
                if number == self.break_after:
                    complete = True
                    raise GeneratorDown("the fake model broke off")
                yield Delta(piece)
            yield Delta("", Usage(sum(len(m.content) for m in messages) // 4, len(pieces)))
            complete = True
        finally:
            self.running -= 1
            self.closed += not complete
