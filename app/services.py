"""Everything a request may need, made once by the composition root and handed down. No web framework here."""

from dataclasses import dataclass
from typing import Literal

from app.answering import Answering
from app.generator import Generator
from app.metrics import Metrics
from core.errors import QaError
from core.settings import Settings
from index.search import Library

IndexStatus = Literal["ready", "empty", "damaged"]


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of a running service. `embedder_id` names the embedder the library was opened with."""

    settings: Settings
    library: Library
    generator: Generator
    embedder_id: str
    metrics: Metrics
    answering: Answering


@dataclass(frozen=True, slots=True)
class CollectionState:
    """A collection as it stands: `problem` is the type of the error that keeps it from being opened, or empty.

    `damaged`: numbers of newer generations that are not served because they are not what was written.
    """

    name: str
    generation: int
    documents: int
    passages: int
    problem: str = ""
    damaged: tuple[int, ...] = ()


def assemble(settings: Settings, library: Library, generator: Generator, embedder_id: str) -> Services:
    """Services around the given parts."""
    metrics = Metrics()
    return Services(settings, library, generator, embedder_id, metrics, Answering(library, generator, settings, metrics=metrics))


def collection_states(library: Library) -> list[CollectionState]:
    """Every collection by name, those that cannot be opened included. Synchronous."""
    states = []
    for name in library.names():
        try:
            collection = library.get(name)
            records = [r for r in collection.documents() if not r.deleted]
            passages = sum(r.passages for r in records)
            states.append(CollectionState(name, collection.generation, len(records), passages, damaged=collection.damaged))
        except QaError as error:
            states.append(CollectionState(name, 0, 0, 0, error.type))
    return states


def index_status(states: list[CollectionState]) -> IndexStatus:
    """`empty`: nothing was ingested yet; `damaged`: there are collections and none can be opened."""
    if any(not s.problem for s in states):
        return "ready"
    return "damaged" if states else "empty"
