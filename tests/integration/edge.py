"""The HTTP edge over what the ingest command made, for tests of both together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from app.fakes import FakeGenerator
from app.services import assemble
from core.settings import Settings
from index.search import Library
from tests.api.conftest import connected
from tests.integration.ingest_desk import Desk

PUMP = "When does the pump stop?"
FLOAT = "The pump stops when the float switch opens."


def two_generations(top: Path) -> Path:
    """`docs` and `data` in `top`: the first published generation holds one file, the second two."""
    (top / "docs").mkdir()
    desk = Desk(top / "docs", top / "data")
    desk.write("pumps.md", f"# Pumps\n\n{FLOAT}\n")
    assert desk.ingest() == 0
    desk.write("請假.md", "# 請假規定\n\n員工請假應於三日前提出申請，經主管核准後生效。\n")
    assert desk.ingest() == 0
    return top


@asynccontextmanager
async def service(desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    """The HTTP edge over the desk's index, started anew, looking for changes at every request."""
    library = Library(desk.data, desk.embedder, every=0)
    settings = Settings(data_dir=desk.data, evidence_threshold=0.2, first_token_seconds=2.0)
    try:
        async with connected(assemble(settings, library, FakeGenerator(), desk.embedder.id)) as client:
            yield client
    finally:
        library.close()


def problem(reply: httpx.Response, status: int) -> str:
    """The detail of a problem reply."""
    assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json"), reply.text
    return str(reply.json()["detail"])
