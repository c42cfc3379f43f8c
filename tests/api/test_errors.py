"""Every error leaves in one shape, with the right status, and says nothing it should not."""

import httpx
import pytest

from app.errors import ROWS, TYPE_PREFIX, problem_of, without_paths
from app.fakes import FakeGenerator
from app.limits import LONGEST_BODY
from core import errors
from tests.api.conftest import Connect

Q = "How often must the pump be serviced?"


def subclasses(of: type[errors.QaError]) -> set[type[errors.QaError]]:
    return {of}.union(*(subclasses(c) for c in of.__subclasses__()))


def test_every_error_of_ours_has_a_row() -> None:
    ours = {c for c in subclasses(errors.QaError) if c.__module__ == errors.__name__}
    assert ours == set(ROWS)


@pytest.mark.parametrize("cls", [c for c in ROWS if c is not errors.Unreadable], ids=lambda c: c.__name__)
def test_a_problem_has_a_stable_type_and_a_remedy_but_no_path(cls: type[errors.QaError]) -> None:
    row, body = problem_of(cls("/srv/secret/data/default is broken: run `python -m ingest DIR`"), "id-1")
    assert body["type"] == TYPE_PREFIX + cls.type
    assert body["status"] == row.status
    assert body["request_id"] == "id-1"
    assert "/srv/secret" not in body["detail"]
    assert row.status == 500 or "python -m ingest" in body["detail"]
    assert (row.retry_after_s is not None) >= (row.status == 503)


def test_paths_are_cut_and_other_slashes_kept() -> None:
    assert without_paths("in /var/lib/x/data: use GET /collections or http://a.example/b/c and 3/4") == (
        "in …/data: use GET /collections or http://a.example/b/c and 3/4"
    )


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"question": ""}, 422),
        ({"question": " \n\t"}, 422),
        ({"question": "x" * 2001}, 422),
        ({"question": "x" * 2000}, 200),
        ({"question": Q, "llm_url": "http://127.0.0.1:1/"}, 422),
        ({"question": Q, "model": "http://127.0.0.1:1/v1"}, 422),
        ({"question": Q, "model": "unknown"}, 422),
        ({"question": Q, "k": 0}, 422),
        ({"question": Q, "k": 20}, 200),
        ({"question": Q, "k": 21}, 422),
        ({"question": Q, "k": 10**30}, 422),
        ({"question": Q, "collection": "no-such-collection"}, 404),
        ({"question": Q, "collection": "../default"}, 422),
        ({"question": Q, "collection": "DEFAULT"}, 422),
        ({"question": Q, "history": [{"question": "a", "answer": "b"}] * 11}, 422),
        ({"question": Q, "history": [{"question": "a", "answer": "b", "role": "x"}]}, 422),
        ({"question": Q, "filters": {"path": ["x"]}}, 422),
        ({"question": Q, "mode": "creative"}, 422),
        ({"question": Q, "max_tokens": 15}, 422),
        ({"question": Q, "max_tokens": 4097}, 422),
        ({}, 422),
        ([], 422),
    ],
    ids=str,
)
async def test_ranges_of_ask(client: httpx.AsyncClient, body: object, status: int) -> None:
    reply = await client.post("/ask", json=body)
    assert reply.status_code == status
    if status != 200:
        problem = reply.json()
        assert reply.headers["content-type"] == "application/problem+json"
        assert {"type", "title", "status", "detail", "request_id"} <= set(problem)
        assert problem["type"].startswith(TYPE_PREFIX)
        assert problem["status"] == status
        assert problem["request_id"] == reply.headers["x-request-id"]


async def test_what_is_wrong_is_named_but_not_repeated(client: httpx.AsyncClient) -> None:
    problem = (await client.post("/ask", json={"question": "x" * 2001, "k": 0})).json()
    assert {error["field"] for error in problem["errors"]} == {"question", "k"}
    assert "xxx" not in str(problem)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/ask", 405),
        ("GET", "/static/../main.py", 404),
        ("GET", "/documents/none", 404),
        ("GET", "/docs", 404),
    ],
)
async def test_errors_of_the_route(client: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    reply = await client.request(method, path)
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["x-content-type-options"] == "nosniff"


async def test_invalid_json_is_422(client: httpx.AsyncClient) -> None:
    reply = await client.post("/ask", content=b"{", headers={"content-type": "application/json"})
    assert reply.status_code == 422


async def test_a_body_too_long_is_413_announced_or_not(client: httpx.AsyncClient) -> None:
    async def chunks():  # type: ignore[no-untyped-def]
        for _ in range(20):
            yield b" " * (LONGEST_BODY // 10)

    for content in (b" " * (LONGEST_BODY + 1), chunks()):
        reply = await client.post("/ask", content=content, headers={"content-type": "application/json"})
        assert reply.status_code == 413
        assert reply.json()["request_id"]


async def test_an_unforeseen_error_is_500_and_tells_nothing(connect: Connect) -> None:
    async with connect(FakeGenerator([ZeroDivisionError("secret detail")])) as client:
        reply = await client.post("/ask", json={"question": "How many hours until the pump PPR-9087 must be serviced?"})
    assert reply.status_code == 500
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["x-request-id"] == reply.json()["request_id"]
    assert "secret" not in reply.text
    assert "Traceback" not in reply.text


async def test_the_callers_request_id_is_kept_when_it_is_harmless(client: httpx.AsyncClient) -> None:
    assert (await client.get("/health", headers={"x-request-id": "abc-1"})).headers["x-request-id"] == "abc-1"
    assert (await client.get("/health", headers={"x-request-id": "a b<script>"})).headers["x-request-id"] != "a b<script>"
