"""The composition root of the API: settings in, a running application out. Nothing is made at import."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app import errors
from app.generator import HttpGenerator
from app.limits import BodyLimit, RequestContext
from app.routes import ask, collections, documents, health, openai, page, search
from app.services import Services, assemble
from core.settings import Settings
from index.embedder import open_embedder
from index.search import Library
from models.packs import PACKS
from models.weights import variant_of, weights_dir

logger = logging.getLogger(__name__)
VERSION = "0.1.0"


def create_app(services: Services) -> FastAPI:
    """The application over the given services; it starts and stops the generator's probing and owns nothing else."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await services.generator.start()
        yield
        await services.generator.close()

    # No /docs: its page loads scripts from elsewhere. The contract itself is at /openapi.json.
    app = FastAPI(title="Domain QA", version=VERSION, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.services = services
    errors.install(app)
    for part in (ask, search, collections, documents, openai, health, page):
        app.include_router(part.router)
    app.add_middleware(BodyLimit)
    app.add_middleware(RequestContext, metrics=services.metrics)  # added last: outermost
    return app


def build_services(settings: Settings) -> Services:
    """Load the embedder and point at data and generator. PackError when the embedder's weights are not on this machine."""
    embedder = open_embedder(weights_dir(settings.embedder, settings), backend=settings.embedder_backend, threads=settings.threads)
    allowed = tuple(name.strip() for name in settings.generator_models.split(",") if name.strip())
    generator = HttpGenerator(
        settings.generator_url,
        key=settings.generator_key,
        allowed=allowed,
        known=known_generators(settings.generator),
        first_token_s=settings.first_token_seconds,
        total_s=settings.answer_seconds,
    )
    return assemble(settings, Library(settings.data_dir, embedder), generator, embedder.id)


def known_generators(name: str) -> tuple[str, ...]:
    """Models to list before the server was first seen: the pack that `python -m models serve` starts. Of a folder nothing is known."""
    pack = variant_of(name).partition(":")[0]
    return (pack,) if pack in PACKS else ()
