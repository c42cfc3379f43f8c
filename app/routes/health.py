"""Alive, ready, counted.

/health   the process answers; says nothing of its parts, so that a dead model server never restarts the service
/ready    each part by itself; 503 only when no answer of any kind can be given, that is without any collection
/metrics  for Prometheus
"""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from app.deps import ServicesDep
from app.services import CollectionState, collection_states, index_status

router = APIRouter(tags=["operation"])


@router.get("/health")
async def health() -> dict[str, str]:
    """The process is alive."""
    return {"status": "ok"}


@router.get("/ready", response_model=None)
async def ready(services: ServicesDep) -> JSONResponse:
    """The state of index, embedder and generator. Without the generator answers are quotes, which is ready still."""
    states = await services.answering.in_thread(lambda: collection_states(services.library))
    index = index_status(states)
    generator = services.generator.state
    collections = {s.name: s.problem or _counts(s) for s in states}
    body: dict[str, Any] = {
        "status": "ready" if index == "ready" else "not ready",
        "answers": ("generated" if generator == "ready" else "extractive") if index == "ready" else "none",
        "index": {"status": index, "collections": collections},
        "embedder": {"status": "ready", "id": services.embedder_id},
        "generator": {"status": generator, "models": list(services.generator.models())},
    }
    if index == "empty":
        body["remedy"] = "nothing is indexed yet: run python -m ingest DIR"
    elif any(s.damaged for s in states):
        body["remedy"] = "damaged generations are passed over, earlier ones are served: run python -m ingest DIR to build them again"
    return JSONResponse(body, status_code=200 if index == "ready" else 503, headers={"Cache-Control": "no-store"})


def _counts(state: CollectionState) -> dict[str, Any]:
    """A collection that is served; `damaged` only when a newer generation had to be passed over."""
    counts: dict[str, Any] = {"generation": state.generation, "documents": state.documents, "passages": state.passages}
    return counts | ({"damaged": list(state.damaged)} if state.damaged else {})


@router.get("/metrics", response_model=None)
async def metrics(services: ServicesDep) -> Response:
    """Counts and times in Prometheus' text format."""
    services.metrics.generator_up.set(services.generator.state == "ready")
    return Response(services.metrics.text(), media_type=CONTENT_TYPE_LATEST)
