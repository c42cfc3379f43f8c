"""What routes are given, as types."""

from typing import Annotated

from fastapi import Depends, Path, Query, Request

from app.answering import Answering
from app.schemas import COLLECTION_PATTERN
from app.services import Services
from index.search import Collection


def _services(request: Request) -> Services:
    services = request.app.state.services
    assert isinstance(services, Services)
    return services


ServicesDep = Annotated[Services, Depends(_services)]


def _answering(services: ServicesDep) -> Answering:
    return services.answering


AnsweringDep = Annotated[Answering, Depends(_answering)]
CollectionName = Annotated[str, Query(pattern=COLLECTION_PATTERN, description="Name of a collection.")]
DocumentId = Annotated[str, Path(min_length=1, max_length=64)]


async def _collection(services: ServicesDep, collection: CollectionName = "default") -> Collection:
    return await services.answering.in_thread(lambda: services.library.get(collection))


CollectionDep = Annotated[Collection, Depends(_collection)]
