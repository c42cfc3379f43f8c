"""Terms and figures: what counts as the same, and what must not be invented."""

import pytest

from app.words import all_numbers, figures, fold, terms


@pytest.mark.parametrize(
    ("one", "other"),
    [("網路", "网路"), ("ＧＰＵ", "gpu"), ("passages", "passage"), ("The pump", "pump"), ("什麼是網球？", "網球")],
)
def test_terms_are_the_same(one: str, other: str) -> None:
    assert terms(fold(one)) == terms(fold(other))


def test_han_runs_give_pairs_and_questions_words_give_nothing() -> None:
    assert terms(fold("網球比賽")) == {"网球", "球比", "比赛"}
    assert terms(fold("為什麼呢？")) == frozenset()
    assert terms(fold("What is it?")) == frozenset()


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1,234.50 元", {"1234.5"}),
        ("一九四五年", {"1945"}),
        ("三百二十人", {"320"}),
        ("五盤", {"5"}),
        ("seven sets", {"7"}),
        ("2024-05-01", {"2024", "5", "1"}),
        ("一萬兩千", {"12000"}),
    ],
)
def test_numbers_in_any_writing(text: str, numbers: set[str]) -> None:
    assert numbers <= all_numbers(fold(text))


def test_claimed_figures_leave_out_small_numerals_that_are_words() -> None:
    assert figures(fold("這一個系統的兩者")).numbers == frozenset()
    assert figures(fold("一九四五年")).numbers == {"1945"}
    assert figures(fold("PPR-9087 at 3.5 bar")).numbers == {"3.5"}
    assert figures(fold("PPR-9087 at 3.5 bar")).identifiers == {"ppr-9087"}


def test_missing_figures_are_named() -> None:
    claimed = figures(fold("W8A8 runs 24 tokens, see https://a.example/b"))
    assert claimed.missing_from(fold("w8a8 runs 24 tokens")) == ("https://a.example/b",)
    assert claimed.missing_from(fold("bf16 runs 11 tokens")) == ("24", "https://a.example/b", "w8a8")
