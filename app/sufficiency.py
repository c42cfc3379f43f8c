"""Is there enough evidence to answer at all? A first honest rule; pure.

No single similarity separates what documents can answer from what they cannot. Joined by a logistic curve are: how much of what
the question says stands in the best passage, how far that passage stands out from the others in meaning, and whether meaning and
words chose the same one. No absolute cosine is used, so that the rule does not belong to one embedder. Where question and passage
are of different languages, words cannot agree and only standing out is left.

Weights fitted on DRCD, CMRC 2018 and XQuAD with half of the passages taken out of the index, and on trivia that no passage
answers (782 questions, multilingual-e5-small): area under the curve .95, across languages .86.
"""

import math
from collections.abc import Sequence

from app.words import fold, is_han, terms
from core.types import Hit
from index.records import Evidence, embedded_text

WIDEST_GAP = 0.1  # a passage that stands out further is not more certain for it
_COVERED, _GAP, _AGREED, _BASE = 7.6, 24.0, 0.95, -4.7
_FOREIGN_GAP, _FOREIGN_BASE = 110.0, -2.9


def evidence_score(question: str, hits: Sequence[Hit], evidence: Evidence) -> float:
    """0 (nothing speaks for it) to 1. Compare with `Settings.evidence_threshold`."""
    if not hits:
        return 0.0
    gap = min(WIDEST_GAP, evidence.dense_gap)
    best = embedded_text(hits[0].title, hits[0].passage)
    if is_han(question) != is_han(best) and evidence.coverage < 0.3:
        return _logistic(_FOREIGN_GAP * gap + _FOREIGN_BASE)
    return _logistic(_COVERED * coverage(question, best) + _GAP * gap + _AGREED * evidence.agreement + _BASE)


def coverage(question: str, text: str) -> float:
    """Share of the question's content terms that stand in the text, 0..1; 0 for a question without any."""
    asked = terms(fold(question))
    return len(asked & terms(fold(text))) / len(asked) if asked else 0.0


def _logistic(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))
