"""A deterministic embedder without weights: hashed character n-grams. Texts that share words are near."""

import re
import zlib
from collections.abc import Callable, Sequence

import numpy as np

from index.records import Vectors, no_progress
from index.tokens import fold

_TOKENS = re.compile(r"[a-z0-9]+|[^\sa-z0-9]")


class FakeEmbedder:
    """Passes the same contract suite as the real one. `name` makes a different embedder of the same kind, for tests of a mismatch."""

    def __init__(self, dimension: int = 128, *, name: str = "fake", max_tokens: int = 512) -> None:
        self.id = f"{name}-{dimension}"
        self.dimension = dimension
        self.max_tokens = max_tokens
        self.encoded = 0  # documents embedded so far, for "nothing is embedded twice"

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(_TOKENS.findall(text.lower())) for text in texts]

    def encode_documents(self, texts: Sequence[str], progress: Callable[[int], None] = no_progress) -> Vectors:
        self.encoded += len(texts)
        vectors = self._encode(texts, "d")
        progress(len(texts))
        return vectors

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        return self._encode(texts, "q")

    def _encode(self, texts: Sequence[str], kind: str) -> Vectors:
        out = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in zip(out, texts, strict=True):
            row[zlib.crc32(kind.encode()) % self.dimension] += 0.1  # a real model's prompts make a query differ from a passage a little
            tokens = _TOKENS.findall(fold(text))[: self.max_tokens]
            grams = tokens + [a + b for a, b in zip(tokens, tokens[1:], strict=False)]
            for gram in grams:
                hashed = zlib.crc32(gram.encode())
                row[hashed % self.dimension] += 1.0 if hashed & 0x10000 else -1.0
            row /= max(float(np.linalg.norm(row)), 1e-12)
        return out
