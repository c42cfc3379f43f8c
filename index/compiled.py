"""The compiled embedder: the reference's whole network (pooling and normalisation too) run by OpenVINO, without torch in the process.

Made once from the reference and kept beside the weights, in a folder named by their hash. Texts are sorted by length and batched by a
budget of tokens, because padding is computed like anything else; questions asked at the same time share a batch.
"""

import json
import logging
import os
import shutil
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import Damaged
from index.disk import fsync_tree, sha256_of, writing
from index.microbatch import MicroBatcher
from index.records import Vectors, no_progress
from index.reference import TorchEmbedder

logger = logging.getLogger(__name__)
FORMAT = 1
BATCH_TOKENS = 2048  # padded tokens of one batch: the processor is saturated, and short texts do not wait for long ones
SAME = 0.999  # lowest cosine to the reference that a compiled network may have
_PROBES = (
    "勞工正常工作時間，每日不得超過八小時。",
    "How is the learning rate chosen?",
    "  PPR-9087 \n 第 38 條",
    "短",
    "one two three " * 60,
)

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What must be known beside the network to embed a text. `sha256` is that of the network's weights."""

    name: str
    dimension: int
    max_tokens: int
    query_prompt: str
    document_prompt: str
    pad: int
    sha256: str
    format: int = FORMAT


