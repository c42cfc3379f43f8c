"""What a careless or hostile client sends: each is refused in one shape, named, and the service goes on."""

import json
from typing import Any

import httpx
import pytest

from app.fakes import FakeGenerator
from tests.api.conftest import Connect

Q = "How often must the pump be serviced?"
POSTS = ("/ask", "/search", "/v1/chat/completions")
CHAT: dict[str, Any] = {"model": "extractive", "messages": [{"role": "user", "content": Q}]}


def assert_problem(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("application/problem+json")
    body: dict[str, Any] = response.json()
    assert {"type", "title", "status", "request_id"} <= set(body)
    assert body["status"] == status
    assert body["request_id"] == response.headers["x-request-id"]
    assert "Traceback" not in response.text
    return body


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"null", b"[]", b'"text"', b"\xff\xfe", b"{}", b'{"question": 1}', b'{"question": null}', b"[" * 5000],
    ids=["empty", "cut", "null", "list", "string", "not utf-8", "nothing", "number", "null question", "deep"],
)
async def test_a_body_that_is_no_request_is_422(client: httpx.AsyncClient, path: str, raw: bytes) -> None:
    response = await client.post(path, content=raw, headers={"content-type": "application/json"})
    assert response.status_code in (400, 422)
    assert_problem(response, response.status_code)


@pytest.mark.parametrize(
    "more",
    [
        {"k": 0},
        {"k": 21},
        {"k": "many"},
        {"k": 1.5},
        {"mode": "creative"},
        {"stream": "perhaps"},
        {"max_tokens": 0},
        {"max_tokens": 10**9},
        {"temperature": 2},
        {"generator_url": "http://127.0.0.1:1"},
        {"filters": {"owner": "x"}},
        {"filters": {"source": "*.md"}},
        {"history": [{"question": "q"}]},
        {"history": [{"question": "q", "answer": "a"}] * 11},
        {"collection": ""},
        {"collection": "UPPER"},
        {"collection": "../default"},
        {"collection": "a" * 65},
        {"collection": "default\u0000"},
        {"model": "../../adapters/x"},
        {"model": ""},
    ],
    ids=lambda more: json.dumps(more)[:40],
)
async def test_a_value_out_of_range_is_422_and_the_next_question_is_answered(client: httpx.AsyncClient, more: dict[str, Any]) -> None:
    assert_problem(await client.post("/ask", json={"question": Q, **more}), 422)
    assert (await client.post("/ask", json={"question": Q})).status_code == 200


@pytest.mark.parametrize("length", [1, 2000])
async def test_a_question_at_the_limit_is_taken(client: httpx.AsyncClient, length: int) -> None:
    assert (await client.post("/ask", json={"question": "問" * length})).status_code == 200


@pytest.mark.parametrize("length", [0, 2001, 200_000])
async def test_a_question_over_the_limit_is_refused(client: httpx.AsyncClient, length: int) -> None:
    response = await client.post("/ask", json={"question": "問" * length})
    assert response.status_code in (413, 422)
    assert_problem(response, response.status_code)


@pytest.mark.parametrize("k", [0, 101, -1])
async def test_a_search_wants_1_to_100_hits(client: httpx.AsyncClient, k: int) -> None:
    assert_problem(await client.post("/search", json={"question": Q, "k": k}), 422)


@pytest.mark.parametrize(
    "messages", [[], [{"role": "system", "content": "x"}], [{"role": "user", "content": ""}], [{"role": "wizard", "content": "x"}]]
)
async def test_a_chat_needs_a_last_message_of_the_user(client: httpx.AsyncClient, messages: list[dict[str, str]]) -> None:
    assert_problem(await client.post("/v1/chat/completions", json={**CHAT, "messages": messages}), 422)


@pytest.mark.parametrize("path", ["/nowhere", "/documents/none", "/v1/embeddings", "/..%2f..%2fetc/passwd", "/documents/%00"])
async def test_a_place_that_is_not_there_is_404(client: httpx.AsyncClient, path: str) -> None:
    assert_problem(await client.get(path), 404)


@pytest.mark.parametrize(("method", "path"), [("GET", "/ask"), ("PUT", "/search"), ("DELETE", "/health"), ("POST", "/collections")])
async def test_a_wrong_method_is_405(client: httpx.AsyncClient, method: str, path: str) -> None:
    assert_problem(await client.request(method, path), 405)


@pytest.mark.parametrize(
    "question",
    [
        "\u0000",
        "\u202e\u202d",
        "<script>alert(1)</script>",
        "' OR 1=1 --",
        "{{7*7}}",
        "\ud83d\ude00" * 20,
        "AND OR NOT (",
        '"',
        "terms:*",
        "𠮷野家",
    ],
)
async def test_odd_questions_are_questions(connect: Connect, question: str) -> None:
    async with connect(FakeGenerator(["x"])) as client:
        response = await client.post("/search", json={"question": question.encode("utf-16", "surrogatepass").decode("utf-16")})
        assert response.status_code in (200, 422)
        if response.status_code == 422:
            assert_problem(response, 422)
