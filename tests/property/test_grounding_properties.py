"""Random drafts of true, altered and invented sentences: whatever is cited is there, and an invented figure never passes."""

import random

import pytest

from app.grounding import Grounded, ground
from app.prompts import Shown
from core.sentences import sentence_spans
from tests.property.text import han
from tests.unit.app.passages import shown

THINGS = ["pump", "filter", "boiler", "valve", "cooling fan", "gearbox", "compressor"]
HAN_THINGS = ["濾網", "鍋爐", "閥門", "冷卻風扇", "變速箱", "壓縮機", "輸送帶"]
SEEDS = range(24)


def fact(rng: random.Random, number: int) -> str:
    if rng.random() < 0.5:
        return f"The {rng.choice(THINGS)} in hall {rng.choice('ABCDEF')} must be replaced after {number} operating hours."
    return f"{rng.choice('甲乙丙丁戊')}廠的{rng.choice(HAN_THINGS)}運轉滿 {number} 小時必須更換。"


def evidence(rng: random.Random) -> tuple[list[Shown], list[str]]:
    """Shown passages, and their sentences. Their numbers are below 5,000; an invented one is above."""
    texts = [" ".join(fact(rng, rng.randint(100, 4_999)) for _ in range(rng.randint(1, 5))) for _ in range(rng.randint(1, 4))]
    return shown(*texts), [text[s:e] for text in texts for s, e in sentence_spans(text)]


def altered(rng: random.Random, true: str) -> tuple[str, str]:
    """A true sentence with its number replaced by an invented one, and that number."""
    invented = str(rng.randint(50_000, 99_999))
    return "".join(invented if part.isdigit() else part for part in _parts(true)), invented


def _parts(text: str) -> list[str]:
    parts = [""]
    for c in text:
        if parts[-1] and parts[-1][-1].isdigit() == c.isdigit():
            parts[-1] += c
        else:
            parts.append(c)
    return parts


def draft_of(rng: random.Random, sentences: list[str]) -> str:
    """Up to six sentences: true, altered, or of nothing; some with a marker, which may name no passage."""
    said = []
    for _ in range(rng.randint(1, 6)):
        true = rng.choice(sentences)
        text = rng.choice([true, true, altered(rng, true)[0], f"{han(rng, 8, 20)}。", "Bananas grow on distant planets."])
        said.append(text + rng.choice(["", f"[{rng.randint(1, 6)}]", "[1, 2]"]))
    return " ".join(said)


def grounded(seed: int) -> tuple[list[Shown], Grounded]:
    rng = random.Random(seed)
    items, sentences = evidence(rng)
    return items, ground(draft_of(rng, sentences), "When must it be replaced?", items)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_quote_stands_where_its_citation_says(seed: int) -> None:
    items, result = grounded(seed)
    by_marker = {item.marker: item.hit for item in items}
    for c in result.citations:
        passage = by_marker[c.marker].passage
        assert (c.passage_id, c.document_id) == (passage.id, passage.document_id)
        assert c.quote
        assert passage.text[c.quote_start - passage.start : c.quote_end - passage.start] == c.quote
        assert 0.0 <= c.support <= 1.0


@pytest.mark.parametrize("seed", SEEDS)
def test_spans_lie_in_the_answer_and_each_citation_is_marked_behind_its_sentence(seed: int) -> None:
    _, result = grounded(seed)
    for c in result.citations:
        assert 0 <= c.answer_start < c.answer_end <= len(result.answer)
        assert f"[{c.marker}]" in result.answer[c.answer_end : c.answer_end + 20]
    for u in result.unsupported:
        assert 0 <= u.answer_start < u.answer_end <= len(result.answer)
        assert u.why


@pytest.mark.parametrize("seed", SEEDS)
def test_sentences_copied_from_passages_are_sound_and_wholly_supported(seed: int) -> None:
    rng = random.Random(seed)
    items, sentences = evidence(rng)
    result = ground(" ".join(rng.sample(sentences, rng.randint(1, len(sentences)))), "When?", items)
    assert result.sound
    assert result.unsupported == ()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_true_sentence_with_an_invented_number_makes_the_answer_unsound(seed: int) -> None:
    rng = random.Random(1_000 + seed)
    items, sentences = evidence(rng)
    false, invented = altered(rng, rng.choice(sentences))
    said = [*rng.sample(sentences, rng.randint(0, len(sentences))), false]
    rng.shuffle(said)
    result = ground(" ".join(said), "When must it be replaced?", items)
    assert not result.sound
    assert any(invented in result.answer[u.answer_start : u.answer_end] for u in result.unsupported)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_said_without_a_passage_is_never_sound(seed: int) -> None:
    _, sentences = evidence(random.Random(seed))
    result = ground(" ".join(sentences), "When?", [])
    assert (result.sound, result.citations) == (False, ())
