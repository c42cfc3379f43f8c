"""Nearest passages by meaning, over FAISS. The kind is chosen by size and written in the manifest.

`flat-fp16` compares with every vector; `rabitq-fp16` scans 1-bit codes first and compares the best exactly in fp16. Both keep the fp16
vectors, so a filter is always exact: it acts on the full comparison, inside the search.
"""

from collections.abc import Sequence
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from core.errors import Damaged
from index.records import Vectors

FLAT = "flat-fp16"
SCAN = "rabitq-fp16"
KINDS = (FLAT, SCAN)
FLAT_UP_TO = 30_000  # passages; above it the scan is faster at recall@10 >= .99
K_FACTOR = 30  # candidates compared exactly, as a multiple of k

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


def kind_for(count: int) -> str:
    """The kind of index for `count` passages."""
    return FLAT if count <= FLAT_UP_TO else SCAN


class VectorIndex:
    """Immutable once built; any number of threads may search."""

    def __init__(self, kind: str, index: faiss.Index) -> None:
        self.kind = kind
        self._index = index
        self._exact = index if kind == FLAT else faiss.downcast_index(index.refine_index)  # type: ignore[attr-defined]

    @classmethod
    def build(cls, vectors: Vectors, kind: str | None = None) -> "VectorIndex":
        """Index of (n, d) normalised rows; row numbers are the order given."""
        count, dimension = vectors.shape
        chosen = kind or kind_for(count)
        exact = faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
        if chosen == FLAT:
            exact.add(vectors)
            return cls(FLAT, exact)
        scan = faiss.IndexRaBitQFastScan(dimension, faiss.METRIC_INNER_PRODUCT)
        scan.train(vectors)
        both = faiss.IndexRefine(scan, exact)
        both.add(vectors)
        return cls(SCAN, both)

    def save(self, path: Path) -> None:
        faiss.write_index(self._index, str(path))

    @classmethod
    def load(cls, path: Path, kind: str) -> "VectorIndex":
        """Map a saved index into memory. Its hash must have been checked: FAISS opens many damaged files without an error."""
        try:
            index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
            return cls(kind, index)
        except (RuntimeError, AttributeError) as error:
            raise Damaged(f"{path} is not a {kind} index: {error}") from error

    @property
    def count(self) -> int:
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        return int(self._index.d)

    def search(self, query: Vectors, k: int, allowed: Mask | None = None) -> tuple[Rows, Vectors]:
        """Row numbers and cosines of the k nearest to `query` (d,), best first.

        With `allowed` (n,), among those rows only: exactly min(k, allowed) of them.
        """
        k = min(k, self.count if allowed is None else int(allowed.sum()))
        if k <= 0:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        faiss.omp_set_num_threads(1)  # per thread: one query gains nothing from more, and torch's OpenMP pool must not fight with this one
        wanted = np.ascontiguousarray(query, dtype=np.float32).reshape(1, -1)
        if allowed is not None:
            bits = np.packbits(allowed, bitorder="little")
            selector = faiss.IDSelectorBitmap(bits)  # type: ignore[call-arg, arg-type]
            only = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
            scores, rows = self._exact.search(wanted, k, params=only)
        elif self.kind == SCAN:
            factor = max(K_FACTOR, 300 // k)
            wide = faiss.IndexRefineSearchParameters(k_factor=factor)  # type: ignore[call-arg]
            scores, rows = self._index.search(wanted, k, params=wide)
            if (rows[0] < 0).any():  # codes that cannot be compared, as those of vectors that are all the same
                scores, rows = self._exact.search(wanted, k)
        else:
            scores, rows = self._index.search(wanted, k)
        found = rows[0] >= 0
        return rows[0][found], scores[0][found]

    def scores(self, query: Vectors, rows: Sequence[int] | Rows) -> Vectors:
        """Cosine of `query` (d,) with each of `rows`."""
        if len(rows) == 0:
            return np.empty(0, np.float32)
        vectors = self._exact.reconstruct_batch(np.asarray(rows, dtype=np.int64))
        return np.asarray(vectors @ query, dtype=np.float32)
