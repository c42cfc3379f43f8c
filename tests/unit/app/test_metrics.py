"""Counts belong to one service and never hold what was asked."""

from dataclasses import replace

from app.metrics import Metrics
from core.types import Timings, Usage
from tests.unit.app.test_streams import ANSWER


def test_answers_are_counted_by_outcome() -> None:
    metrics = Metrics()
    metrics.answered(ANSWER)
    metrics.answered(replace(ANSWER, status="no_evidence", reason="no_hits", usage=Usage()))
    text = metrics.text().decode()
    assert 'qa_answers_total{mode="generated",reason="none",status="answered"} 1.0' in text
    assert 'qa_answers_total{mode="generated",reason="no_hits",status="no_evidence"} 1.0' in text
    assert 'qa_tokens_total{kind="prompt"} 10.0' in text
    assert ANSWER.answer not in text


def test_times_are_seconds() -> None:
    metrics = Metrics()
    metrics.answered(replace(ANSWER, timings=Timings(embed_ms=500, search_ms=500, first_token_ms=2000, total_ms=4000)))
    text = metrics.text().decode()
    assert "qa_search_seconds_sum 1.0" in text
    assert "qa_first_token_seconds_sum 2.0" in text
    assert 'qa_answer_seconds_sum{mode="generated"} 4.0' in text


def test_two_services_do_not_share_counts() -> None:
    one, other = Metrics(), Metrics()
    one.answered(ANSWER)
    assert "qa_answers_total{" not in other.text().decode()
