"""`python -m evaluation`: measure a running service on your own questions."""

import argparse
import json
import sys
from pathlib import Path

import httpx

from core.errors import QaError
from evaluation.datasets import read_questions, write_corpus
from evaluation.run import Outcome, ask_all, summary
from index.tokens import fold

EPILOG = """examples:
  python -m evaluation corpus passages.jsonl /tmp/corpus      one text file a passage, ready for `python -m ingest`
  python -m evaluation answers evaluation/questions/docs.jsonl
  python -m evaluation answers questions.jsonl --collection laws --limit 60 --out replies.jsonl

A question is a line {"question", "answers": [...], "gold_sources": [...] or "gold_passage_ids": [...]};
one without answers is a question that the documents cannot answer.
"""


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m evaluation", description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    corpus = commands.add_parser("corpus", help="write one text file a passage")
    corpus.add_argument("passages", type=Path)
    corpus.add_argument("folder", type=Path)
    answers = commands.add_parser("answers", help="ask a running service and count right, cited and refused answers")
    answers.add_argument("questions", type=Path, nargs="+")
    answers.add_argument("--collection", default="default")
    answers.add_argument("--limit", type=int, help="that many questions of each file, drawn with seed 0")
    answers.add_argument("--mode", choices=("auto", "extractive"), default="auto")
    answers.add_argument("--model", help="a model of GET /v1/models")
    answers.add_argument("--url", default="http://127.0.0.1:8000")
    answers.add_argument("--out", type=Path, help="keep every reply as JSON lines")
    return parser.parse_args(arguments)


def answers(options: argparse.Namespace) -> None:
    questions = [q for path in options.questions for q in read_questions(path, limit=options.limit)]

    def show(outcome: Outcome) -> None:
        reply = outcome.reply
        sys.stderr.write(f"{outcome.seconds:6.2f} s {reply['status']:11} {reply['mode']:10} {outcome.question.question[:60]}\n")
        if options.out:
            with options.out.open("a", encoding="utf-8") as file:
                file.write(
                    json.dumps({"id": outcome.question.id, "answers": outcome.question.answers, "reply": reply}, ensure_ascii=False) + "\n"
                )

    with httpx.Client(base_url=options.url, timeout=300) as client:
        outcomes = ask_all(questions, client=client, collection=options.collection, mode=options.mode, model=options.model, progress=show)
    sys.stdout.write("\n".join(summary(outcomes, fold)) + "\n")


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    try:
        if options.command == "corpus":
            sys.stdout.write(f"{len(write_corpus(options.passages, options.folder))} files in {options.folder}\n")
        else:
            answers(options)
    except (QaError, OSError, httpx.HTTPError) as error:
        sys.stderr.write(f"evaluation: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
