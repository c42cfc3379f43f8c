"""What every kind of vector index promises, for each kind there is."""

from pathlib import Path

import numpy as np
import pytest

from core.errors import Damaged
from index.records import Vectors
from index.vectors import FLAT, FLAT_UP_TO, KINDS, SCAN, VectorIndex, kind_for

COUNT, DIMENSION = 3000, 64


def unit(vectors: Vectors) -> Vectors:
    return np.ascontiguousarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    """Clustered, as embeddings are: 60 topics."""
    rng = np.random.default_rng(7)
    topics = rng.standard_normal((60, DIMENSION))
    return unit((topics[np.arange(COUNT) % 60] + 0.7 * rng.standard_normal((COUNT, DIMENSION))).astype(np.float32))


@pytest.fixture(scope="module")
def queries(vectors: Vectors) -> Vectors:
    return unit(vectors[::100] + 0.05 * np.random.default_rng(8).standard_normal((30, DIMENSION)).astype(np.float32))


@pytest.fixture(scope="module", params=KINDS)
def index(request: pytest.FixtureRequest, vectors: Vectors, tmp_path_factory: pytest.TempPathFactory) -> VectorIndex:
    path = tmp_path_factory.mktemp("vectors") / "vectors.faiss"
    VectorIndex.build(vectors, request.param).save(path)
    return VectorIndex.load(path, request.param)


def test_it_finds_what_an_exact_comparison_finds(index: VectorIndex, vectors: Vectors, queries: Vectors) -> None:
    found = [len(set(index.search(q, 10)[0]) & set(np.argsort(-(vectors @ q))[:10])) for q in queries]
    assert np.mean(found) / 10 >= 0.99


def test_scores_are_cosines_best_first(index: VectorIndex, vectors: Vectors, queries: Vectors) -> None:
    for query in queries[:5]:
        rows, scores = index.search(query, 20)
        assert np.all(np.diff(scores) <= 1e-6)
        assert scores == pytest.approx(vectors[rows] @ query, abs=2e-3)
        assert index.scores(query, rows) == pytest.approx(scores, abs=2e-3)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.9])
def test_a_filter_is_exact(index: VectorIndex, vectors: Vectors, queries: Vectors, share: float) -> None:
    allowed = np.random.default_rng(9).random(COUNT) < share
    for k in (1, 10, 200):
        rows, _ = index.search(queries[0], k, allowed)
        assert len(rows) == min(k, int(allowed.sum()))
        assert allowed[rows].all()
        exact = np.argsort(-np.where(allowed, vectors @ queries[0], -9))[: len(rows)]
        assert len(set(rows) & set(exact)) >= 0.99 * len(rows)


def test_all_there_are_when_more_are_asked(index: VectorIndex, queries: Vectors) -> None:
    assert len(index.search(queries[0], COUNT + 50)[0]) == COUNT
    assert (index.count, index.dimension) == (COUNT, DIMENSION)
    assert len(index.scores(queries[0], [])) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_few_or_no_vectors(kind: str, vectors: Vectors, tmp_path: Path) -> None:
    for count in (1, 5):
        VectorIndex.build(vectors[:count], kind).save(tmp_path / "v")
        assert sorted(VectorIndex.load(tmp_path / "v", kind).search(vectors[0], 9)[0]) == list(range(count))
    assert len(VectorIndex.build(vectors[:0], FLAT).search(vectors[0], 9)[0]) == 0


def test_the_kind_follows_the_size() -> None:
    assert [kind_for(n) for n in (0, FLAT_UP_TO, FLAT_UP_TO + 1)] == [FLAT, FLAT, SCAN]


def test_a_file_of_another_kind_or_of_nothing_is_refused(vectors: Vectors, tmp_path: Path) -> None:
    VectorIndex.build(vectors[:9], FLAT).save(tmp_path / "flat")
    (tmp_path / "nothing").write_bytes(b"\0" * 64)
    for name, kind in (("flat", SCAN), ("nothing", FLAT), ("absent", FLAT)):
        with pytest.raises(Damaged):
            VectorIndex.load(tmp_path / name, kind)
