"""What Prometheus may ask: one registry a service, so that two services in one process do not share counts."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from core.types import Answer

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60)


class Metrics:
    """Counts and times of requests and answers."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("qa_requests_total", "HTTP requests.", ("method", "route", "status"), registry=self.registry)
        self.request_seconds = Histogram("qa_request_seconds", "Time of a request.", ("route",), buckets=_SECONDS, registry=self.registry)
        self.answers = Counter("qa_answers_total", "Answers given.", ("status", "mode", "reason"), registry=self.registry)
        self.answer_seconds = Histogram("qa_answer_seconds", "Time of an answer.", ("mode",), buckets=_SECONDS, registry=self.registry)
        self.search_seconds = Histogram(
            "qa_search_seconds", "Time of search, embedding included.", buckets=_SECONDS, registry=self.registry
        )
        self.first_token_seconds = Histogram("qa_first_token_seconds", "Wait for the model.", buckets=_SECONDS, registry=self.registry)
        self.tokens = Counter("qa_tokens_total", "Tokens of prompts and answers.", ("kind",), registry=self.registry)
        self.asks_running = Gauge("qa_asks_running", "Questions being answered now.", registry=self.registry)
        self.generator_up = Gauge("qa_generator_up", "1 while the model server answers.", registry=self.registry)

    def answered(self, answer: Answer) -> None:
        """Count one finished answer."""
        timings = answer.timings
        self.answers.labels(answer.status, answer.mode, answer.reason or "none").inc()
        self.answer_seconds.labels(answer.mode).observe(timings.total_ms / 1000)
        self.search_seconds.observe((timings.embed_ms + timings.search_ms) / 1000)
        if timings.first_token_ms:
            self.first_token_seconds.observe(timings.first_token_ms / 1000)
        self.tokens.labels("prompt").inc(answer.usage.prompt_tokens)
        self.tokens.labels("completion").inc(answer.usage.completion_tokens)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)
