"""Texts to vectors with sentence-transformers, which loads the model, its pooling and its prompts and is the reference of every backend."""

import hashlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import BadRequest, NotFound
from index.records import Embedder, Vectors, no_progress

__all__ = ["Embedder", "TorchEmbedder", "open_embedder"]


def open_embedder(folder: Path, *, backend: str = "auto", threads: int = 0) -> Embedder:
    """The embedder whose sentence-transformers folder is `folder`. `backend`: auto, openvino or torch; `threads` 0: all cores of this process."""
    if backend not in ("auto", "openvino", "torch"):
        raise BadRequest(f"there is no embedder backend {backend!r}: use auto, openvino or torch")
    if not (folder / "config.json").is_file():
        raise NotFound(f"{folder} holds no sentence-transformers model: run `python -m models pull`")
    return TorchEmbedder(folder, threads=threads)


def weights_id(folder: Path) -> str:
    """Name and hash of the weights, the tokenizer and the prompts: the same for the same vectors, whatever computes them."""
    digest = hashlib.sha256()
    for name in ("config.json", "config_sentence_transformers.json", "tokenizer.json"):
        path = folder / name
        digest.update(path.read_bytes() if path.is_file() else b"")
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"{folder.name}-{digest.hexdigest()[:8]}"


class TorchEmbedder:
    """The reference. A lock around every call: fast tokenizers are not thread-safe."""

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        import torch
        from sentence_transformers import SentenceTransformer

        if threads:
            torch.set_num_threads(threads)
        self._model: Any = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
        self._lock = threading.Lock()
        self.id = weights_id(folder)
        self.dimension = int(self._model.get_embedding_dimension())
        self.max_tokens = int(self._model.max_seq_length)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        with self._lock:
            return [len(ids) for ids in self._model.tokenizer(list(texts), add_special_tokens=False)["input_ids"]] if texts else []

    def encode_documents(self, texts: Sequence[str], progress: Callable[[int], None] = no_progress) -> Vectors:
        with self._lock:
            vectors = self._model.encode_document(list(texts), normalize_embeddings=True, show_progress_bar=False)
        progress(len(texts))
        return np.ascontiguousarray(vectors, dtype=np.float32).reshape(len(texts), self.dimension)

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        with self._lock:
            vectors = self._model.encode_query(list(texts), normalize_embeddings=True, show_progress_bar=False)
        return np.ascontiguousarray(vectors, dtype=np.float32).reshape(len(texts), self.dimension)
