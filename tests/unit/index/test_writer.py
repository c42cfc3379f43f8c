"""What a writer promises: one at a time, nothing embedded twice, nothing published unless something changed."""

from pathlib import Path

import pytest

from core.errors import EmbedderMismatch, Locked
from index import generation as generations
from index.fakes import FakeEmbedder
from index.search import Collection
from index.writer import Writer
from tests.unit.index.corpus import CORPUS, entry, published


def test_an_unchanged_set_publishes_nothing_and_embeds_nothing(folder: Path, embedder: FakeEmbedder) -> None:
    embedded = embedder.encoded
    assert published(folder, embedder) is None
    assert embedder.encoded == embedded
    assert generations.generation_numbers(folder) == [1]


def test_identical_text_is_embedded_once_even_in_another_document(tmp_path: Path, embedder: FakeEmbedder) -> None:
    text = "the same words\nthe same words"
    with Writer.open(tmp_path / "c", embedder, chunker="1") as writer:
        writer.put([entry("a.txt", text, title="t"), entry("b.txt", text, title="t")])
        writer.put([entry("c.txt", text, title="t")])
        assert embedder.encoded == 1
        assert writer.publish() == 1
    assert len(Collection.open(tmp_path / "c", embedder).search("same words", k=10).hits) == 6


def test_progress_counts_every_passage_whether_embedded_or_known(tmp_path: Path, embedder: FakeEmbedder) -> None:
    with Writer.open(tmp_path / "c", embedder, chunker="1") as writer:
        for _ in range(2):
            seen: list[int] = []
            writer.put([entry("a.txt", "one\ntwo\nthree")], seen.append)
            assert sum(seen) == 3


def test_a_replaced_document_is_found_by_its_new_text_only(folder: Path, embedder: FakeEmbedder) -> None:
    reader = Collection.open(folder, embedder)
    assert published(folder, embedder, CORPUS | {"pump.md": "The valve QX-77 is new."}) == 2
    assert not reader.search("valve QX-77", k=1, leg="lexical").hits  # the reader stays on its generation until it looks
    assert reader.refresh()
    assert reader.search("valve QX-77", k=1).hits[0].source == "pump.md"
    assert not reader.search("PPR-9087", k=5, leg="lexical").hits
    assert not reader.refresh()


def test_dropped_documents_vanish_and_the_last_one_too(folder: Path, embedder: FakeEmbedder) -> None:
    reader = Collection.open(folder, embedder)
    assert published(folder, embedder, {}) == 2
    assert reader.refresh()
    assert reader.documents() == []
    assert reader.search("pump", k=5).hits == ()


def test_nothing_is_published_for_an_empty_collection(tmp_path: Path, embedder: FakeEmbedder) -> None:
    assert published(tmp_path / "c", embedder, {}) is None
    assert not generations.generation_numbers(tmp_path / "c")


def test_another_chunker_makes_another_set_of_documents(folder: Path, embedder: FakeEmbedder) -> None:
    with Writer.open(folder, embedder, chunker="2") as writer:
        assert {r.chunker for r in writer.documents().values()} == {"1"}
        writer.put([entry(source, text) for source, text in CORPUS.items()])
        assert writer.publish() == 2
    assert generations.read_manifest(generations.folder_of(folder, 2)).chunker == "2"


def test_two_writers_exclude_each_other_and_the_lock_is_given_back(folder: Path, embedder: FakeEmbedder) -> None:
    with Writer.open(folder, embedder, chunker="1") as writer:
        with pytest.raises(Locked, match="default"):
            Writer.open(folder, embedder, chunker="1")
        writer.close()
        writer.close()
    Writer.open(folder, embedder, chunker="1").close()


def test_another_embedder_is_refused_with_the_command_that_fixes_it(folder: Path) -> None:
    other = FakeEmbedder(64, name="other")
    with pytest.raises(EmbedderMismatch, match="--full"):
        Writer.open(folder, other, chunker="1")
    with pytest.raises(EmbedderMismatch, match="--collection default --full"):
        Collection.open(folder, other)


def test_full_takes_another_embedder_and_readers_keep_the_old_one_until_it_is_published(folder: Path, embedder: FakeEmbedder) -> None:
    other = FakeEmbedder(64, name="other")
    reader = Collection.open(folder, embedder)
    with Writer.open(folder, other, chunker="1", full=True) as writer:
        assert writer.documents() == {}
        writer.put([entry("new.txt", "entirely new words")])
        assert reader.search("PPR-9087", k=1).hits[0].source == "pump.md"
        assert writer.publish() == 2
    with pytest.raises(EmbedderMismatch):
        reader.refresh()
    assert reader.search("PPR-9087", k=1).hits[0].source == "pump.md"
    assert Collection.open(folder, other).search("new words", k=9).hits[0].source == "new.txt"


def test_reset_with_the_same_content_needs_no_new_generation(folder: Path, embedder: FakeEmbedder) -> None:
    embedded = embedder.encoded
    with Writer.open(folder, embedder, chunker="1") as writer:
        writer.reset()
        assert writer.documents() == {}
        writer.put([entry(source, text) for source, text in CORPUS.items()])
        assert writer.publish() is None
    assert embedder.encoded == embedded


def test_only_the_newest_generations_and_what_they_need_are_kept(folder: Path, embedder: FakeEmbedder) -> None:
    for n in range(2, 7):
        assert published(folder, embedder, CORPUS | {"pump.md": f"text number {n}"}) == n
    assert generations.generation_numbers(folder) == [6, 5, 4]
    assert len(list((folder / "originals").iterdir())) == 3 + 3  # three unchanged documents and three states of the pump
    with Writer.open(folder, embedder, chunker="1") as writer:
        revisions = writer._ledger.read("SELECT count(*), (SELECT count(*) FROM passages) FROM revisions")[0]
    assert tuple(revisions) == (6, 7)


def test_originals_are_the_bytes_that_were_taken_in(folder: Path, embedder: FakeEmbedder) -> None:
    reader = Collection.open(folder, embedder)
    (record,) = [r for r in reader.documents() if r.source == "pump.md"]
    assert reader.original(record.id).read_bytes().decode() == CORPUS["pump.md"]
    assert (record.size, record.passages, record.pages, record.media_type) == (len(CORPUS["pump.md"].encode()), 2, 1, "text/plain")


def test_sources_with_odd_names_come_back_as_they_were(tmp_path: Path, embedder: FakeEmbedder) -> None:
    names = ["文件 一.txt", "a\nb.txt", "📄.txt", "x'; DROP TABLE documents; --.txt", "é.txt", "e\u0301.txt"]
    assert published(tmp_path / "c", embedder, {name: f"words {n}" for n, name in enumerate(names)}) == 1
    assert sorted(r.source for r in Collection.open(tmp_path / "c", embedder).documents()) == sorted(names)
