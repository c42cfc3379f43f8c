"""Logging set up once by a program: one line an event on standard error, `key=value` after the message."""

import logging
import sys
import time


class _Formatter(logging.Formatter):
    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - the library's name
        return time.strftime(datefmt or "%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))


def set_up_logs(level: str) -> None:
    """Send our log records of `level` and above to standard error. Replaces handlers set earlier."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("httpx", "httpcore", "pypdf", "trafilatura", "sentence_transformers", "transformers"):
        logging.getLogger(noisy).setLevel("ERROR")
