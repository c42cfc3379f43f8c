"""Joining the two legs by evidence. Pure: numbers in, numbers out.

Plain reciprocal-rank fusion lets the leg that knows nothing drag the other down. Here every candidate has both scores, and each is brought
to a scale that means the same for every question:

- by meaning: how far its cosine is below the best one, in units of the spread of cosines among the collection's own passages;
- by words: its BM25 score as a share of the weight of the whole question, terms that no passage has included. A passage that has one
  chance word of a question in another language gets little, one that has them all gets much.

The words then count in full once the index knows `SPEAKS_FROM` of the question's weight, and less below: the lexical leg does not speak the
question's language there. Both constants lie on a plateau (evaluation/LOG.md, 2026-11-25).
"""

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]

WORDS_WEIGHT = 4.0  # spreads of cosine that a full match by words is worth
SPEAKS_FROM = 0.4  # share of the question's weight that the index must know for its words to count in full
LEAST_SPREAD, MOST_SPREAD = 0.01, 0.2
UNKNOWN_SPREAD = 0.03  # for a collection too small to have one
_SAMPLE = 500


def fuse(dense: Scores, lexical: Scores, *, weight: float, speaks: float, spread: float) -> NDArray[np.float64]:
    """Fused score in 0..1 of each candidate: 0.5 for the best by meaning without a word in common, more the more words support it.

    `dense`: cosines (n,); `lexical`: BM25 >= 0 (n,), 0 where no term matched; `weight`: summed idf of the question's terms;
    `speaks`: share of it whose terms the index has, 0..1; `spread`: of `spread_of`.
    """
    if len(dense) == 0:
        return np.empty(0, dtype=np.float64)
    by_meaning = (dense.astype(np.float64) - float(dense.max())) / spread
    by_words = lexical.astype(np.float64) / weight if weight > 0 else np.zeros(len(dense))
    evidence = by_meaning + WORDS_WEIGHT * min(1.0, speaks / SPEAKS_FROM) * by_words
    return np.asarray(1 / (1 + np.exp(-evidence / 2)), dtype=np.float64)


def spread_of(vectors: Scores) -> float:
    """Standard deviation of the cosines among a collection's passages (n, d), from a sample: the unit in which cosines differ there."""
    if len(vectors) < 3:
        return UNKNOWN_SPREAD
    sample = vectors[:: max(1, len(vectors) // _SAMPLE)][:_SAMPLE]
    cosines = (sample @ sample.T)[np.triu_indices(len(sample), 1)]
    return float(np.clip(cosines.std(), LEAST_SPREAD, MOST_SPREAD))
