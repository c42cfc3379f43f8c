"""Our embedder beside plain `SentenceTransformer.encode` in float32, with the same weights, in one run.

    python -m bench.embedding WEIGHTS [--passages 64] [--rounds 3] [--threads 0]

WEIGHTS is a sentence-transformers folder. Passages are 250 characters of the project's own Chinese documentation. Rounds are
interleaved, so that a busy machine slows both; medians and their ratios are printed, and the cosine of both.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from index.embedder import open_embedder, weights_id
from index.reference import TorchEmbedder

LENGTH = 250
DOCS = Path(__file__).resolve().parents[1] / "docs" / "zh-TW"
QUESTIONS = ("特別休假有幾日？", "學習率要怎麼選？", "索引損壞時怎麼辦？", "如何離線安裝模型？", "引用的原文從哪裡來？")


def passages(count: int) -> list[str]:
    """Pieces of 250 characters, taken in turn from all pages; the second round begins 125 characters later, and so on."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md")))
    han = "".join(line for line in text.splitlines(keepends=True) if sum("\u4e00" <= c <= "\u9fff" for c in line) * 2 > len(line))

    def pieces() -> Iterator[str]:
        for start in range(0, LENGTH, LENGTH // 10):
            yield from (han[i : i + LENGTH] for i in range(start, len(han) - LENGTH, LENGTH))

    found = [piece for piece, _ in zip(pieces(), range(count), strict=False)]
    if len(found) < count:
        raise SystemExit(f"{DOCS} has text for {len(found)} passages only")
    return found


def seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--passages", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0)
    given = parser.parse_args(arguments)
    texts = passages(given.passages)
    ours = open_embedder(given.weights, threads=given.threads)
    plain = TorchEmbedder(given.weights, weights_id(given.weights), threads=given.threads).model
    tokens = sum(ours.count_tokens(texts))
    cosines = (ours.encode_documents(texts) * plain.encode_document(texts, show_progress_bar=False)).sum(axis=1)
    questions = list(QUESTIONS)
    for question in questions:  # the first call of either prepares memory
        ours.encode_queries([question])
        plain.encode_query([question], show_progress_bar=False)
    times: dict[str, list[float]] = {"ours": [], "plain": [], "our query": [], "plain query": []}
    for _ in range(given.rounds):
        times["ours"].append(seconds(lambda: ours.encode_documents(texts)))
        times["plain"].append(seconds(lambda: plain.encode_document(texts, show_progress_bar=False)))
        for question in questions:
            times["our query"].append(seconds(lambda q=question: ours.encode_queries([q])))  # type: ignore[misc]
            times["plain query"].append(seconds(lambda q=question: plain.encode_query([q], show_progress_bar=False)))  # type: ignore[misc]
    middle = {name: statistics.median(values) for name, values in times.items()}
    write = sys.stdout.write
    write(f"{type(ours).__name__} {ours.id}: {len(texts)} passages of {LENGTH} characters, {tokens} tokens, {given.rounds} rounds\n")
    speed = {name: tokens / middle[name] for name in ("ours", "plain")}
    write(f"documents: ours {speed['ours']:.0f} tokens/s, plain {speed['plain']:.0f}, ratio {speed['ours'] / speed['plain']:.2f}\n")
    write(f"one query: ours {middle['our query'] * 1e3:.1f} ms, plain {middle['plain query'] * 1e3:.1f} ms,")
    write(f" ratio {middle['plain query'] / middle['our query']:.2f}\n")
    write(f"cosine to plain: mean {float(np.mean(cosines)):.6f}, least {float(np.min(cosines)):.6f}\n")


if __name__ == "__main__":
    main()
