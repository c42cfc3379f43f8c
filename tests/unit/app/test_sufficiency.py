"""The first refusal: joined evidence, and no absolute cosine."""

import pytest

from app.sufficiency import coverage, evidence_score
from index.records import Evidence
from tests.unit.app.passages import hit

PUMP = "The pump PPR-9087 delivers 120 litres per minute at 3.5 bar."
GOOD = Evidence(top_dense=0.9, dense_gap=0.07, coverage=0.7, lexical_speaks=0.9, agreement=True)
POOR = Evidence(top_dense=0.9, dense_gap=0.01, coverage=0.1, lexical_speaks=0.3, agreement=False)


def test_no_hits_is_no_evidence() -> None:
    assert evidence_score("What?", [], GOOD) == 0.0


def test_what_the_passage_speaks_of_passes_and_what_it_does_not_fails() -> None:
    assert evidence_score("How many litres does the pump PPR-9087 deliver?", [hit(PUMP)], GOOD) > 0.5
    assert evidence_score("Who painted the ceiling of the chapel?", [hit(PUMP)], POOR) < 0.5


@pytest.mark.parametrize("cosine", [0.2, 0.6, 0.95])
def test_the_scale_of_an_embedders_cosines_does_not_matter(cosine: float) -> None:
    moved = Evidence(cosine, GOOD.dense_gap, GOOD.coverage, GOOD.lexical_speaks, GOOD.agreement)
    question = "How many litres does the pump deliver?"
    assert evidence_score(question, [hit(PUMP)], moved) == evidence_score(question, [hit(PUMP)], GOOD)


@pytest.mark.parametrize("gap", [0.1, 0.2, 1.0])
def test_standing_out_further_than_far_counts_no_more(gap: float) -> None:
    far = Evidence(0.9, gap, 0.7, 0.9, True)
    at_most = Evidence(0.9, 0.1, 0.7, 0.9, True)
    assert evidence_score("pump?", [hit(PUMP)], far) == evidence_score("pump?", [hit(PUMP)], at_most)


def test_more_words_in_the_passage_never_make_it_worse() -> None:
    questions = ["zebra zulu zone", "pump zulu zone", "pump litres zone", "pump litres minute"]
    scores = [evidence_score(question, [hit(PUMP)], POOR) for question in questions]
    assert scores == sorted(scores)
    assert scores[0] < scores[-1]


def test_across_languages_only_standing_out_speaks() -> None:
    foreign = Evidence(top_dense=0.8, dense_gap=0.05, coverage=0.0, lexical_speaks=0.0, agreement=False)
    assert evidence_score("幫浦每分鐘輸送多少公升？", [hit(PUMP)], foreign) > 0.5
    lost = Evidence(top_dense=0.8, dense_gap=0.01, coverage=0.0, lexical_speaks=0.0, agreement=False)
    assert evidence_score("幫浦每分鐘輸送多少公升？", [hit(PUMP)], lost) < 0.5


def test_titles_and_headings_count_as_text() -> None:
    bare, titled = hit("It delivers 120 litres."), hit("It delivers 120 litres.", title="Pump PPR-9087", headings=("Delivery",))
    question = "What is the delivery of the pump PPR-9087?"
    assert evidence_score(question, [titled], POOR) > evidence_score(question, [bare], POOR)


@pytest.mark.parametrize(
    ("question", "text", "share"),
    [
        ("What is it?", PUMP, 0.0),
        ("pump litres", PUMP, 1.0),
        ("pump zebra", PUMP, 0.5),
        ("網球比賽", "网球比赛", 1.0),
        ("網球比賽是什麼？", "網球比賽", 1.0),
        ("", PUMP, 0.0),
    ],
)
def test_coverage_counts_content_words(question: str, text: str, share: float) -> None:
    assert coverage(question, text) == share
