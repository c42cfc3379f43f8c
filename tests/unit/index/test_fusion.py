"""Fusion as a rule: what more evidence does to a candidate, whatever the numbers."""

import random

import numpy as np
import pytest
from numpy.typing import NDArray

from index.fusion import LEAST_SPREAD, MOST_SPREAD, UNKNOWN_SPREAD, fuse, spread_of


def scores(*values: float) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32)


def test_without_a_word_in_common_the_order_is_that_of_the_meaning() -> None:
    fused = fuse(scores(0.8, 0.9, 0.7), scores(0, 0, 0), weight=0.0, speaks=0.0, spread=0.03)
    assert list(np.argsort(-fused)) == [1, 0, 2]
    assert fused[1] == pytest.approx(0.5)


def test_at_equal_meaning_the_order_is_that_of_the_words() -> None:
    fused = fuse(scores(0.8, 0.8, 0.8), scores(1, 3, 2), weight=10.0, speaks=1.0, spread=0.03)
    assert list(np.argsort(-fused)) == [1, 2, 0]


def test_a_leg_that_cannot_read_the_question_has_no_say() -> None:
    dense, words = scores(0.84, 0.80), scores(0, 5)
    assert fuse(dense, words, weight=60.0, speaks=0.02, spread=0.02).argmax() == 0
    assert fuse(dense, words, weight=6.0, speaks=1.0, spread=0.02).argmax() == 1


def test_more_evidence_never_lowers_a_candidate() -> None:
    rng = random.Random(1)
    for _ in range(200):
        n = rng.randint(2, 30)
        dense = scores(*(rng.uniform(0.7, 0.9) for _ in range(n)))
        words = scores(*(rng.choice([0.0, rng.uniform(0, 20)]) for _ in range(n)))
        weight, speaks, spread = rng.uniform(1, 60), rng.random(), rng.uniform(0.01, 0.2)
        fused = fuse(dense, words, weight=weight, speaks=speaks, spread=spread)
        place = rng.randrange(n)
        more = words.copy()
        more[place] += 1
        assert fuse(dense, more, weight=weight, speaks=speaks, spread=spread)[place] >= fused[place]
        assert np.all((fused >= 0) & (fused <= 1))


def test_the_order_does_not_depend_on_the_embedders_scale() -> None:
    dense, words = scores(0.80, 0.83, 0.86), scores(4, 2, 0)
    narrow = fuse(dense, words, weight=8.0, speaks=1.0, spread=0.02)
    wide = fuse(dense * 3 - 2, words, weight=8.0, speaks=1.0, spread=0.06)
    assert narrow == pytest.approx(wide, abs=1e-4)


def test_nothing_found_is_nothing_fused() -> None:
    assert len(fuse(scores(), scores(), weight=1.0, speaks=1.0, spread=0.03)) == 0


def test_spread_is_that_of_the_collection_within_bounds() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((400, 64)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert spread_of(vectors) == pytest.approx(1 / 8, rel=0.1)  # random directions: 1 / sqrt(d)
    assert spread_of(vectors[:2]) == UNKNOWN_SPREAD
    assert spread_of(np.repeat(vectors[:1], 10, axis=0)) == pytest.approx(LEAST_SPREAD)
    assert spread_of(np.concatenate([vectors[:5], -vectors[:5]])) == pytest.approx(MOST_SPREAD)
