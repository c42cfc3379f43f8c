"""Measures of answers and refusals. Pure functions of values; nothing here reads a file or a clock."""

import math
from collections.abc import Callable, Sequence

Z95 = 1.959963984540054
"""Standard normal quantile of a two-sided 95 % interval."""


def wilson(successes: int, n: int) -> tuple[float, float]:
    """95 % interval of a proportion (Wilson 1927), each bound in 0..1; (0, 1) when n is 0. Raises ValueError if successes > n."""
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}")
    if n == 0:
        return 0.0, 1.0
    p, z2 = successes / n, Z95 * Z95
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0..1) of `values` lie, nearest rank. Raises ValueError on an empty sequence."""
    if not values:
        raise ValueError("percentile of nothing")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]


def contains(answer: str, golds: Sequence[str], fold: Callable[[str], str]) -> bool:
    """Whether any gold answer stands in `answer` once both are folded (script, width, case) and spaces are gone."""
    text = "".join(fold(answer).split())
    return any(bool(gold) and "".join(fold(gold).split()) in text for gold in golds)


def rate(successes: int, n: int) -> str:
    """`0.700 [0.546, 0.819] (28/40)`: a proportion with its 95 % interval and what it was counted from."""
    low, high = wilson(successes, n)
    return f"{successes / n if n else math.nan:.3f} [{low:.3f}, {high:.3f}] ({successes}/{n})"
