"""The ledger alone: transactions, revisions that outlive their document, and vectors as they were."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core.errors import NotFound
from index.fakes import FakeEmbedder
from index.ledger import Ledger, content_hash, from_half, to_half, vector_key
from index.records import Entry, embedded_text
from tests.unit.index.corpus import entry


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "ledger.sqlite", create=True)
    yield ledger
    ledger.close()


def put(ledger: Ledger, one: Entry, embedder: FakeEmbedder) -> None:
    texts = [embedded_text(one.document.title, passage) for passage in one.passages]
    keys = [vector_key(text) for text in texts]
    vectors = embedder.encode_documents(texts)
    ledger.put(one, keys, "1", embedder.id, {key: to_half(v) for key, v in zip(keys, vectors, strict=True)})


def test_it_is_made_to_survive_a_power_cut(ledger: Ledger) -> None:
    assert ledger.read("PRAGMA journal_mode") == [("wal",)]
    assert ledger.read("PRAGMA synchronous") == [(2,)]  # FULL


def test_a_reader_makes_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="python -m ingest"):
        Ledger(tmp_path / "absent.sqlite")
    assert not list(tmp_path.iterdir())


def test_a_document_comes_back_as_it_was(ledger: Ledger, embedder: FakeEmbedder) -> None:
    one = entry("文/a 🙂.txt", "first\nsecond 第 38 條", title="標題", metadata={"author": "王", "lang": "zh"})
    put(ledger, one, embedder)
    ((revision, _),) = ledger.document_set()[1].items()
    assert ledger.document(revision) == one.document
    rows = list(ledger.rows())
    assert [row[3] for row in rows] == list(one.passages)
    assert ledger.passages([row[0] for row in reversed(rows)]) == list(reversed(one.passages))
    (record,) = ledger.records()
    assert (record.id, record.source, record.title, record.passages) == (one.document.id, one.document.source, "標題", 2)
    assert record.metadata == {"author": "王", "lang": "zh"}


def test_vectors_keep_their_direction_in_half_precision(embedder: FakeEmbedder) -> None:
    vectors = embedder.encode_documents(["one text", "another text", ""])
    again = from_half([to_half(vector) for vector in vectors], embedder.dimension)
    assert (vectors * again).sum(axis=1).min() > 0.99999
    assert np.linalg.norm(again, axis=1) == pytest.approx(1.0, abs=1e-6)
    assert from_half([], 8).shape == (0, 8)


def test_a_revision_stays_while_a_kept_generation_needs_it(ledger: Ledger, embedder: FakeEmbedder) -> None:
    put(ledger, entry("a.txt", "old"), embedder)
    digest, revisions = ledger.document_set()
    ledger.add_generation(1, digest, revisions)
    put(ledger, entry("a.txt", "new"), embedder)
    ledger.add_generation(2, *ledger.document_set())
    (old,) = revisions
    ledger.prune([2, 1])
    assert ledger.document(old).text == "old"
    assert [r.sha256 for r in ledger.generation_records(1)] == [entry("a.txt", "old").document.sha256]
    needed = ledger.prune([2])
    with pytest.raises(NotFound):
        ledger.document(old)
    assert needed == {entry("a.txt", "new").document.sha256}
    assert ledger.read("SELECT count(*) FROM passages") == ledger.read("SELECT count(*) FROM vectors") == [(1,)]


def test_passages_that_are_gone_are_not_found(ledger: Ledger) -> None:
    with pytest.raises(NotFound):
        ledger.passages([7])


def test_the_set_of_documents_depends_on_content_and_not_on_the_order_of_arrival(tmp_path: Path, embedder: FakeEmbedder) -> None:
    digests = []
    for place, names in enumerate((("a", "b"), ("b", "a"))):
        ledger = Ledger(tmp_path / f"{place}.sqlite", create=True)
        for name in names:
            put(ledger, entry(name, f"text {name}"), embedder)
        digests.append(ledger.document_set()[0])
        put(ledger, entry("a", "text changed"), embedder)
        digests.append(ledger.document_set()[0])
        ledger.close()
    assert digests[0] == digests[2] != digests[1] == digests[3]


def test_the_content_hash_sees_everything_a_search_can_show() -> None:
    same = content_hash(entry("a.txt", "text"))
    assert content_hash(entry("a.txt", "text")) == same
    others = [entry("a.txt", "texts"), entry("a.txt", "text", title="t"), entry("a.txt", "text", metadata={"k": "v"})]
    assert len({same, *map(content_hash, others)}) == 4


def test_a_deleted_document_is_buried_with_all_its_revisions(ledger: Ledger, embedder: FakeEmbedder) -> None:
    one = entry("a.txt", "old")
    put(ledger, one, embedder)
    put(ledger, entry("a.txt", "new"), embedder)
    assert ledger.bury(one.document.id)
    assert len(ledger.buried()) == 2
    assert ledger.records()[0].deleted
    assert list(ledger.rows()) == []
    put(ledger, entry("a.txt", "newer"), embedder)
    assert not ledger.records()[0].deleted
    assert [row[3].text for row in ledger.rows()] == ["newer"]
    assert not ledger.buried() & set(ledger.document_set()[1])


def test_what_another_connection_commits_is_noticed(ledger: Ledger) -> None:
    other = Ledger(ledger.path)
    before = other.data_version()
    assert other.data_version() == before
    ledger.set_meta(note="x")
    assert other.data_version() != before
    assert (other.meta("note"), other.meta("nothing")) == ("x", None)
    other.close()


def test_a_title_among_the_headings_is_embedded_once() -> None:
    passage = entry("a.txt", "the text").passages[0]
    assert embedded_text("Title", passage) == "Title\nthe text"
    assert embedded_text("", passage) == "the text"
