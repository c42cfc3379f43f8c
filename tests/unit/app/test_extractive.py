"""Answers made of quotes."""

from collections.abc import Sequence

from app.extractive import LONGEST_ANSWER, MOST_QUOTES, answer_with_quotes
from app.script import in_script
from tests.unit.app.passages import hit

PUMP = "Unpack the pump. The pump PPR-9087 delivers 120 litres per minute. It must be serviced every 500 hours."


def same(text: str) -> str:
    return text


def test_the_sentence_asked_for_is_quoted_first() -> None:
    quoted = answer_with_quotes("How many litres does PPR-9087 deliver?", [hit(PUMP, start=40)], "en", same)
    first = quoted.citations[0]
    assert first.quote == "The pump PPR-9087 delivers 120 litres per minute."
    assert quoted.answer[first.answer_start : first.answer_end] == first.quote
    assert first.quote_start == 40 + PUMP.index(first.quote)
    assert f"{first.quote} [1]" in quoted.answer


def test_quotes_are_few_and_short_together() -> None:
    hits = [hit("The pump hums. " * 200, rank=n, source=f"{n}.txt") for n in range(1, 6)]
    quoted = answer_with_quotes("Does the pump hum?", hits, "en", same)
    assert 1 <= len(quoted.citations) <= MOST_QUOTES
    assert sum(len(c.quote) for c in quoted.citations) <= LONGEST_ANSWER + 100


def test_a_marker_names_a_passage() -> None:
    hits = [hit("Valve V1 is red. Valve V1 is old.", source="1.txt"), hit("Valve V1 is loud.", rank=2, source="2.txt")]
    quoted = answer_with_quotes("What about valve V1?", hits, "en", same)
    assert len({(c.marker, c.passage_id) for c in quoted.citations}) == len({c.marker for c in quoted.citations})


def test_the_answer_is_in_the_askers_script_and_the_quote_untouched() -> None:
    quoted = answer_with_quotes("學習率是多少？", [hit("默认学习率是0.001。")], "zh-Hant", lambda t: in_script(t, "zh-Hant"))
    assert quoted.citations[0].quote == "默认学习率是0.001。"
    assert "學習率" in quoted.answer
    assert "学" not in quoted.answer


def test_without_a_shared_word_meaning_decides() -> None:
    def similarities(_: str, texts: Sequence[str]) -> list[float]:
        return [0.9 if "網球" in text else 0.1 for text in texts]

    hits = [hit("巴黎是首都。", source="1.txt"), hit("網球有五盤。", rank=2, source="2.txt")]
    assert answer_with_quotes("How many sets?", hits, "en", same, similarities).citations[0].quote == "網球有五盤。"
    assert answer_with_quotes("How many sets?", hits, "en", same).citations, "without an embedder the best rank speaks"


def test_nothing_found_quotes_nothing() -> None:
    assert answer_with_quotes("x", [], "en", same).citations == ()
    assert answer_with_quotes("x", [], "en", same).answer == ""
