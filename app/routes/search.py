"""POST /search: hits alone. Needs no generator."""

from fastapi import APIRouter

from app.deps import AnsweringDep
from app.schemas import SearchIn, SearchOut

router = APIRouter(tags=["answers"])


@router.post("/search")
async def search(body: SearchIn, answering: AnsweringDep) -> SearchOut:
    """The passages nearest to a question; `leg` asks one retrieval leg alone, for diagnosis."""
    return SearchOut.of(await answering.search(body.collection, body.question, body.k, body.filters.value(), body.leg))
