"""GET /collections: what there is to ask."""

from fastapi import APIRouter

from app.deps import ServicesDep
from app.schemas import CollectionOut, CollectionsOut
from app.services import collection_states

router = APIRouter(tags=["documents"])


@router.get("/collections")
async def collections(services: ServicesDep) -> CollectionsOut:
    """Every collection with its published generation and its counts."""
    states = await services.answering.in_thread(lambda: collection_states(services.library))
    return CollectionsOut(collections=[CollectionOut.model_validate(s) for s in states])
