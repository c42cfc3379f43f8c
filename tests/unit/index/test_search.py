"""What a reader promises: both legs, filters that give exactly k, deletes at once."""

import threading
from pathlib import Path

import pytest

from core.errors import BadRequest, NotFound
from core.types import Filters
from index.fakes import FakeEmbedder
from index.search import Collection
from index.writer import Writer
from tests.unit.index.corpus import CORPUS, entry, published


@pytest.fixture
def reader(folder: Path, embedder: FakeEmbedder) -> Collection:
    return Collection.open(folder, embedder)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """200 documents of one passage, in ten folders and three languages."""
    folder, embedder = tmp_path_factory.mktemp("many") / "many", FakeEmbedder()
    with Writer.open(folder, embedder, chunker="1") as writer:
        names = [(f"d{n % 10}/f{n}.txt", {"lang": ("zh", "en", "de")[n % 3]}) for n in range(200)]
        writer.put([entry(name, f"common words and number {n}", metadata=meta) for n, (name, meta) in enumerate(names)])
        writer.publish()
    return Collection.open(folder, embedder)


@pytest.mark.parametrize(
    ("question", "source"),
    [
        ("PPR-9087", "pump.md"),
        ("ppr 9087", "pump.md"),
        ("特別休假有幾日？", "labour/leave.txt"),
        ("特别休假有几日？", "labour/leave.txt"),
        ("第38條", "labour/leave.txt"),
        ("第三十八條", "labour/leave.txt"),
        ("1.5e-4", "training.md"),
        ("每日工作時間", "labour/hours.txt"),
    ],
)
def test_the_right_document_is_first(reader: Collection, question: str, source: str) -> None:
    for leg in ("fused", "lexical"):
        assert reader.search(question, k=3, leg=leg).hits[0].source == source  # type: ignore[arg-type]


def test_hits_say_which_leg_scored_them_and_are_best_first(reader: Collection) -> None:
    fused, dense, lexical = (reader.search("pump filter", k=5, leg=leg) for leg in ("fused", "dense", "lexical"))  # type: ignore[arg-type]
    assert [h.rank for h in fused.hits] == [1, 2, 3, 4, 5]
    scores = [h.scores.fused or 0.0 for h in fused.hits]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= s <= 1 for s in scores)
    assert all(h.scores.lexical is None and h.scores.fused is None for h in dense.hits)
    assert all(h.scores.dense is None and (h.scores.lexical or 0) > 0 for h in lexical.hits)
    assert {h.source for h in lexical.hits} == {"pump.md"}


def test_passages_come_back_whole_and_slice_their_document(reader: Collection) -> None:
    for hit in reader.search("filter", k=10).hits:
        document = reader.document(hit.passage.document_id)
        assert document.text[hit.passage.start : hit.passage.end] == hit.passage.text
        assert (document.source, document.title) == (hit.source, hit.title)
        assert document.text == CORPUS[hit.source]


@pytest.mark.parametrize("leg", ["fused", "dense", "lexical"])
@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(source=("d3/*",)), 20),
        (Filters(source=("d3/*", "d4/*")), 40),
        (Filters(metadata={"lang": "de"}), 66),
        (Filters(source=("d3/*",), metadata={"lang": "de"}), 6),
        (Filters(source=("*f7.txt",)), 1),
        (Filters(source=("nothing/*",)), 0),
        (Filters(document_id=("0123456789abcdef",)), 0),
    ],
)
def test_filters_give_exactly_k_when_k_exist(many: Collection, leg: str, filters: Filters, expected: int) -> None:
    for k in (1, 5, 150):
        hits = many.search("common words", k=k, filters=filters, leg=leg).hits  # type: ignore[arg-type]
        assert len(hits) == min(k, expected)
        assert len({h.passage.id for h in hits}) == len(hits)


def test_a_filter_by_document_and_a_glob_that_is_a_path(many: Collection) -> None:
    record = next(r for r in many.documents() if r.source == "d3/f13.txt")
    for filters in (Filters(document_id=(record.id,)), Filters(source=("d3/f13.txt",))):
        assert [h.source for h in many.search("number 99", k=5, filters=filters).hits] == ["d3/f13.txt"]


def test_a_delete_counts_at_once_and_for_every_reader(folder: Path, embedder: FakeEmbedder, reader: Collection) -> None:
    other = Collection.open(folder, embedder)
    doomed = reader.search("PPR-9087", k=1).hits[0].passage.document_id
    assert reader.delete(doomed)
    assert all(h.source != "pump.md" for h in reader.search("PPR-9087 pump", k=20).hits)
    assert doomed not in {r.id for r in reader.documents()}
    with pytest.raises(NotFound):
        reader.document(doomed)
    with pytest.raises(NotFound):
        reader.delete(doomed)
    assert other.refresh()
    assert all(h.source != "pump.md" for h in other.search("PPR-9087 pump", k=20).hits)
    assert doomed not in {h.passage.document_id for h in Collection.open(folder, embedder).search("pump", k=20).hits}


