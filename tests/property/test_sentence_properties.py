"""Sentences of random text: in order, apart, trimmed, and nothing but white space between them."""

import random

import pytest

from core.sentences import sentence_spans
from tests.property.text import paragraph, sentence

ODD = [
    "。",
    "」",
    "**",
    "`",
    "…",
    "\u3000",
    "\u00a0",
    "\t",
    "\n",
    "\n\n",
    "\r\n",
    "```\n",
    "| a |\n",
    "# ",
    "- ",
    "1. ",
    "> ",
    "🦆",
    "e\u0301",
    "\u200b",
]


def text_of(rng: random.Random) -> str:
    return "".join(rng.choice(ODD) if rng.random() < 0.5 else sentence(rng) for _ in range(rng.randrange(25)))


@pytest.mark.parametrize("seed", range(6))
def test_spans_are_ordered_apart_and_trimmed_and_leave_only_white_space(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(60):
        text = text_of(rng)
        at = 0
        for start, end in sentence_spans(text):
            assert at <= start < end <= len(text)
            assert not text[at:start].strip()
            assert text[start:end] == text[start:end].strip()
            at = end
        assert not text[at:].strip()


@pytest.mark.parametrize("seed", range(6))
def test_paragraphs_are_split_as_if_each_stood_alone(seed: int) -> None:
    rng = random.Random(100 + seed)
    for _ in range(30):
        parts = [paragraph(rng) for _ in range(rng.randint(1, 5))]
        apart = [p[s:e] for p in parts for s, e in sentence_spans(p)]
        text = "\n\n".join(parts)
        assert [text[s:e] for s, e in sentence_spans(text)] == apart


@pytest.mark.parametrize("seed", range(6))
def test_white_space_around_a_text_moves_the_spans_and_nothing_else(seed: int) -> None:
    rng = random.Random(200 + seed)
    for _ in range(30):
        text, lead = paragraph(rng), "\n" * rng.randint(1, 3)
        moved = [(s + len(lead), e + len(lead)) for s, e in sentence_spans(text)]
        assert sentence_spans(lead + text + "\n\n") == moved
