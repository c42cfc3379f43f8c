"""Question sets as JSON lines, and a corpus of text files made from passages."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Question:
    """One question. No `answers` and no `gold_sources` means that the documents cannot answer it.

    A gold source is a path relative to the corpus root; a passage id stands for the file that `write_corpus` makes of it.
    """

    id: str
    lang: str
    question: str
    answers: tuple[str, ...]
    gold_sources: tuple[str, ...]

    @property
    def answerable(self) -> bool:
        return bool(self.answers)


def _rows(path: Path) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise BadRequest(f"{path}, line {number}: not JSON ({error})") from error
        if not isinstance(row, dict):
            raise BadRequest(f"{path}, line {number}: not an object")
        rows.append(row)
    return rows


def read_questions(path: Path, *, limit: int | None = None, seed: int = 0) -> list[Question]:
    """The questions of a JSON-lines file; with `limit`, that many drawn by `seed`. Raises BadRequest naming a bad line."""
    questions = []
    for number, row in enumerate(_rows(path), 1):
        if not isinstance(row.get("question"), str) or not row["question"]:
            raise BadRequest(f"{path}, row {number}: no question")
        answers = row.get("answers") or ()
        sources = row.get("gold_sources") or [f"{i}.txt" for i in row.get("gold_passage_ids") or ()]
        questions.append(
            Question(
                str(row.get("id", number)), str(row.get("lang", "")), row["question"], tuple(map(str, answers)), tuple(map(str, sources))
            )
        )
    if limit is not None and limit < len(questions):
        questions = random.Random(seed).sample(questions, limit)
    return questions


def write_corpus(passages: Path, folder: Path) -> Sequence[Path]:
    """One text file a passage (`{id, title?, text}` lines), named by its id, its title on the first line."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for row in _rows(passages):
        title = str(row.get("title") or "").replace("_", " ")
        path = folder / f"{row['id']}.txt"
        path.write_text((title + "\n\n" if title else "") + str(row["text"]), encoding="utf-8")
        written.append(path)
    return written
