from dataclasses import FrozenInstanceError, fields

import pytest

from core.types import Filters, Hit, Page, Passage, Scores

PASSAGE = Passage("d-r-0", "d", 0, "文字。", 10, 13, 1, 1, ("第一章",), 4)


def test_values_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        PASSAGE.text = "other"  # type: ignore[misc]


def test_a_passage_carries_no_score_and_no_vector() -> None:
    assert not {"score", "scores", "embedding", "vector"} & {f.name for f in fields(Passage)}


def test_a_hit_wraps_its_passage() -> None:
    hit = Hit(1, PASSAGE, "laws/a.pdf", "A", Scores(0.9, None, 0.7))
    assert hit.passage is PASSAGE
    assert hit.scores.lexical is None


@pytest.mark.parametrize(
    ("filters", "empty"),
    [
        (Filters(), True),
        (Filters(source=("*.md",)), False),
        (Filters(document_id=("d",)), False),
        (Filters(metadata={"year": "2024"}), False),
    ],
)
def test_filters_know_whether_they_restrict(filters: Filters, empty: bool) -> None:
    assert filters.empty is empty


def test_a_page_without_a_printed_label_has_an_empty_one() -> None:
    assert Page(1, 0, 100).label == ""
