"""What every embedder promises; the fake and the real ones pass the same suite."""

import threading
from pathlib import Path

import numpy as np
import pytest

from core.errors import BadRequest, NotFound
from index.compiled import SAME
from index.embedder import open_embedder, weights_id
from index.fakes import FakeEmbedder
from index.records import Embedder

TEXTS = [
    "The pump must be inspected every month.",
    "勞工每日正常工作時間不得超過八小時。",
    "短",
    "  spaces\nand lines \t",
    "",
    "🙂 ﷺ \u202e",
    "word " * 700,
    "The filter is replaced once a year.",
]

FIVE_NUMBERS = [0.0397, -0.0095, -0.0569, -0.0348, 0.0611]


class EmbedderContract:
    """Subclass with a fixture `embedder`."""

    def test_vectors_are_float32_rows_of_length_one(self, embedder: Embedder) -> None:
        for vectors in (embedder.encode_documents(TEXTS), embedder.encode_queries(TEXTS)):
            assert vectors.shape == (len(TEXTS), embedder.dimension)
            assert vectors.dtype == np.float32
            assert vectors.flags.c_contiguous
            assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-4)

    def test_nothing_in_gives_nothing_out(self, embedder: Embedder) -> None:
        assert embedder.encode_documents([]).shape == (0, embedder.dimension)
        assert embedder.encode_queries([]).shape == (0, embedder.dimension)
        assert embedder.count_tokens([]) == []

    def test_a_text_has_the_same_vector_in_any_batch(self, embedder: Embedder) -> None:
        together = embedder.encode_documents(TEXTS)
        for place, text in enumerate(TEXTS):
            assert float(embedder.encode_documents([text])[0] @ together[place]) > 0.9999

    def test_a_question_is_not_a_passage_and_finds_its_own(self, embedder: Embedder) -> None:
        documents, queries = embedder.encode_documents(TEXTS[:2]), embedder.encode_queries(TEXTS[:2])
        assert np.abs(documents - queries).max() > 1e-3
        assert list((queries @ documents.T).argmax(axis=1)) == [0, 1]

    def test_progress_adds_up_and_is_told_on_the_callers_thread(self, embedder: Embedder) -> None:
        told: list[tuple[int, int]] = []
        embedder.encode_documents(TEXTS * 3, lambda n: told.append((n, threading.get_ident())))
        assert sum(n for n, _ in told) == 3 * len(TEXTS)
        assert {thread for _, thread in told} == {threading.get_ident()}

    def test_tokens_are_counted_whole_even_beyond_the_longest_text(self, embedder: Embedder) -> None:
        counts = embedder.count_tokens(TEXTS)
        assert counts[TEXTS.index("")] == 0
        assert counts[6] >= 700 > embedder.max_tokens
        assert embedder.count_tokens([TEXTS[0]]) == counts[:1]

    def test_threads_get_what_one_gets(self, embedder: Embedder) -> None:
        expected = embedder.encode_queries(TEXTS)
        found: list[tuple[int, float]] = []

        def ask(place: int) -> None:
            for _ in range(3):
                vector = embedder.encode_queries([TEXTS[place]])[0]
                embedder.count_tokens(TEXTS[:2])
                found.append((place, float(vector @ expected[place])))

        threads = [threading.Thread(target=ask, args=(n % len(TEXTS),)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 24
        assert min(cosine for _, cosine in found) > 0.9999

    def test_its_name_is_printable_and_without_space(self, embedder: Embedder) -> None:
        assert embedder.id.isprintable()
        assert " " not in embedder.id


class TestFakeEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return FakeEmbedder()


@pytest.fixture(scope="module")
def compiled(embedder_folder: Path) -> Embedder:
    return open_embedder(embedder_folder, backend="openvino")


@pytest.fixture(scope="module")
def reference(embedder_folder: Path) -> Embedder:
    return open_embedder(embedder_folder, backend="torch")


@pytest.mark.real
class TestCompiledEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self, compiled: Embedder) -> Embedder:
        return compiled

    def test_its_vectors_are_those_of_the_reference(self, compiled: Embedder, reference: Embedder) -> None:
        assert (compiled.id, compiled.dimension, compiled.max_tokens) == (reference.id, reference.dimension, reference.max_tokens)
        assert (compiled.encode_documents(TEXTS) * reference.encode_documents(TEXTS)).sum(axis=1).min() >= SAME
        assert (compiled.encode_queries(TEXTS) * reference.encode_queries(TEXTS)).sum(axis=1).min() >= SAME
        assert compiled.count_tokens(TEXTS) == reference.count_tokens(TEXTS)

    def test_five_numbers_of_this_revision(self, compiled: Embedder) -> None:
        """Another prompt, pooling or tokenizer would change them."""
        found = compiled.encode_queries(["勞工每日正常工作時間不得超過八小時。"])[0][:5]
        assert found == pytest.approx(FIVE_NUMBERS, abs=5e-3)

    def test_it_knows_both_languages(self, compiled: Embedder) -> None:
        question = compiled.encode_queries(["How many hours may an employee work a day?"])[0]
        hours, pump = compiled.encode_documents(["勞工每日正常工作時間不得超過八小時。", "水泵的濾網應每年更換一次。"]) @ question
        assert hours > pump


@pytest.mark.real
class TestTorchEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self, reference: Embedder) -> Embedder:
        return reference


def test_a_folder_without_a_model_and_an_unknown_backend_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="python -m models pull"):
        open_embedder(tmp_path)
    with pytest.raises(BadRequest, match="openvino"):
        open_embedder(tmp_path, backend="magic")


def test_the_name_follows_the_weights(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"one")
    first = weights_id(tmp_path)
    assert first == weights_id(tmp_path)
    assert first.startswith(tmp_path.name + "-")
    (tmp_path / "model.safetensors").write_bytes(b"two")
    assert weights_id(tmp_path) != first
