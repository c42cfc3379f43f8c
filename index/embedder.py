"""Choosing an embedder for a folder of weights. The reference is sentence-transformers; the compiled backend is faster."""

import hashlib
import logging
from pathlib import Path

from core.errors import BadRequest, Damaged, NotFound
from index.compiled import compile_reference, load_compiled
from index.records import Embedder
from index.reference import TorchEmbedder

__all__ = ["Embedder", "open_embedder", "weights_id"]

logger = logging.getLogger(__name__)
BACKENDS = ("auto", "openvino", "torch")
_GPU = Path("/proc/driver/nvidia/version")


def open_embedder(folder: Path, *, backend: str = "auto", threads: int = 0) -> Embedder:
    """The embedder of a sentence-transformers folder.

    `backend` auto: compiled on a processor, torch where there is a GPU or the model cannot be compiled.
    `threads` 0: all cores of this process. Raises NotFound, BadRequest.
    The first start with some weights takes longer: it compiles them and keeps the result beside them.
    """
    if backend not in BACKENDS:
        raise BadRequest(f"there is no embedder backend {backend!r}: use one of {', '.join(BACKENDS)}")
    if not (folder / "config.json").is_file() or not (folder / "tokenizer.json").is_file():
        raise NotFound(f"{folder} holds no sentence-transformers model: run `python -m models pull`")
    name = weights_id(folder)
    if backend == "torch" or (backend == "auto" and _GPU.exists()):
        return TorchEmbedder(folder, name, threads=threads)
    kept = load_compiled(folder, name, threads=threads)
    if kept is not None:
        return kept
    reference = TorchEmbedder(folder, name, threads=threads)
    try:
        return compile_reference(folder, reference, threads=threads)
    except (ImportError, RuntimeError, ValueError, Damaged) as error:
        if backend == "openvino":
            raise
        logger.warning("%s cannot be compiled, torch computes it: %s", name, error)
        return reference


def weights_id(folder: Path) -> str:
    """Name and hash of weights, tokenizer and prompts: the same for the same vectors, whatever computes them."""
    digest = hashlib.sha256()
    for name in ("config.json", "config_sentence_transformers.json", "modules.json", "tokenizer.json"):
        path = folder / name
        digest.update(path.read_bytes() if path.is_file() else b"")
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"{folder.resolve().name}-{digest.hexdigest()[:8]}"
