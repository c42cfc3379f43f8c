"""A whole service in one process: a real index over a temporary folder, the fake embedder, the fake generator."""

import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from app.fakes import FakeGenerator
from app.generator import Generator
from app.main import create_app
from app.services import Services, assemble
from core.settings import Settings
from core.types import Document, Page, Passage
from index.fakes import FakeEmbedder
from index.search import Library
from index.writer import Entry, Writer

TENNIS = (
    "一場網球比賽一般由一至五盤比賽構成，而每一盤又分數局。率先贏得規定局數的選手贏得一盤。",
    "網球每局的記分方法：從0至3分分別為「零」、「十五」、「三十」和「四十」。發球手的得分在前。",
)
PUMP = (
    "The pump PPR-9087 delivers 120 litres per minute at 3.5 bar. It must be serviced every 500 hours.",
    "Before opening the housing, close valve V2 and wait until the gauge shows zero. Wear gloves.",
)
SIMPLIFIED = ("深度学习框架的默认学习率是0.001。训练数据需要先清洗。",)

Client = httpx.AsyncClient
Connect = Callable[..., AbstractAsyncContextManager[Client]]


def entry(source: str, title: str, paragraphs: tuple[str, ...]) -> Entry:
    """A document of one page a paragraph, one passage each."""
    text = "\n\n".join(paragraphs)
    document_id = hashlib.sha256(source.encode()).hexdigest()[:16]
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    pages, passages, at = [], [], 0
    for number, paragraph in enumerate(paragraphs, start=1):
        start = text.index(paragraph, at)
        at = start + len(paragraph)
        pages.append(Page(number, start, at))
        passage_id = f"{document_id}-{sha256[:8]}-{number - 1}"
        passages.append(Passage(passage_id, document_id, number - 1, paragraph, start, at, number, number, (), len(paragraph)))
    document = Document(document_id, source, title, "text/plain", text, tuple(pages), sha256, {"kind": source.rsplit(".", 1)[-1]})
    return Entry(document, passages, text.encode())


def fill(folder: Path, *entries: Entry) -> None:
    """Ingest and publish."""
    with Writer.open(folder, FakeEmbedder(), chunker="test") as writer:
        writer.put(entries)
        writer.publish()


ENTRIES = (entry("網球.txt", "網球", TENNIS), entry("manuals/pump.txt", "Pump manual", PUMP))


@pytest.fixture(scope="session")
def shared_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Collections `default` (tennis in Traditional Chinese, a pump in English) and `simplified`. Tests must not change it."""
    data = tmp_path_factory.mktemp("data")
    fill(data / "default", *ENTRIES)
    fill(data / "simplified", entry("框架.md", "框架", SIMPLIFIED))
    return data


@pytest.fixture
def settings(shared_data: Path) -> Settings:
    """Settings over the shared collections; the fake embedder's cosines ask for a lower bar."""
    return Settings(data_dir=shared_data, evidence_threshold=0.4, first_token_seconds=2.0)


@pytest.fixture
def library(settings: Settings) -> Iterator[Library]:
    made = Library(settings.data_dir, FakeEmbedder(), every=0)
    yield made
    made.close()


@pytest.fixture
def services(settings: Settings, library: Library) -> Callable[..., Services]:
    """Services around a generator (default: one that copies the first passage) and changed settings."""

    def make(generator: Generator | None = None, **changed: object) -> Services:
        return assemble(settings.model_copy(update=changed), library, generator or FakeGenerator(), "fake-128")

    return make


@asynccontextmanager
async def connected(services: Services) -> AsyncIterator[Client]:
    """A client of the application, started and stopped around it."""
    app = create_app(services)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with app.router.lifespan_context(app), Client(transport=transport, base_url="http://service") as client:
        yield client


@pytest.fixture
def connect(services: Callable[..., Services]) -> Connect:
    """`async with connect(generator, setting=value) as client`."""

    def make(generator: Generator | None = None, **changed: object) -> AbstractAsyncContextManager[Client]:
        return connected(services(generator, **changed))

    return make


@pytest.fixture
async def client(connect: Connect) -> AsyncIterator[Client]:
    async with connect() as made:
        yield made
