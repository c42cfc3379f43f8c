"""Fixtures shared by all tests."""

from pathlib import Path

import pytest

from core.settings import read_settings
from models.pull import pull


@pytest.fixture(scope="session")
def embedder_folder() -> Path:
    """Weights of the default embedder, pulled when they are not on this machine. For tests marked `real`."""
    return pull(["multilingual-e5-small"], read_settings())[0]
