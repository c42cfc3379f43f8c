"""Alive, ready and counted; the page; and a client that leaves."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.fakes import FakeGenerator
from app.generator import HttpGenerator
from app.main import create_app
from app.services import Services, assemble
from core.settings import Settings
from index.fakes import FakeEmbedder
from index.search import Library
from tests.api.conftest import ENTRIES, Connect, connected, fill
from tests.api.reading import ask, check, stream
from tests.support.openai_server import FAULTS, SLOW_FAULTS, Fault, OpenAIServer, serving

SERVICE = "How many hours until the pump PPR-9087 must be serviced?"


def empty_service(data: Path, generator: FakeGenerator | None = None) -> Services:
    return assemble(Settings(data_dir=data), Library(data, FakeEmbedder(), every=0), generator or FakeGenerator(), "fake")


async def test_each_part_has_its_own_state(connect: Connect) -> None:
    for state, answers in (("ready", "generated"), ("starting", "extractive"), ("down", "extractive")):
        async with connect(FakeGenerator(state=state)) as client:
            reply = await client.get("/ready")
            body = reply.json()
            assert reply.status_code == 200, "a missing model never makes the service unready"
            assert (body["status"], body["answers"], body["generator"]["status"]) == ("ready", answers, state)
            assert ('"ready"' in json.dumps(body["generator"])) == (state == "ready")
            assert body["index"]["collections"]["default"] == {"generation": 1, "documents": 2, "passages": 4}
            assert body["embedder"]["status"] == "ready"


async def test_nothing_to_answer_from_is_not_ready_but_alive(tmp_path: Path) -> None:
    async with connected(empty_service(tmp_path)) as client:
        ready = await client.get("/ready")
        assert (ready.status_code, ready.json()["index"]["status"]) == (503, "empty")
        assert "python -m ingest" in ready.json()["remedy"]
        assert (await client.get("/health")).status_code == 200
        assert (await client.post("/ask", json={"question": SERVICE})).status_code == 404
        assert (await client.get("/collections")).json() == {"collections": []}
        fill(tmp_path / "default", *ENTRIES)
        assert (await client.get("/ready")).status_code == 200


async def test_an_index_of_another_embedder_is_409_and_named(tmp_path: Path) -> None:
    fill(tmp_path / "default", *ENTRIES)
    library = Library(tmp_path, FakeEmbedder(name="other"), every=0)
    async with connected(assemble(Settings(data_dir=tmp_path), library, FakeGenerator(), "other-128")) as client:
        reply = await client.post("/ask", json={"question": SERVICE})
        assert reply.status_code == 409
        assert "--full" in reply.json()["detail"]
        assert str(tmp_path) not in reply.text
        assert (await client.get("/collections")).json()["collections"][0]["problem"] == "embedder-mismatch"
        assert (await client.get("/ready")).status_code == 503


async def test_metrics_count_requests_by_route_and_answers_by_outcome(client: httpx.AsyncClient) -> None:
    await ask(client, SERVICE)
    await client.get("/documents/none")
    text = (await client.get("/metrics")).text
    assert 'qa_answers_total{mode="generated",reason="none",status="answered"} 1.0' in text
    assert re.search(r'qa_requests_total\{method="GET",route="/documents/\{document_id\}",status="404"\} 1\.0', text)
    assert "qa_generator_up 1.0" in text
    assert SERVICE not in text


async def test_the_page_runs_only_its_own_files(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http://" not in page.text.replace("http://www.w3.org", "")
    assert "https://" not in page.text
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|<style|\sstyle=", page.text)
    for path in re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text):
        part = await client.get(path)
        assert part.status_code == 200
        assert part.headers["x-content-type-options"] == "nosniff"
    assert "innerHTML" not in (await client.get("/static/page.js")).text


@pytest.mark.parametrize("path", ["/", "/health", "/ready", "/nowhere", "/documents"])
async def test_security_headers_are_on_every_reply(client: httpx.AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-request-id"]
    assert "access-control-allow-origin" not in headers


async def test_the_contract_is_published(client: httpx.AsyncClient) -> None:
    paths = set((await client.get("/openapi.json")).json()["paths"])
    assert paths >= {"/ask", "/search", "/collections", "/documents", "/documents/{document_id}", "/health", "/ready", "/metrics"}
    assert paths >= {"/v1/chat/completions", "/v1/models"}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("streaming", [False, True])
async def test_a_real_connection_to_a_faulty_server_still_gives_an_answer(connect: Connect, fault: Fault, streaming: bool) -> None:
    async with serving(OpenAIServer(text="It must be serviced every 500 hours [1].", fault=fault)) as server:
        generator = HttpGenerator(server.url, first_token_s=0.3, total_s=0.6)
        async with connect(generator) as client:
            if streaming:
                events = await stream(client, "/ask", question=SERVICE)
                assert [name for name, _ in events][-2:] == ["answer", "done"]
                answer = events[-2][1]
                check(answer)
            else:
                answer = await ask(client, SERVICE)
    reason = "generator_timeout" if fault in SLOW_FAULTS else "generator_unavailable"
    assert (answer["status"], answer["mode"], answer["reason"]) == ("answered", "extractive", reason)


async def raw_ask(services: Services, streaming: bool, leave: asyncio.Event) -> list[dict[str, Any]]:
    """POST /ask as a bare ASGI client that leaves when told; the messages it got."""
    body = json.dumps({"question": SERVICE, "stream": streaming}).encode()
    messages: list[dict[str, Any]] = []
    sent = False

    async def receive() -> dict[str, Any]:
        nonlocal sent
        if not sent:
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}
        await leave.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        messages.append(message)

    headers = [(b"content-type", b"application/json"), (b"host", b"service")]
    scope = {"type": "http", "asgi": {"spec_version": "2.3"}, "method": "POST", "path": "/ask", "query_string": b"", "headers": headers}
    await create_app(services)({**scope, "http_version": "1.1", "scheme": "http", "raw_path": b"/ask", "root_path": ""}, receive, send)
    return messages


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_client_that_leaves_stops_the_generation(services: Any, streaming: bool) -> None:
    generator = FakeGenerator(["It must be serviced every 500 hours. " * 100], delay_s=0.02)
    leave = asyncio.Event()
    asking = asyncio.create_task(raw_ask(services(generator), streaming, leave))
    while not generator.running:
        await asyncio.sleep(0.005)
    leave.set()
    await asyncio.wait_for(asking, 1.0)
    assert (generator.closed, generator.running) == (1, 0)


async def test_the_turn_of_a_client_that_left_goes_to_the_next(services: Any) -> None:
    generator = FakeGenerator(["It must be serviced every 500 hours."], delay_s=0.02)
    made = services(generator, concurrent_asks=1)
    leave = asyncio.Event()
    asking = asyncio.create_task(raw_ask(made, True, leave))
    while not generator.running:
        await asyncio.sleep(0.005)
    leave.set()
    await asking
    async with connected(made) as client:
        assert (await ask(client, SERVICE))["mode"] == "generated"
