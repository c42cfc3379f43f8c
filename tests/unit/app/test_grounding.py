"""Grounding: quotes are verbatim, figures are never invented, markers are not trusted."""

from collections.abc import Sequence

import pytest

from app.grounding import LONGEST_QUOTE, Grounded, candidates, ground
from app.prompts import Shown
from tests.unit.app.passages import shown

TENNIS = "一場網球比賽一般由一至五盤比賽構成，而每一盤又分數局。率先贏得規定局數的選手贏得一盤。"
PUMP = "The pump PPR-9087 delivers 120 litres per minute. It must be serviced every 500 hours."
OTHER = "巴黎是法國的首都。塞納河流經巴黎。"


def check_offsets(grounded: Grounded, evidence: Sequence[Shown]) -> None:
    """What every grounded answer promises."""
    texts = {s.hit.passage.id: s.hit.passage for s in evidence}
    for c in grounded.citations:
        passage = texts[c.passage_id]
        assert passage.text[c.quote_start - passage.start : c.quote_end - passage.start] == c.quote
        assert c.quote == c.quote.strip() != ""
        assert 0 <= c.answer_start < c.answer_end <= len(grounded.answer)
        assert f"[{c.marker}]" in grounded.answer[c.answer_end :]
        assert 0 <= c.support <= 1
    for u in grounded.unsupported:
        assert 0 <= u.answer_start < u.answer_end <= len(grounded.answer)
        assert u.why


@pytest.mark.parametrize(
    ("draft", "evidence", "quote"),
    [
        ("網球比賽最多有五盤比賽[1]。", (TENNIS, OTHER), "一場網球比賽一般由一至五盤比賽構成，而每一盤又分數局。"),
        ("網球比賽最多有五盤比賽。", (OTHER, TENNIS), "一場網球比賽一般由一至五盤比賽構成，而每一盤又分數局。"),
        ("网球比赛由一至五盘比赛构成。", (TENNIS,), "一場網球比賽一般由一至五盤比賽構成，而每一盤又分數局。"),
        ("It must be serviced every 500 hours [2].", (TENNIS, PUMP), "It must be serviced every 500 hours."),
        ("The pump delivers 120 litres per minute.", (TENNIS, PUMP), "The pump PPR-9087 delivers 120 litres per minute."),
    ],
)
def test_a_supported_sentence_is_tied_to_its_quote_with_or_without_a_marker(draft: str, evidence: tuple[str, ...], quote: str) -> None:
    passages = shown(*evidence)
    grounded = ground(draft, "問題", passages)
    assert [c.quote for c in grounded.citations] == [quote]
    assert grounded.sound
    assert grounded.unsupported == ()
    check_offsets(grounded, passages)


def test_a_wrong_marker_is_set_right() -> None:
    passages = shown(OTHER, TENNIS)
    grounded = ground("網球比賽最多有五盤比賽[1]。", "網球比賽有幾盤？", passages)
    assert [c.marker for c in grounded.citations] == [2]
    assert grounded.answer == "網球比賽最多有五盤比賽。[2]"


def test_an_invented_marker_stays_and_is_reported() -> None:
    passages = shown(TENNIS)
    grounded = ground("網球比賽最多有五盤比賽[9]。", "網球比賽有幾盤？", passages)
    assert grounded.answer == "網球比賽最多有五盤比賽。[1][9]"
    assert [(grounded.answer[u.answer_start : u.answer_end], "[9]" in u.why) for u in grounded.unsupported] == [("[9]", True)]
    assert grounded.sound
    check_offsets(grounded, passages)


@pytest.mark.parametrize(
    "draft",
    [
        "The pump PPR-9087 delivers 150 litres per minute [1].",
        "The pump PPR-1044 delivers 120 litres per minute [1].",
        "The pump PPR-9087 must be serviced every 500 hours since 1998 [1].",
        "The pump PPR-9087 delivers 120 litres per minute, see https://evil.example/x [1].",
        "The pump PPR-9087 delivers 120 litres per minute ![x](https://evil.example/x.png) [1].",
    ],
)
def test_a_figure_or_a_link_that_no_quote_holds_makes_the_answer_unsound(draft: str) -> None:
    grounded = ground(draft, "What does the pump do?", shown(PUMP, TENNIS))
    assert not grounded.sound
    assert len(grounded.unsupported) == 1
    check_offsets(grounded, shown(PUMP, TENNIS))


