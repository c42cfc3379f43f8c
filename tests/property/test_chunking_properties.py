"""Passages of random Markdown: slices of the text, each of one section, none too long, and together all there is to read."""

import random

import pytest

from core.types import Document, Passage
from index.fakes import FakeEmbedder
from ingest.chunking import cut
from ingest.loaders.markdown import from_markdown
from ingest.loaders.parsed import Parsed
from tests.property.text import WORDS, han, paragraph, sentence

COUNT = FakeEmbedder().count_tokens
SEEDS = range(24)


def table(rng: random.Random) -> str:
    columns = rng.randint(1, 4)
    rows = [[han(rng, 1, 6) if rng.random() < 0.5 else rng.choice(WORDS) for _ in range(columns)] for _ in range(rng.randint(1, 25))]
    head = "| " + " | ".join(f"欄{n}" for n in range(columns)) + " |\n|" + "---|" * columns
    return "\n".join([head, *("| " + " | ".join(row) + " |" for row in rows)])


def listing(rng: random.Random) -> str:
    return "\n".join(f"{rng.choice(['-', '*', f'{n}.'])} {sentence(rng).strip()}" for n in range(1, rng.randint(2, 9)))


def code(rng: random.Random) -> str:
    return "```\n" + "\n".join(f"{' ' * rng.choice([0, 4])}value_{n} = {rng.randrange(99)}" for n in range(rng.randint(1, 20))) + "\n```"


def markdown(rng: random.Random) -> str:
    """A document of 1 to 8 sections, levels as they come, each section with its number in its heading."""
    parts: list[str] = []
    for number in range(rng.randint(1, 8)):
        parts.append(f"{'#' * rng.randint(1, 4)} 節{number} {rng.choice(WORDS)}")
        parts += [rng.choice([paragraph, paragraph, listing, table, code])(rng) for _ in range(rng.randrange(4))]
    return "\n\n".join(parts) + "\n"


def made(seed: int) -> tuple[Parsed, list[Passage], int]:
    rng = random.Random(seed)
    parsed, most = from_markdown(markdown(rng)), rng.choice([8, 24, 60, 224])
    document = Document("d" * 16, "a.md", parsed.title, "text/markdown", parsed.text, parsed.pages, "a1b2c3d4" * 8)
    return parsed, cut(document, parsed, COUNT, most), most


@pytest.mark.parametrize("seed", SEEDS)
def test_every_passage_is_a_slice_in_order_and_within_the_limit(seed: int) -> None:
    parsed, passages, most = made(seed)
    assert [p.ordinal for p in passages] == list(range(len(passages)))
    assert len({p.id for p in passages}) == len(passages)
    assert all(a.end <= b.start for a, b in zip(passages, passages[1:], strict=False))
    for p in passages:
        assert parsed.text[p.start : p.end] == p.text
        assert p.token_count == COUNT([p.text])[0] <= most


@pytest.mark.parametrize("seed", SEEDS)
def test_no_passage_reaches_over_a_heading(seed: int) -> None:
    parsed, passages, _ = made(seed)
    headings = [b for b in parsed.blocks if b.kind == "heading"]
    for p in passages:
        inside = [b for b in headings if p.start < b.end and b.start < p.end]
        assert not inside or (len(inside) == 1 and inside[0].start <= p.start and p.end <= inside[0].end)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_passage_carries_the_heading_it_stands_below(seed: int) -> None:
    parsed, passages, _ = made(seed)
    headings = [b for b in parsed.blocks if b.kind == "heading"]
    for p in passages:
        above = [b for b in headings if b.end <= p.start]
        if above and not any(b.start <= p.start < b.end for b in headings):
            assert above[-1].label in p.headings


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_to_read_is_lost(seed: int) -> None:
    parsed, passages, _ = made(seed)
    covered = {n for p in passages for n in range(p.start, p.end)}
    for block in parsed.blocks:
        if block.kind != "heading":
            assert all(n in covered or parsed.text[n].isspace() for n in range(block.start, block.end))
