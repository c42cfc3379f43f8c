"""The model is loaded at the first need, once, and answers as if it had always been there."""

import numpy as np

from index.fakes import FakeEmbedder
from ingest.embedding import LazyEmbedder


class Opening:
    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> FakeEmbedder:
        self.times += 1
        return FakeEmbedder()


def test_the_id_needs_no_model() -> None:
    opening = Opening()
    assert LazyEmbedder("some-id", opening).id == "some-id"
    assert opening.times == 0


def test_everything_else_loads_it_once() -> None:
    opening, real = Opening(), FakeEmbedder()
    lazy = LazyEmbedder(real.id, opening)
    texts = ["one text", "另一段文字"]
    told: list[int] = []
    assert lazy.count_tokens(texts) == real.count_tokens(texts)
    assert (lazy.dimension, lazy.max_tokens) == (real.dimension, real.max_tokens)
    assert np.array_equal(lazy.encode_documents(texts, told.append), real.encode_documents(texts))
    assert np.array_equal(lazy.encode_queries(texts), real.encode_queries(texts))
    assert sum(told) == 2
    assert opening.times == 1
