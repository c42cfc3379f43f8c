"""A published collection on the fake embedder."""

from pathlib import Path

import pytest

from index.fakes import FakeEmbedder
from tests.unit.index.corpus import published


@pytest.fixture
def embedder() -> FakeEmbedder:
    return FakeEmbedder()


@pytest.fixture
def folder(tmp_path: Path, embedder: FakeEmbedder) -> Path:
    """The folder of a collection with one generation of CORPUS."""
    assert published(tmp_path / "default", embedder) == 1
    return tmp_path / "default"
