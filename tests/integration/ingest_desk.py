"""A folder, an index and the ingest command, for tests of it. Only the embedder has no weights."""

import io
import json
from dataclasses import dataclass, field
from pathlib import Path

from core.settings import Settings
from core.types import Filters
from index.fakes import FakeEmbedder
from index.search import Collection
from ingest.__main__ import main


@dataclass
class Desk:
    """A folder of documents, a place for the index, and the command."""

    folder: Path
    data: Path
    embedder: FakeEmbedder = field(default_factory=FakeEmbedder)
    environ: dict[str, str] = field(default_factory=dict)
    out: str = ""
    err: str = ""

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def ingest(self, *options: str, folder: Path | None = None) -> int:
        """Exit code; what was written is in `out` and `err`."""
        out, err = io.StringIO(), io.StringIO()
        environ = {"QA_DATA_DIR": str(self.data), "QA_LOG_LEVEL": "ERROR", **self.environ}

        def opened(settings: Settings) -> FakeEmbedder:
            assert settings.data_dir == self.data
            return self.embedder

        code = main([str(folder or self.folder), *options], environ=environ, embedder=opened, out=out, err=err)
        self.out, self.err = out.getvalue(), err.getvalue()
        return code

    def report(self, *options: str) -> dict[str, object]:
        self.ingest("--json", *options)
        found: dict[str, object] = json.loads(self.out)
        return found

    def collection(self, name: str = "default") -> Collection:
        return Collection.open(self.data / name, self.embedder)

    def find(self, question: str, **filters: tuple[str, ...]) -> list[tuple[str, int]]:
        """(source, first page) of what the index finds, best first."""
        collection = self.collection()
        try:
            hits = collection.search(question, k=5, filters=Filters(**filters)).hits
            for hit in hits:
                whole = collection.document(hit.passage.document_id)
                assert whole.text[hit.passage.start : hit.passage.end] == hit.passage.text
            return [(hit.source, hit.passage.page_first) for hit in hits]
        finally:
            collection.close()

    def snapshot(self) -> dict[str, bytes]:
        """Every file of the index that a reader depends on."""
        return {
            str(p.relative_to(self.data)): p.read_bytes() for p in sorted(self.data.rglob("*")) if p.is_file() and "ledger" not in p.name
        }
