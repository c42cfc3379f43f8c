"""Reading what the service streams."""

import json
from typing import Any

import httpx


def events_of(body: str) -> list[tuple[str, Any]]:
    """(event, data) of each Server-Sent Event; comments are left out."""
    found = []
    for block in body.split("\n\n"):
        lines = [line for line in block.splitlines() if not line.startswith(":")]
        name = next((line[7:] for line in lines if line.startswith("event: ")), "message")
        data = "\n".join(line[6:] for line in lines if line.startswith("data: "))
        if data:
            found.append((name, json.loads(data) if data != "[DONE]" else data))
    return found


async def stream(client: httpx.AsyncClient, path: str, **body: Any) -> list[tuple[str, Any]]:
    """Post with `stream: true` and read the stream to its end."""
    reply = await client.post(path, json={**body, "stream": True})
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"].startswith("text/event-stream")
    return events_of(reply.text)


async def ask(client: httpx.AsyncClient, question: str, **more: Any) -> dict[str, Any]:
    """The reply of POST /ask."""
    reply = await client.post("/ask", json={"question": question, **more})
    assert reply.status_code == 200, reply.text
    answer: dict[str, Any] = reply.json()
    check(answer)
    return answer


def check(answer: dict[str, Any]) -> None:
    """What the contract promises of every answer."""
    shown = {hit["passage_id"]: hit for hit in answer["hits"]}
    assert answer["status"] in ("answered", "no_evidence")
    assert answer["mode"] in ("generated", "extractive")
    assert answer["answer"]
    assert (answer["status"] == "answered") == bool(answer["citations"])
    assert answer["status"] == "answered" or answer["reason"]
    for c in answer["citations"]:
        assert c["quote"]
        assert c["quote"] in shown[c["passage_id"]]["text"]
        assert 0 <= c["answer_start"] < c["answer_end"] <= len(answer["answer"])
