"""An embedder that is loaded when something has to be embedded: a run that finds nothing new then costs no model."""

from collections.abc import Callable, Sequence

from index.records import Embedder, Vectors, no_progress


class LazyEmbedder:
    """Passes everything on to the embedder that `load` makes at the first need. Its `id` is known without."""

    def __init__(self, embedder_id: str, load: Callable[[], Embedder]) -> None:
        self.id = embedder_id
        self._load = load
        self._loaded: Embedder | None = None

    @property
    def _real(self) -> Embedder:
        if self._loaded is None:
            self._loaded = self._load()
        return self._loaded

    @property
    def dimension(self) -> int:
        return self._real.dimension

    @property
    def max_tokens(self) -> int:
        return self._real.max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._real.count_tokens(texts)

    def encode_documents(self, texts: Sequence[str], progress: Callable[[int], None] = no_progress) -> Vectors:
        return self._real.encode_documents(texts, progress)

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        return self._real.encode_queries(texts)
