"""Markers are found in the ways models write them, and nothing else is taken for one."""

import pytest

from app.markers import take_markers


@pytest.mark.parametrize(
    ("draft", "text", "numbers"),
    [
        ("Yes [1].", "Yes.", [1]),
        ("是[1]。", "是。", [1]),
        ("是【2】。", "是。", [2]),
        ("是［2］。", "是。", [2]),
        ("Yes [1][3].", "Yes.", [1, 3]),
        ("Yes [1, 3].", "Yes.", [1, 3]),
        ("是[1、2]。", "是。", [1, 2]),
        ("Yes. [12]", "Yes.", [12]),
        ("[1] Yes.", " Yes.", [1]),
        ("None", "None", []),
        ("Since [1998] it is [a].", "Since [1998] it is [a].", []),
        ("", "", []),
    ],
)
def test_ways_of_writing(draft: str, text: str, numbers: list[int]) -> None:
    marked = take_markers(draft, [])
    assert marked.text == text
    assert [number for _, number in marked.markers] == numbers


def test_a_marker_is_remembered_where_it_stood() -> None:
    marked = take_markers("One [1]. Two [2].", [])
    assert marked.text == "One. Two."
    assert [(marked.text[:at], number) for at, number in marked.markers] == [("One", 1), ("One. Two", 2)]


def test_an_index_copied_from_the_evidence_stays_text() -> None:
    evidence = ["Take items[0] and items[1] of the list."]
    marked = take_markers("Take items[0] first [1].", evidence)
    assert marked.text == "Take items[0] first."
    assert [number for _, number in marked.markers] == [1]


def test_the_same_index_is_a_marker_where_no_evidence_has_it() -> None:
    assert [number for _, number in take_markers("Take items[0].", ["Nothing of the kind."]).markers] == [0]


@pytest.mark.parametrize("draft", ["[" * 5000, "[1" * 3000, "[1]" * 3000, " " * 20_000 + "[1]"])
def test_odd_drafts_take_no_time(draft: str) -> None:
    assert len(take_markers(draft, ["x"]).text) <= len(draft)
