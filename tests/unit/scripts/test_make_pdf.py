"""The line breaking of the sample PDF: both scripts, nothing lost, no mark where it must not stand."""

import random
import tomllib
from pathlib import Path

import pytest

from scripts.make_pdf import NOT_FIRST, NOT_LAST, pieces, wrap

ROOT = Path(__file__).parents[3]


def width(text: str) -> float:
    return float(sum(2 if char > "\u2e7f" else 1 for char in text))


def test_pieces_are_wide_characters_and_words() -> None:
    assert list(pieces("向量 vector search。")) == ["向", "量", " ", "vector ", "search", "。"]
    assert list(pieces("")) == []


def test_a_line_is_filled_and_words_stay_whole() -> None:
    assert wrap("one two three", 7, width) == ["one two", "three"]
    assert wrap("向量資料庫", 6, width) == ["向量資", "料庫"]


def test_closing_marks_do_not_begin_a_line_and_opening_ones_do_not_end_it() -> None:
    assert wrap("向量資，料", 6, width) == ["向量", "資，料"]
    assert wrap("向量「資料」", 6, width) == ["向量", "「資", "料」"]


def test_a_word_longer_than_the_line_stands_alone() -> None:
    assert wrap("a abcdefghij b", 4, width) == ["a", "abcdefghij", "b"]


def test_nothing_is_no_line() -> None:
    assert wrap("", 10, width) == []


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_lost_and_no_line_is_too_long(seed: int) -> None:
    rng = random.Random(seed)
    text = "".join(rng.choice("向量資料庫，。「」 ab cd e") for _ in range(200)).strip()
    lines = wrap(text, 20, width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(width(line) <= 20 + 2 * sum(c in NOT_FIRST | NOT_LAST for c in line) for line in lines)


def test_the_guide_has_what_the_script_needs() -> None:
    guide = tomllib.loads((ROOT / "scripts" / "four_routes.toml").read_text(encoding="utf-8"))
    assert all(guide[name] for name in ("title", "author", "date"))
    assert [s["label"] for s in guide["section"]] == ["i", "1", "2", "3", "4", "5", "6", "7", "8"]
    for section in guide["section"]:
        for block in section["text"].strip().split("\n\n"):
            if block.startswith("|"):
                assert len({line.count("|") for line in block.splitlines()}) == 1
