"""Fixtures shared by all tests."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.settings import read_settings
from models.pull import pull


@pytest.fixture(scope="session")
def embedder_folder() -> Path:
    """Weights of the default embedder, pulled when they are not on this machine. For tests marked `real`."""
    return pull(["multilingual-e5-small"], read_settings())[0]


@pytest.fixture(autouse=True)
def root_logger_restored() -> Iterator[None]:
    """A command under test sets up the process's logs; the next test finds them as they were."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
