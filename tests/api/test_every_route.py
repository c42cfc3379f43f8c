"""What holds for every route there is, read from the application itself: one that is added later is tested without a word more."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.errors import ROWS, TYPE_PREFIX
from app.fakes import FakeGenerator
from app.main import create_app
from app.services import assemble
from core import errors
from core.settings import Settings
from index.fakes import FakeEmbedder
from index.search import Collection, Library
from tests.api.conftest import connected

Q = "How often must the pump be serviced?"
BODIES: dict[str, dict[str, Any]] = {
    "/ask": {"question": Q},
    "/search": {"question": Q},
    "/v1/chat/completions": {"messages": [{"role": "user", "content": Q}]},
}
READS_AN_INDEX = [
    ("POST", "/ask"),
    ("POST", "/search"),
    ("POST", "/v1/chat/completions"),
    ("GET", "/documents"),
    ("GET", "/documents/x"),
    ("DELETE", "/documents/x"),
]
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
RAISED = [errors.Unreadable("damaged", "x") if cls is errors.Unreadable else cls("say `python -m ingest DIR`") for cls in ROWS]


class Failing(Library):
    """Every collection fails in one way when it is opened."""

    def __init__(self, error: errors.QaError) -> None:
        super().__init__(Path("nowhere"), FakeEmbedder(), every=0)
        self._error = error

    def names(self) -> list[str]:
        return ["default"]

    def get(self, name: str) -> Collection:  # noqa: ARG002 - the name is the interface
        raise self._error


def operations() -> Iterator[tuple[str, set[str]]]:
    """(path with its parameters filled in, methods) of every published route."""
    library = Library(Path("nowhere"), FakeEmbedder(), every=0)
    published = create_app(assemble(Settings(), library, FakeGenerator(), "fake")).openapi()["paths"]
    for path, methods in published.items():
        yield path.replace("{document_id}", "x"), {method.upper() for method in methods}


OPERATIONS = sorted(operations())


def assert_dressed(reply: httpx.Response) -> None:
    """What every reply carries."""
    assert reply.headers["x-request-id"]
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert "server" not in reply.headers


def assert_problem(reply: httpx.Response, status: int) -> dict[str, Any]:
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = reply.json()
    assert set(body) - {"errors"} == {"type", "title", "status", "detail", "request_id"}
    assert body["type"].startswith(TYPE_PREFIX)
    assert (body["status"], body["request_id"]) == (status, reply.headers["x-request-id"])
    assert body["title"]
    assert body["detail"]
    assert_dressed(reply)
    return body


def test_there_are_routes_to_test() -> None:
    assert {path for path, _ in OPERATIONS} >= {*BODIES, "/health", "/ready", "/documents/x"}


@pytest.mark.parametrize(("path", "methods"), OPERATIONS)
async def test_a_method_that_a_route_does_not_know_is_a_problem_that_names_those_it_does(
    client: httpx.AsyncClient, path: str, methods: set[str]
) -> None:
    for method in sorted(METHODS - methods):
        reply = await client.request(method, path, json={})
        assert_problem(reply, 405)
        assert set(reply.headers["allow"].split(", ")) <= methods, method


@pytest.mark.parametrize(("path", "methods"), OPERATIONS)
async def test_every_reply_is_dressed_and_keeps_the_callers_id(client: httpx.AsyncClient, path: str, methods: set[str]) -> None:
    for method in sorted(methods - {"DELETE"}):
        reply = await client.request(method, path, json=BODIES.get(path), headers={"x-request-id": "mine-7"})
        assert_dressed(reply)
        assert reply.headers["x-request-id"] == "mine-7"
        assert reply.status_code == (404 if path == "/documents/x" else 200)


@pytest.mark.parametrize("path", sorted(BODIES))
async def test_a_stream_is_dressed_and_not_kept_by_anyone(client: httpx.AsyncClient, path: str) -> None:
    if path == "/search":
        assert_problem(await client.post(path, json=BODIES[path] | {"stream": True}), 422)
        return
    reply = await client.post(path, json=BODIES[path] | {"stream": True})
    assert_dressed(reply)
    assert reply.headers["cache-control"] in ("no-store", "no-cache")
    assert reply.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize("error", RAISED, ids=lambda e: type(e).__name__)
async def test_every_error_leaves_every_route_in_its_one_shape(error: errors.QaError) -> None:
    row = ROWS[type(error)]
    async with connected(assemble(Settings(), Failing(error), FakeGenerator(), "fake")) as client:
        for method, path in READS_AN_INDEX:
            for more in ({}, {"stream": True}) if path in ("/ask", "/v1/chat/completions") else ({},):
                body = BODIES[path] | more if path in BODIES else None
                reply = await client.request(method, path, json=body)
                problem = assert_problem(reply, row.status)
                assert problem["type"] == TYPE_PREFIX + error.type, f"{method} {path}"
                assert problem["title"] == row.title
                assert reply.headers.get("retry-after") == (str(row.retry_after_s) if row.retry_after_s else None)
        assert (await client.get("/health")).status_code == 200
        listed = (await client.get("/collections")).json()["collections"]
        assert [c["problem"] for c in listed] == [error.type]
        ready = await client.get("/ready")
        assert (ready.status_code, ready.json()["answers"]) == (503, "none")


@pytest.mark.parametrize("path", sorted(BODIES))
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""])
async def test_a_body_that_is_not_called_json_is_refused(client: httpx.AsyncClient, path: str, kind: str) -> None:
    """A page elsewhere can send such bodies without asking first; it must not reach the index through a visitor's browser."""
    reply = await client.post(path, content=b'{"question": "x", "messages": []}', headers={"content-type": kind} if kind else {})
    assert_problem(reply, 422)
