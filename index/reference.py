"""The reference embedder: sentence-transformers on torch. It knows a model's pooling and prompts; the compiled one is made from it."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from index.records import Vectors, no_progress

_DOCUMENT_PROMPTS = ("document", "passage", "corpus")  # the order in which sentence-transformers looks


class TorchEmbedder:
    """A sentence-transformers folder on torch: a GPU where there is one, else the processor in float32."""

    def __init__(self, folder: Path, name: str, *, threads: int = 0) -> None:
        import torch  # here, not above: seconds of import that only a process with this backend should pay
        from sentence_transformers import SentenceTransformer

        if threads:
            torch.set_num_threads(threads)
        self.model: Any = SentenceTransformer(str(folder), local_files_only=True)
        self._lock = threading.Lock()  # fast tokenizers are not thread-safe
        self.id = name
        self.dimension = int(self.model.get_embedding_dimension() or 0)
        self.max_tokens = int(self.model.max_seq_length or 512)

    @property
    def query_prompt(self) -> str:
        return str(self.model.prompts.get("query", ""))

    @property
    def document_prompt(self) -> str:
        return next((str(self.model.prompts[name]) for name in _DOCUMENT_PROMPTS if name in self.model.prompts), "")

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        if not texts:
            return []
        with self._lock:
            return [len(ids) for ids in self.model.tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]]

    def encode_documents(self, texts: Sequence[str], progress: Callable[[int], None] = no_progress) -> Vectors:
        vectors = self._encode(self.model.encode_document, texts)
        progress(len(texts))
        return vectors

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        return self._encode(self.model.encode_query, texts)

    def _encode(self, encode: Callable[..., Any], texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        with self._lock:
            vectors = encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        return np.ascontiguousarray(vectors, dtype=np.float32)
