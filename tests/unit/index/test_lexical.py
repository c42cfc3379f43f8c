"""The lexical leg alone: BM25 over our own terms, filters inside the search, what a question knows."""

from pathlib import Path

import pytest

from core.errors import Damaged
from index.lexical import LexicalIndex

PASSAGES = [
    ("the pump PPR-9087 is inspected monthly", 0),
    ("the pump of the pool", 0),
    ("特別休假的日數", 1),
    ("加班費的計算", 2),
    ("the rate", 3),
]


@pytest.fixture
def index(tmp_path: Path) -> LexicalIndex:
    return LexicalIndex.build(tmp_path / "lexical", PASSAGES)


def found(index: LexicalIndex, question: str, k: int = 10, **kwargs: list[int]) -> list[int]:
    rows, scores = index.search(index.query_terms(question), k, **kwargs)
    assert sorted(scores, reverse=True) == list(scores)
    assert all(score > 0 for score in scores)
    return [int(row) for row in rows]


def test_rare_terms_outweigh_common_ones(index: LexicalIndex) -> None:
    asked = index.query_terms("pump PPR-9087")
    assert asked.weights["ppr-9087"] > asked.weights["pump"] > 0
    assert found(index, "pump PPR-9087") == [0, 1]


def test_only_passages_with_a_term_are_found(index: LexicalIndex) -> None:
    assert found(index, "加班費怎麼算") == [3]
    assert found(index, "nothing of this") == []
    assert found(index, "？！") == []
    assert found(index, "pump", k=0) == []


def test_filters_act_inside_the_search(index: LexicalIndex) -> None:
    assert found(index, "pump rate", documents=[3]) == [4]
    assert found(index, "pump rate", documents=[]) == []
    assert found(index, "pump", excluded=[0]) == []
    assert found(index, "pump rate", excluded=[0]) == [4]
    assert found(index, "pump", rows=[1, 3]) == [1]


def test_a_filter_does_not_change_a_score(index: LexicalIndex) -> None:
    asked = index.query_terms("pump rate")
    whole = dict(zip(*(x.tolist() for x in index.search(asked, 10)), strict=True))
    for row in whole:
        rows, scores = index.search(asked, 10, rows=[row])
        assert (rows.tolist(), scores.tolist()) == ([row], [pytest.approx(whole[row])])


def test_shares_say_how_much_of_a_question_is_known(index: LexicalIndex) -> None:
    asked = index.query_terms("pump zebra")
    assert asked.known == {"pump"}
    assert 0 < asked.share_known < 0.5  # the unknown word weighs more
    assert asked.share_in(["pump"]) == asked.share_known
    assert asked.share_in(["pump", "zebra"]) == pytest.approx(1.0)
    assert asked.share_in([]) == 0
    nothing = index.query_terms("?!")
    assert (nothing.weight, nothing.share_known, nothing.share_in(["a"])) == (0, 0, 0)


def test_what_was_written_is_what_is_loaded(index: LexicalIndex, tmp_path: Path) -> None:
    again = LexicalIndex.load(tmp_path / "lexical")
    assert again.count == index.count == len(PASSAGES)
    assert found(again, "pump PPR-9087") == [0, 1]


def test_an_empty_index_answers_nothing(tmp_path: Path) -> None:
    index = LexicalIndex.build(tmp_path / "lexical", [])
    assert (index.count, found(index, "pump")) == (0, [])


def test_a_folder_that_holds_no_index_is_refused(tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_text("{}")
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(Damaged):
            LexicalIndex.load(folder)
