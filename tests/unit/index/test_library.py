"""All collections of a data folder: found when they appear, apart from each other, followed when they change."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import EmbedderMismatch, NotFound
from index.fakes import FakeEmbedder
from index.search import Library
from tests.unit.index.corpus import CORPUS, published


@pytest.fixture
def library(folder: Path, embedder: FakeEmbedder) -> Iterator[Library]:
    library = Library(folder.parent, embedder, every=0)
    yield library
    library.close()


def test_a_collection_that_appears_later_is_found(library: Library, embedder: FakeEmbedder) -> None:
    assert library.names() == ["default"]
    with pytest.raises(NotFound):
        library.get("other")
    published(library.data_dir / "other", embedder, {"b.txt": "other words"})
    assert library.names() == ["default", "other"]
    assert library.get("other").search("words", k=1).hits[0].source == "b.txt"


def test_collections_do_not_see_each_other(library: Library, embedder: FakeEmbedder) -> None:
    published(library.data_dir / "other", embedder, {"secret.txt": "PPR-9087 canary"})
    assert all(h.source != "secret.txt" for h in library.get("default").search("PPR-9087 canary", k=50).hits)


def test_the_same_collection_is_opened_once_and_follows_publications(library: Library, embedder: FakeEmbedder) -> None:
    first = library.get("default")
    published(library.data_dir / "default", embedder, CORPUS | {"new.txt": "brand new"})
    assert library.get("default") is first
    assert first.generation == 2


@pytest.mark.parametrize("name", ["", "..", "../default", "default/", "Default", "a" * 65, "default\x00", "-x", "generations/../default"])
def test_a_name_that_no_collection_can_have_is_not_found(library: Library, name: str) -> None:
    with pytest.raises(NotFound):
        library.get(name)


def test_a_data_folder_that_is_not_there_holds_nothing(tmp_path: Path, embedder: FakeEmbedder) -> None:
    library = Library(tmp_path / "missing", embedder)
    assert library.names() == []
    with pytest.raises(NotFound):
        library.get("default")


def test_a_collection_of_another_embedder_is_refused(folder: Path) -> None:
    with pytest.raises(EmbedderMismatch, match="--full"):
        Library(folder.parent, FakeEmbedder(64, name="other"), every=0).get("default")


def test_the_watching_thread_swaps_without_being_asked(folder: Path, embedder: FakeEmbedder) -> None:
    library = Library(folder.parent, embedder, every=0.01)
    collection = library.get("default")
    published(folder, embedder, CORPUS | {"new.txt": "brand new"})
    deadline = time.monotonic() + 10
    while collection.generation != 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert collection.generation == 2
    library.close()
