import math

import pytest

from evaluation.metrics import contains, percentile, rate, wilson


def fold(text: str) -> str:
    return text.lower()


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(28, 40, 0.5457, 0.8193), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (1, 2, 0.0945, 0.9055)],
)
def test_wilson_agrees_with_published_values(successes: int, n: int, low: float, high: float) -> None:
    assert wilson(successes, n) == (pytest.approx(low, abs=5e-4), pytest.approx(high, abs=5e-4))


def test_wilson_of_nothing_says_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


def test_wilson_refuses_impossible_counts() -> None:
    with pytest.raises(ValueError, match="3 successes of 2"):
        wilson(3, 2)


@pytest.mark.parametrize("n", [1, 5, 40, 1000])
def test_the_interval_narrows_and_holds_the_rate(n: int) -> None:
    low, high = wilson(n // 2, n)
    assert low <= (n // 2) / n <= high
    wide_low, wide_high = wilson(n // 2 * 4, n * 4)
    assert wide_high - wide_low < high - low


def test_percentile_is_the_nearest_rank() -> None:
    values = [5.0, 1.0, 3.0, 2.0, 4.0]
    assert [percentile(values, s) for s in (0.0, 0.2, 0.5, 0.95, 1.0)] == [1.0, 1.0, 3.0, 5.0, 5.0]


def test_percentile_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 0.5)


@pytest.mark.parametrize(
    ("answer", "golds", "right"),
    [
        ("The tower is 828 m tall.", ["828 m"], True),
        ("the TOWER", ["Tower"], True),
        ("共 五 盤", ["五盤"], True),
        ("四盤", ["五盤", "五"], False),
        ("anything", [], False),
        ("anything", [""], False),
    ],
)
def test_contains_ignores_case_and_spaces_but_not_content(answer: str, golds: list[str], right: bool) -> None:
    assert contains(answer, golds, fold) is right


def test_rate_shows_what_it_was_counted_from() -> None:
    assert rate(28, 40) == "0.700 [0.546, 0.819] (28/40)"
    assert rate(0, 0).startswith(f"{math.nan:.3f}")
