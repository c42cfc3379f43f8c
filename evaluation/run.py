"""Ask a running service every question of a set and count what came back."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from core.errors import Unavailable
from evaluation.datasets import Question
from evaluation.metrics import contains, percentile, rate


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one question got. `seconds` is the wall time of the request; `reply` the answer as `POST /ask` gave it."""

    question: Question
    reply: dict[str, Any]
    seconds: float

    @property
    def answered(self) -> bool:
        return bool(self.reply["status"] == "answered")

    @property
    def cited(self) -> bool:
        return any(c["source"] in self.question.gold_sources for c in self.reply["citations"])


def ask_all(
    questions: Sequence[Question],
    *,
    client: httpx.Client,
    collection: str,
    mode: str,
    model: str | None,
    clock: Callable[[], float] = time.perf_counter,
    progress: Callable[[Outcome], None] = lambda _: None,
) -> list[Outcome]:
    """One `POST /ask` after another. Raises Unavailable with the service's own words when it answers anything but 200."""
    outcomes = []
    for question in questions:
        body: dict[str, Any] = {"question": question.question, "collection": collection, "mode": mode}
        if model:
            body["model"] = model
        begin = clock()
        response = client.post("/ask", json=body)
        if response.status_code != 200:
            raise Unavailable(f"/ask answered {response.status_code} to {question.id}: {response.text[:300]}")
        outcome = Outcome(question, response.json(), clock() - begin)
        outcomes.append(outcome)
        progress(outcome)
    return outcomes


def summary(outcomes: Sequence[Outcome], fold: Callable[[str], str]) -> list[str]:
    """Lines of the report: rates with n and 95 % interval, and seconds at the median and the 95th percentile."""
    lines = []
    good = [o for o in outcomes if o.question.answerable]
    if good:
        n = len(good)
        right = sum(o.answered and contains(o.reply["answer"], o.question.answers, fold) for o in good)
        lines += [
            f"answerable n {n}",
            f"  answered  {rate(sum(o.answered for o in good), n)}",
            f"  contains  {rate(right, n)}",
            f"  cited     {rate(sum(o.cited for o in good), n)}",
            f"  generated {rate(sum(o.reply['mode'] == 'generated' for o in good), n)}",
        ]
    bad = [o for o in outcomes if not o.question.answerable]
    if bad:
        lines += [f"unanswerable n {len(bad)}", f"  false answers {rate(sum(o.answered for o in bad), len(bad))}"]
    seconds = [o.seconds for o in outcomes]
    if seconds:
        lines.append(f"seconds p50 {percentile(seconds, 0.5):.2f} p95 {percentile(seconds, 0.95):.2f}")
    return lines