def test_the_next_publication_carries_a_delete_out_and_the_file_may_come_back(
    folder: Path, embedder: FakeEmbedder, reader: Collection
) -> None:
    reader.delete(reader.search("PPR-9087", k=1).hits[0].passage.document_id)
    with Writer.open(folder, embedder, chunker="1") as writer:
        assert writer.documents()["pump.md"].deleted
        assert writer.publish() == 2
        assert writer._ledger.read("SELECT kind, state FROM jobs") == [("delete", "indexed")]
        writer.put([entry("pump.md", CORPUS["pump.md"])])
        assert not writer.documents()["pump.md"].deleted
        assert writer.publish() == 3
    assert reader.refresh()
    assert reader.search("PPR-9087", k=1).hits[0].source == "pump.md"


def test_a_document_put_again_after_a_delete_is_shown_even_if_no_ingest_ran_between(
    folder: Path, embedder: FakeEmbedder, reader: Collection
) -> None:
    reader.delete(reader.search("PPR-9087", k=1).hits[0].passage.document_id)
    with Writer.open(folder, embedder, chunker="1") as writer:
        writer.put([entry("pump.md", CORPUS["pump.md"])])
        assert writer.publish() == 2  # the same set as before, but the published one hides the document
    assert reader.refresh()
    assert reader.search("PPR-9087", k=1).hits[0].source == "pump.md"


@pytest.mark.parametrize(
    "question",
    [
        "x",
        "?",
        "。！？",
        "的",
        "the of and",
        "好" * 2000,
        "a " * 1000,
        "🙂",
        "\u0378\U000e0fff",
        "שלום עולם",
        "\u202eabc",
        "\x00",
        "'\"()*:^~AND OR",
        "x" * 2000,
    ],
)
def test_no_question_is_an_error(reader: Collection, question: str) -> None:
    for leg in ("fused", "dense", "lexical"):
        assert len(reader.search(question, k=3, leg=leg).hits) <= 3  # type: ignore[arg-type]


@pytest.mark.parametrize(("question", "k"), [("", 1), ("  \n", 1), ("x", 0)])
def test_a_search_without_question_or_k_is_refused(reader: Collection, question: str, k: int) -> None:
    with pytest.raises(BadRequest):
        reader.search(question, k=k)


def test_a_passage_of_one_enormous_word(tmp_path: Path, embedder: FakeEmbedder) -> None:
    assert published(tmp_path / "c", embedder, {"a.txt": "x" * 100_000, "b.txt": "字" * 100_000, "c.txt": "plain"}) == 1
    reader = Collection.open(tmp_path / "c", embedder)
    assert reader.search("plain", k=1).hits[0].source == "c.txt"
    assert reader.search("字字", k=1, leg="lexical").hits[0].source == "b.txt"


def test_evidence_tells_a_question_that_is_answered_from_one_that_is_not(reader: Collection) -> None:
    inside, outside = (reader.search(q, k=5).evidence for q in ("How often is the pump PPR-9087 inspected?", "Wer gewann das Rennen?"))
    assert inside.coverage > 0.5 > outside.coverage
    assert inside.lexical_speaks > outside.lexical_speaks == 0
    assert inside.agreement
    assert inside.top_dense > outside.top_dense
    assert inside.dense_gap >= 0


def test_similarities_are_the_embedders_cosines(reader: Collection) -> None:
    near, far = reader.similarities("pump filter", ["pump filter", "特別休假"])
    assert near > 0.9 > far
    assert reader.similarities("pump", []) == []


def test_many_threads_find_what_one_finds(reader: Collection) -> None:
    expected = [h.passage.id for h in reader.search("pump filter", k=5).hits]
    found: list[list[str]] = []

    def ask() -> None:
        for _ in range(20):
            found.append([h.passage.id for h in reader.search("pump filter", k=5).hits])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 160
    assert all(one == expected for one in found)


def test_a_reader_left_behind_finds_its_way_to_what_is_kept(folder: Path, embedder: FakeEmbedder, reader: Collection) -> None:
    for n in range(6):
        published(folder, embedder, {"pump.md": f"pump of the year {n}"})
    result = reader.search("pump", k=3)
    assert result.generation == reader.generation == 7
    assert [h.passage.text for h in result.hits] == ["pump of the year 5"]
