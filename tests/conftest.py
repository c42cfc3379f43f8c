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


@pytest.fixture(scope="session", autouse=True)
def root_level() -> int:
    """The level of the root logger before any test."""
    return logging.getLogger().level


@pytest.fixture(autouse=True)
def root_logger_restored(root_level: int) -> Iterator[None]:
    """A command under test, or in a fixture of many tests, sets up the process's logs; every test finds them as they were."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    root.setLevel(root_level)
    yield
    root.handlers[:] = handlers
    root.setLevel(root_level)
