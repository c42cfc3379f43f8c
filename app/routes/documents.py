"""Documents of a collection: list, read, delete."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.deps import AnsweringDep, CollectionDep, CollectionName, DocumentId
from app.schemas import DocumentOut, DocumentsOut, DocumentTextOut

router = APIRouter(prefix="/documents", tags=["documents"])


@router.get("")
async def documents(
    answering: AnsweringDep,
    index: CollectionDep,
    collection: CollectionName = "default",
    offset: Annotated[int, Query(ge=0)] = 0,
    count: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> DocumentsOut:
    """What is in the index, by source; `count` documents from `offset`."""
    records = await answering.in_thread(lambda: sorted((r for r in index.documents() if not r.deleted), key=lambda r: r.source))
    shown = [DocumentOut.of(r) for r in records[offset : offset + count]]
    return DocumentsOut(collection=collection, generation=index.generation, total=len(records), documents=shown)


@router.get("/{document_id}")
async def document(document_id: DocumentId, answering: AnsweringDep, index: CollectionDep) -> DocumentTextOut:
    """One document with its text and pages."""
    return DocumentTextOut.of(await answering.in_thread(lambda: index.document(document_id)))


@router.delete("/{document_id}", status_code=204)
async def delete(document_id: DocumentId, answering: AnsweringDep, index: CollectionDep) -> None:
    """Take a document out of the answers at once; the next ingest takes it out of the index."""
    await answering.in_thread(lambda: index.delete(document_id))
