"""Is there enough evidence to answer at all? A first honest rule over what the search knows; pure.

No single similarity separates what documents can answer from what they cannot, so several signs are joined: how near the best
passage is in meaning, how far it stands out, and how much of the question's rare words it holds. The words only count as far as the
lexical leg speaks the passages' language.
"""

from index.records import Evidence

FAR, NEAR = 0.78, 0.90  # cosines of the default embedder: unrelated text, and text that surely speaks of the same thing


def evidence_score(evidence: Evidence) -> float:
    """0 (nothing speaks for it) to 1. Compare with `Settings.evidence_threshold`."""
    near = min(1.0, max(0.0, (evidence.top_dense - FAR) / (NEAR - FAR)))
    spoken = min(1.0, max(0.0, evidence.lexical_speaks))
    by_words = 0.65 * evidence.coverage + 0.35 * near
    return spoken * by_words + (1.0 - spoken) * near


def sufficient(evidence: Evidence, threshold: float) -> bool:
    return evidence_score(evidence) >= threshold
