"""Joining the two legs by evidence. Pure: numbers in, numbers out.

Plain reciprocal-rank fusion lets the leg that knows nothing drag the other down. Here each candidate has both scores, each leg is brought
to the same scale, and the lexical leg weighs as much as it can have read of the question.
"""

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]

DENSE_SPREAD = 0.05  # a difference of cosine that is worth a whole leg; about two deviations among a question's best passages


def fuse(dense: Scores, lexical: Scores, speaks: float) -> Scores:
    """Fused score in 0..1 of each candidate.

    `dense`: cosines (n,); `lexical`: BM25 >= 0 (n,), 0 where no term matched; `speaks`: share of the question's
    weight that exists in the index.
    """
    if len(dense) == 0:
        return dense
    by_meaning = np.clip(1 - (dense.max() - dense) / (4 * DENSE_SPREAD), 0, 1)
    best = float(lexical.max())
    by_words = lexical / best if best > 0 else np.zeros_like(lexical)
    weight = 0.5 * speaks
    return np.asarray((1 - weight) * by_meaning + weight * by_words, dtype=np.float32)