class CompiledEmbedder:
    """Thread-safe. Documents run in as many streams as the processor has use for; one query at a time runs on all its cores."""

    def __init__(self, tokenizer_file: Path, recipe: Recipe, network: Any, *, threads: int = 0) -> None:
        import openvino  # here, not above: only a process with this backend should pay for the import
        from tokenizers import Tokenizer

        self.id = recipe.name
        self.dimension = recipe.dimension
        self.max_tokens = recipe.max_tokens
        self._recipe = recipe
        self._tokenizer = Tokenizer.from_file(str(tokenizer_file))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(recipe.max_tokens)  # set once: changing it while another thread encodes is an error
        self._whole = Tokenizer.from_file(str(tokenizer_file))
        self._whole.no_padding()
        self._whole.no_truncation()
        core = openvino.Core()
        options: dict[str, Any] = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": _precision(core),
            "ENABLE_CPU_PINNING": False,  # a thread pinned to the core of a busy neighbour, such as the model server, waits for it
        }
        if threads:
            options["INFERENCE_NUM_THREADS"] = threads
        self._network = core.compile_model(network, "CPU", options)
        self._queue = openvino.AsyncInferQueue(self._network, self._network.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self._one = self._network.create_infer_request()
        self._documents = threading.Lock()
        self._tokenizing = threading.Lock()
        self._queries: MicroBatcher[str, NDArray[np.float32]] = MicroBatcher(self._encode_now, name="query-embedder")

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        with self._tokenizing:
            return [len(e.ids) for e in self._whole.encode_batch_fast(list(texts), add_special_tokens=False)]

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        return np.stack(self._queries.submit([self._recipe.query_prompt + text for text in texts]))

    def encode_documents(self, texts: Sequence[str], progress: Callable[[int], None] = no_progress) -> Vectors:
        out = np.empty((len(texts), self.dimension), dtype=np.float32)
        ids = self._ids([self._recipe.document_prompt + text for text in texts])
        done: list[int] = []

        def finished(request: Any, rows: list[int]) -> None:
            out[rows] = request.get_output_tensor(0).data
            done.append(len(rows))  # a list's append is atomic; `progress` itself is only called from the caller's thread

        with self._documents:
            self._queue.set_callback(finished)
            for rows in token_batches([len(i) for i in ids], BATCH_TOKENS):
                self._queue.start_async(self._padded([ids[r] for r in rows]), rows)
                while done:
                    progress(done.pop())
            self._queue.wait_all()
        while done:
            progress(done.pop())
        return out

    def _encode_now(self, texts: list[str]) -> list[NDArray[np.float32]]:
        """Texts with their prompt to vectors, on the query thread, which alone uses this infer request."""
        ids = self._ids(texts)
        found: dict[int, NDArray[np.float32]] = {}
        for rows in token_batches([len(i) for i in ids], BATCH_TOKENS):
            output = self._one.infer(self._padded([ids[r] for r in rows]))[0]
            found.update(zip(rows, np.array(output, dtype=np.float32), strict=True))
        return [found[n] for n in range(len(texts))]

    def _ids(self, texts: list[str]) -> list[list[int]]:
        with self._tokenizing:
            return [e.ids for e in self._tokenizer.encode_batch_fast(texts)]

    def _padded(self, ids: list[list[int]]) -> dict[str, Ids]:
        longest = max(len(i) for i in ids)
        tokens = np.full((len(ids), longest), self._recipe.pad, dtype=np.int64)
        mask = np.zeros((len(ids), longest), dtype=np.int64)
        for row, i in enumerate(ids):
            tokens[row, : len(i)] = i
            mask[row, : len(i)] = 1
        return {"input_ids": tokens, "attention_mask": mask}


def token_batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Places of texts, longest first, in batches of at most `budget` tokens with padding (one text may exceed it alone)."""
    order = sorted(range(len(lengths)), key=lambda place: -lengths[place])
    start = 0
    while start < len(order):
        size = max(1, budget // max(1, lengths[order[start]]))
        yield order[start : start + size]
        start += size


def _precision(core: Any) -> str:
    """bf16 only where the processor computes in it: elsewhere it is emulated, slowly."""
    return "bf16" if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"


def load_compiled(folder: Path, name: str, *, threads: int = 0) -> CompiledEmbedder | None:
    """The compiled embedder kept in `folder` for the weights called `name`; None when there is none, or it is not what was written."""
    home = _home(folder, name)
    try:
        recipe = Recipe(**json.loads((home / "recipe.json").read_text(encoding="utf-8")))
        if recipe.format != FORMAT or recipe.name != name or sha256_of(home / "network.bin") != recipe.sha256:
            raise Damaged(f"{home} is not what was written")
        return CompiledEmbedder(folder / "tokenizer.json", recipe, home / "network.xml", threads=threads)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, RuntimeError, Damaged) as error:
        logger.warning("the compiled embedder in %s is not used and is made again: %s", home, error)
        return None


def compile_reference(folder: Path, reference: TorchEmbedder, *, threads: int = 0) -> CompiledEmbedder:
    """Convert the reference, keep the result beside its weights where that can be written, and compare both on a few texts.

    Raises RuntimeError or ValueError when the network cannot be converted, Damaged when its vectors are not the reference's.
    """
    network = _convert(reference)
    recipe = Recipe(
        reference.id, reference.dimension, reference.max_tokens, reference.query_prompt, reference.document_prompt,
        int(reference.model.tokenizer.pad_token_id or 0), "",
    )  # fmt: skip
    made = CompiledEmbedder(folder / "tokenizer.json", recipe, network, threads=threads)
    worst = min(
        float((made.encode_documents(_PROBES) * reference.encode_documents(_PROBES)).sum(axis=1).min()),
        float((made.encode_queries(_PROBES) * reference.encode_queries(_PROBES)).sum(axis=1).min()),
    )
    if not worst >= SAME:
        raise Damaged(f"the compiled network differs from the reference (cosine {worst:.4f})")
    _keep(_home(folder, reference.id), recipe, network)
    return made


def _home(folder: Path, name: str) -> Path:
    return folder / f"openvino-{name.rsplit('-', maxsplit=1)[-1]}"


def _keep(home: Path, recipe: Recipe, network: Any) -> None:
    import openvino

    aside = home.with_name(f".{home.name}.{os.getpid()}")
    try:
        with writing(home):
            aside.mkdir()
            openvino.save_model(network, aside / "network.xml", compress_to_fp16=False)
            kept = asdict(recipe) | {"sha256": sha256_of(aside / "network.bin")}
            (aside / "recipe.json").write_text(json.dumps(kept, ensure_ascii=False, indent=1), encoding="utf-8")
            fsync_tree(aside)
            shutil.rmtree(home, ignore_errors=True)
            aside.rename(home)
    except Exception as error:  # noqa: BLE001 - keeping it only saves time at the next start
        logger.info("the compiled embedder could not be kept in %s: %s", home, error)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _convert(reference: TorchEmbedder) -> Any:
    """The network from token ids and mask to normalised vectors, as OpenVINO holds it."""
    import openvino
    import torch

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = reference.model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            vectors = self.model({"input_ids": input_ids, "attention_mask": attention_mask})["sentence_embedding"]
            return torch.nn.functional.normalize(vectors, dim=-1)

    ids = torch.ones((2, 8), dtype=torch.int64)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of every branch in the model's code
        return openvino.convert_model(Whole().eval().cpu(), example_input={"input_ids": ids, "attention_mask": ids.clone()})
