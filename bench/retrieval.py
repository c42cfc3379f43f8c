"""Retrieval of the three legs on a question set, in this process: no server, a temporary collection, the real embedder.

    python -m bench.retrieval WEIGHTS PASSAGES.jsonl QUESTIONS.jsonl [QUESTIONS.jsonl ...] [--limit 300]

WEIGHTS is a sentence-transformers folder. One text file a passage (title, empty line, text), cut as ingest cuts it.
Questions are shuffled with seed 0. A hit is right when its file is a gold passage's; ranks are among the distinct files of the
first 30 passages. Passage: {id, title?, text}; question: {question, gold_passage_ids}. Prints hit@1, @5, @10 and MRR@10 of each leg.
"""

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from core.types import Leg
from index.embedder import open_embedder
from index.records import Embedder, Entry
from index.search import Collection
from index.writer import Writer
from ingest.chunking import chunker_version, cut
from ingest.discover import SourceFile
from ingest.loaders.formats import format_of
from ingest.loaders.text import load
from ingest.pipeline import make_document

PASSAGE_TOKENS = 224
LEGS: tuple[Leg, ...] = ("fused", "dense", "lexical")


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def entry(passage: dict[str, Any], embedder: Embedder) -> Entry:
    source = f"{passage['id']}.txt"
    chosen = format_of(source)
    if chosen is None:
        raise SystemExit(f"{source} is of no format that can be read")
    data = f"{passage.get('title') or ''}\n\n{passage['text']}".encode()
    parsed = load(data)
    document = make_document(SourceFile(source, Path(source), chosen), data, parsed)
    return Entry(document, cut(document, parsed, embedder.count_tokens, PASSAGE_TOKENS), data)


def rank(collection: Collection, question: dict[str, Any], leg: Leg) -> int:
    """Place of the first right file among ten distinct ones, 0 when absent."""
    hits = collection.search(question["question"], k=30, leg=leg).hits
    files = list(dict.fromkeys(PurePosixPath(hit.source).stem for hit in hits))[:10]
    gold = set(question["gold_passage_ids"])
    return next((place for place, file in enumerate(files, 1) if file in gold), 0)


def line(leg: str, ranks: Sequence[int]) -> str:
    n = len(ranks)
    at = " ".join(f"hit@{k} {sum(0 < r <= k for r in ranks) / n:.3f}" for k in (1, 5, 10))
    return f"{leg:8s} n {n} {at} mrr@10 {sum(1 / r for r in ranks if r) / n:.3f}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("passages", type=Path)
    parser.add_argument("questions", type=Path, nargs="+")
    parser.add_argument("--limit", type=int, default=300)
    given = parser.parse_args(arguments)
    embedder = open_embedder(given.weights)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "bench"
        with Writer.open(home, embedder, chunker=chunker_version(PASSAGE_TOKENS)) as writer:
            writer.put([entry(passage, embedder) for passage in rows(given.passages)])
            writer.publish()
        collection = Collection.open(home, embedder)
        for path in given.questions:
            questions = rows(path)
            random.Random(0).shuffle(questions)
            for leg in LEGS:
                ranks = [rank(collection, question, leg) for question in questions[: given.limit]]
                sys.stdout.write(f"{path.name:40s} {line(leg, ranks)}\n")
                sys.stdout.flush()
        collection.close()


if __name__ == "__main__":
    main()
