"""The evaluation's measures over random counts and values."""

import random

import opencc
import pytest

from evaluation.metrics import contains, percentile, wilson
from index.tokens import fold
from tests.property.text import paragraph


@pytest.mark.parametrize("seed", range(5))
def test_an_interval_holds_the_proportion_mirrors_and_narrows(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(100):
        n = rng.randint(1, 2_000)
        k = rng.randint(0, n)
        low, high = wilson(k, n)
        assert 0.0 <= low <= k / n + 1e-12
        assert k / n - 1e-12 <= high <= 1.0
        assert wilson(n - k, n) == pytest.approx((1 - high, 1 - low))
        narrow = wilson(4 * k, 4 * n)
        assert narrow[1] - narrow[0] < high - low
        assert k == n or wilson(k + 1, n) > (low, high)


@pytest.mark.parametrize("seed", range(5))
def test_a_percentile_is_one_of_the_values_and_has_its_share_below(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(100):
        values = [rng.choice([rng.uniform(-5, 5), float(rng.randint(0, 3))]) for _ in range(rng.randint(1, 60))]
        shares = sorted(rng.random() for _ in range(5))
        found = [percentile(values, share) for share in shares]
        assert found == sorted(found)
        for share, value in zip(shares, found, strict=True):
            assert value in values
            assert sum(v <= value for v in values) >= share * len(values) - 1e-9
        assert (percentile(values, 0), percentile(values, 1)) == (min(values), max(values))


@pytest.mark.parametrize("seed", range(5))
def test_a_gold_cut_from_the_answer_is_contained_in_any_script_case_and_spacing(seed: int) -> None:
    rng = random.Random(seed)
    simplify = opencc.OpenCC("t2s")
    for _ in range(40):
        answer = paragraph(rng)
        start = rng.randrange(len(answer))
        gold = answer[start : start + rng.randint(1, 12)].strip()
        if gold:
            forms = [gold, gold.upper(), simplify.convert(gold), "  ".join(gold)]
            assert all(contains(answer, ["never said at all", form], fold) for form in forms)
        assert not contains(answer, ["", gold + "\u2603"], fold)