@pytest.mark.parametrize(
    ("draft", "evidence"),
    [
        ("網球比賽最多有5盤比賽。", TENNIS),
        ("It is serviced every five hundred hours, that is 500 hours.", PUMP),
        ("這座城市在1945年有1,200人。", "這座城市在一九四五年有一千二百人。"),
        ("人口是12,000人。", "當時的人口是1萬2000人，也就是12000人。"),
    ],
)
def test_a_number_may_be_written_another_way(draft: str, evidence: str) -> None:
    assert ground(draft, "多少？", shown(evidence)).unsupported == ()


def test_a_number_of_the_question_may_be_repeated() -> None:
    grounded = ground("1954年的颶風奪走81人的性命。", "1954年的颶風奪走幾人的性命？", shown("颶風奪走了81人的性命。"))
    assert grounded.sound
    assert grounded.unsupported == ()


def test_figures_from_two_passages_are_cited_from_both() -> None:
    passages = shown("The pump delivers 120 litres per minute.", "The pump weighs 35 kilograms.")
    grounded = ground("The pump delivers 120 litres per minute and weighs 35 kilograms.", "Tell me of the pump", passages)
    assert {c.marker for c in grounded.citations} == {1, 2}
    assert grounded.sound
    check_offsets(grounded, passages)


def test_a_claim_nobody_made_is_reported_and_one_sound_sentence_does_not_carry_a_long_invention() -> None:
    draft = (
        "Paris was founded by giants from the moon who built towers of cheese for their many cats. The pump needs service every 500 hours."
    )
    grounded = ground(draft, "How often is service needed?", shown(PUMP))
    assert not grounded.sound
    assert [grounded.answer[u.answer_start : u.answer_end] for u in grounded.unsupported] == [draft.split(". ")[0] + "."]


def test_nothing_shown_supports_nothing() -> None:
    grounded = ground("Anything at all.", "What?", [])
    assert not grounded.sound
    assert grounded.citations == ()


def test_words_of_another_language_are_compared_by_meaning() -> None:
    asked: list[str] = []

    def similarities(sentence: str, texts: Sequence[str]) -> list[float]:
        asked.append(sentence)
        return [0.9 if "網球" in text else 0.7 for text in texts]

    grounded = ground("A tennis match has up to five sets.", "How many sets?", shown(OTHER, TENNIS), similarities)
    assert [c.marker for c in grounded.citations] == [2]
    assert asked == ["A tennis match has up to five sets."]
    assert ground("A tennis match has up to five sets.", "How many sets?", shown(OTHER), lambda _, t: [0.5] * len(t)).citations == ()


def test_a_bracketed_number_copied_from_a_program_is_no_marker() -> None:
    passages = shown("Use items[0] to get the first element of the list.")
    grounded = ground("Use items[0] to get the first element [1].", "How?", passages)
    assert grounded.answer == "Use items[0] to get the first element. [1]" or grounded.answer.startswith("Use items[0] to get")
    assert grounded.unsupported == ()


def test_several_sentences_each_get_their_own_span() -> None:
    passages = shown(TENNIS, OTHER)
    grounded = ground("網球比賽有一至五盤。\n巴黎是法國的首都。", "說說", passages)
    assert [grounded.answer[c.answer_start : c.answer_end] for c in grounded.citations] == ["網球比賽有一至五盤。", "巴黎是法國的首都。"]
    assert grounded.answer == "網球比賽有一至五盤。[1]\n巴黎是法國的首都。[2]"
    check_offsets(grounded, passages)


def test_quotes_are_sentences_or_two_neighbours_and_never_endless() -> None:
    table = "\n".join(f"| row {n} | value {n} |" for n in range(100))
    made = candidates(shown("```\n" + table + "\n```", TENNIS))
    assert all(c.text == c.hit.passage.text[c.start : c.end] for c in made)
    assert all(len(c.text) <= LONGEST_QUOTE for c in made)


@pytest.mark.parametrize(
    ("draft", "evidence", "sound"),
    [
        ("500", "The filter is changed every 500 hours of operation.", True),
        ("500", "The reading room seats 500 people.", False),
        ("中華台北", "臺灣以中華台北的名義加入亞太經合會。", True),
    ],
)
def test_a_bare_value_needs_a_quote_that_speaks_of_the_question(draft: str, evidence: str, sound: bool) -> None:
    question = "臺灣以什麼名義加入亞太經合會?" if draft == "中華台北" else "After how many hours of operation is the filter changed?"
    assert ground(draft, question, shown(evidence)).sound is sound


def test_a_lone_closing_quote_is_no_sentence_of_its_own() -> None:
    grounded = ground('The text says "The pump runs at 3 bar. "', "How fast?", shown("The pump runs at 3 bar."))
    assert len(grounded.citations) == 1
    assert grounded.answer.endswith('" [1]')
