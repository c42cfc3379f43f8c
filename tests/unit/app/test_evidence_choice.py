"""Which sentences a prompt shows: what must hold whatever the passages are (seeded random ones) and however small the budget."""

import random

import pytest

from app.prompts import Shown, build_prompt, choose_evidence, estimate_tokens
from app.script import Language
from core.types import Hit
from tests.unit.app.passages import hit

ENGLISH = (
    "valve",
    "pump",
    "filter",
    "pressure",
    "bearing",
    "motor",
    "housing",
    "gauge",
    "litre",
    "service",
    "operator",
    "manual",
    "relief",
)
CHINESE = ("水泵", "壓力", "濾網", "軸承", "馬達", "更換", "安全閥", "維護", "手冊", "小時", "操作", "關閉", "開啟", "檢查")
NEEDLE = {"en": "The ignition temperature of burner B-7 is 870 degrees.", "zh-Hant": "燃燒器的點火溫度是攝氏870度。"}
QUESTION: dict[Language, str] = {"en": "What is the ignition temperature of burner B-7?", "zh-Hant": "燃燒器的點火溫度是多少？"}


def sentence(rng: random.Random, language: Language) -> str:
    if language == "en":
        return " ".join(rng.choices(ENGLISH, k=rng.randint(4, 14))).capitalize() + "."
    return "".join(rng.choices(CHINESE, k=rng.randint(4, 12))) + "。"


def passage_text(rng: random.Random, language: Language) -> str:
    return (" " if language == "en" else "").join(sentence(rng, language) for _ in range(rng.randint(1, 9)))


def hits_with_needle(rng: random.Random, language: Language) -> list[Hit]:
    """Five passages of one corpus; the answer stands somewhere in the passage of a random rank."""
    texts = [passage_text(rng, language) for _ in range(5)]
    place = rng.randrange(5)
    texts[place] = f"{texts[place]} {NEEDLE[language]} {passage_text(rng, language)}"
    return [hit(text, rank=rank, source=f"{rng.choice('abc')}{rank}.txt") for rank, text in enumerate(texts, 1)]


CASES = [(seed, language) for seed in range(12) for language in ("en", "zh-Hant")]


def cost(shown: tuple[Shown, ...]) -> int:
    return sum(estimate_tokens(s.hit.passage.text[start:end]) for s in shown for start, end in s.spans)


@pytest.mark.parametrize(("seed", "language"), CASES)
def test_the_sentence_asked_for_is_shown(seed: int, language: Language) -> None:
    shown = choose_evidence(QUESTION[language], hits_with_needle(random.Random(seed), language), 220)
    assert any(NEEDLE[language] in s.text for s in shown)


@pytest.mark.parametrize(("seed", "language"), CASES)
@pytest.mark.parametrize("budget", [40, 120, 480])
def test_spans_are_of_their_passages_in_order_and_within_the_budget(seed: int, language: Language, budget: int) -> None:
    shown = choose_evidence(QUESTION[language], hits_with_needle(random.Random(seed), language), budget)
    assert shown
    # Joining neighbours adds the space between them, and each estimate rounds: a token a span.
    assert cost(shown) <= budget + sum(len(s.spans) for s in shown) + 2
    for item in shown:
        text, at = item.hit.passage.text, 0
        for start, end in item.spans:
            assert at <= start < end <= len(text)
            at = end


@pytest.mark.parametrize(("seed", "language"), CASES)
def test_a_larger_budget_never_hides_what_a_smaller_one_shows_first(seed: int, language: Language) -> None:
    hits = hits_with_needle(random.Random(seed), language)
    small, large = (choose_evidence(QUESTION[language], hits, budget) for budget in (120, 2000))
    assert {s.hit.rank for s in small} <= {s.hit.rank for s in large}
    assert cost(small) <= cost(large)


@pytest.mark.parametrize(("seed", "language"), CASES)
def test_the_same_passages_stand_in_the_same_order_whatever_their_ranks(seed: int, language: Language) -> None:
    hits = hits_with_needle(random.Random(seed), language)
    turned = [hit(h.passage.text, rank=6 - h.rank, source=h.source) for h in hits]
    one, other = (choose_evidence(QUESTION[language], list(given), 4000) for given in (hits, turned))
    assert [s.hit.source for s in one] == [s.hit.source for s in other] == sorted(h.source for h in hits)
    assert [s.marker for s in one] == list(range(1, 6))


@pytest.mark.parametrize(("seed", "language"), CASES[:8])
def test_two_questions_about_the_same_passages_share_everything_before_the_question(seed: int, language: Language) -> None:
    shown = choose_evidence(QUESTION[language], hits_with_needle(random.Random(seed), language), 4000)
    one, other = (build_prompt(question, shown, language) for question in (QUESTION[language], "?"))
    assert one[0] == other[0]
    first, second = one[1].content, other[1].content
    shared = next(i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b)
    assert first[:shared].count("</text>") == 1


@pytest.mark.parametrize("length", [3_000, 30_000])
def test_one_endless_sentence_is_cut_to_the_budget(length: int) -> None:
    shown = choose_evidence("水泵", [hit("水泵" * length)], 100)
    assert len(shown) == 1
    assert cost(shown) <= 110
