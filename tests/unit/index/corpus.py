"""Small documents for the tests of index/, made as ingest makes them."""

import hashlib
from pathlib import Path

from core.types import Document, Page, Passage
from index.fakes import FakeEmbedder
from index.records import Entry
from index.writer import Writer

CORPUS = {
    "pump.md": "The pump PPR-9087 must be inspected every month.\nIts filter is replaced once a year.",
    "labour/leave.txt": "勞動基準法第 38 條規定特別休假的日數。\n工作滿一年以上二年未滿者，七日。",
    "labour/hours.txt": "正常工作時間每日不得超過八小時。",
    "training.md": "The learning rate is 1.5e-4 with a warm-up of 2,000 steps.",
}


def entry(source: str, text: str, *, title: str = "", metadata: dict[str, str] | None = None) -> Entry:
    """One passage a line."""
    document_id = hashlib.sha256(source.encode()).hexdigest()[:16]
    original = text.encode()
    sha256 = hashlib.sha256(original).hexdigest()
    passages, start = [], 0
    for ordinal, line in enumerate(text.split("\n")):
        if line:
            name = f"{document_id}-{sha256[:8]}-{ordinal}"
            passages.append(Passage(name, document_id, ordinal, line, start, start + len(line), 1, 1, (), len(line.split())))
        start += len(line) + 1
    document = Document(document_id, source, title or source, "text/plain", text, (Page(1, 0, len(text)),), sha256, metadata or {})
    return Entry(document, passages, original)


def entries(corpus: dict[str, str]) -> list[Entry]:
    return [entry(source, text) for source, text in corpus.items()]


def published(folder: Path, embedder: FakeEmbedder, corpus: dict[str, str] = CORPUS, *, chunker: str = "1") -> int | None:
    """Bring the collection in line with `corpus`, as an ingest does."""
    with Writer.open(folder, embedder, chunker=chunker) as writer:
        wanted = entries(corpus)
        have = writer.documents()
        writer.put([e for e in wanted if e.document.source not in have or have[e.document.source].sha256 != e.document.sha256])
        writer.drop(set(have) - set(corpus))
        return writer.publish()
