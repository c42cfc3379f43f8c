"""Search, collections and documents: what is in the index, by itself."""

from pathlib import Path

import httpx
import pytest

from app.fakes import FakeGenerator
from app.services import assemble
from core.settings import Settings
from index.fakes import FakeEmbedder
from index.search import Library
from tests.api.conftest import ENTRIES, PUMP, TENNIS, Connect, connected, entry, fill
from tests.api.reading import ask

SERVICE = "How many hours until the pump PPR-9087 must be serviced?"


@pytest.mark.parametrize("leg", ["fused", "dense", "lexical"])
async def test_search_ranks_by_each_leg_without_a_generator(connect: Connect, leg: str) -> None:
    async with connect(FakeGenerator(state="down")) as client:
        reply = await client.post("/search", json={"question": SERVICE, "leg": leg, "k": 3})
    found = reply.json()
    assert found["hits"][0]["source"] == "manuals/pump.txt"
    assert [hit["rank"] for hit in found["hits"]] == list(range(1, len(found["hits"]) + 1))
    assert len(found["hits"]) <= 3
    assert found["generation"] == 1
    assert set(found["timings"]) == {"embed_ms", "search_ms"}


@pytest.mark.parametrize("body", [{"k": 0}, {"k": 101}, {"leg": "magic"}, {"stream": True}, {"collection": "a/b"}])
async def test_search_refuses_what_is_out_of_range(client: httpx.AsyncClient, body: dict[str, object]) -> None:
    assert (await client.post("/search", json={"question": SERVICE, **body})).status_code == 422


async def test_collections_are_listed_with_their_counts(client: httpx.AsyncClient) -> None:
    collections = (await client.get("/collections")).json()["collections"]
    assert [(c["name"], c["documents"], c["passages"], c["problem"]) for c in collections] == [
        ("default", 2, 4, ""),
        ("simplified", 1, 1, ""),
    ]


async def test_documents_are_listed_and_read_whole(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/documents")).json()
    assert [d["source"] for d in listed["documents"]] == ["manuals/pump.txt", "網球.txt"]
    assert listed["total"] == 2
    document = (await client.get(f"/documents/{listed['documents'][0]['id']}")).json()
    assert document["text"] == "\n\n".join(PUMP)
    assert [document["text"][page["start"] : page["end"]] for page in document["pages"]] == list(PUMP)


async def test_a_listing_can_be_taken_in_parts(client: httpx.AsyncClient) -> None:
    part = (await client.get("/documents", params={"offset": 1, "count": 1})).json()
    assert [d["source"] for d in part["documents"]] == ["網球.txt"]
    assert part["total"] == 2


async def test_documents_of_one_collection_are_not_in_another(client: httpx.AsyncClient) -> None:
    other = (await client.get("/documents", params={"collection": "simplified"})).json()["documents"]
    assert [d["source"] for d in other] == ["框架.md"]
    assert (await client.get(f"/documents/{other[0]['id']}")).status_code == 404
    assert (await client.get("/documents", params={"collection": "../x"})).status_code == 422
    assert (await client.get("/documents", params={"collection": "none"})).status_code == 404


async def test_a_deleted_document_is_gone_from_answers_at_once(tmp_path: Path) -> None:
    fill(tmp_path / "default", *ENTRIES)
    library = Library(tmp_path, FakeEmbedder(), every=0)
    async with connected(assemble(Settings(data_dir=tmp_path, evidence_threshold=0.4), library, FakeGenerator(), "fake")) as client:
        answer = await ask(client, SERVICE)
        document_id = answer["citations"][0]["document_id"]
        assert (await client.delete(f"/documents/{document_id}")).status_code == 204
        assert "manuals/pump.txt" not in {hit["source"] for hit in (await ask(client, SERVICE))["hits"]}
        assert (await client.get(f"/documents/{document_id}")).status_code == 404
        assert (await client.delete(f"/documents/{document_id}")).status_code == 404
        assert [d["source"] for d in (await client.get("/documents")).json()["documents"]] == ["網球.txt"]
    library.close()


async def test_a_new_generation_and_a_new_collection_are_followed_without_a_restart(tmp_path: Path) -> None:
    fill(tmp_path / "default", entry("網球.txt", "網球", TENNIS))
    library = Library(tmp_path, FakeEmbedder(), every=0)
    async with connected(assemble(Settings(data_dir=tmp_path, evidence_threshold=0.4), library, FakeGenerator(), "fake")) as client:
        assert (await client.get("/documents")).json()["generation"] == 1
        fill(tmp_path / "default", *ENTRIES)
        fill(tmp_path / "second", *ENTRIES)
        answer = await ask(client, SERVICE)
        assert (answer["generation"], answer["status"]) == (2, "answered")
        assert (await ask(client, SERVICE, collection="second"))["status"] == "answered"
    library.close()
