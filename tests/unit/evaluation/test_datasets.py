from pathlib import Path

import pytest

from core.errors import BadRequest
from evaluation.datasets import read_questions, write_corpus


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_a_passage_id_names_the_file_that_write_corpus_makes(tmp_path: Path) -> None:
    passages = write(tmp_path / "p.jsonl", '{"id": "a-1", "title": "The_Title", "text": "Body."}', "", '{"id": "a-2", "text": "無標題。"}')
    files = write_corpus(passages, tmp_path / "corpus")
    questions = read_questions(write(tmp_path / "q.jsonl", '{"question": "?", "answers": ["x"], "gold_passage_ids": ["a-1"]}'))
    assert questions[0].gold_sources == (files[0].name,)
    assert files[0].read_text(encoding="utf-8") == "The Title\n\nBody."
    assert files[1].read_text(encoding="utf-8") == "無標題。"


def test_own_questions_name_their_sources(tmp_path: Path) -> None:
    path = write(
        tmp_path / "q.jsonl",
        '{"id": "1", "lang": "en", "question": "Which port?", "answers": ["8000"], "gold_sources": ["en/quick-start.md"]}',
        '{"id": "2", "lang": "zh-Hant", "question": "月亮多遠?", "answers": []}',
    )
    known, unknown = read_questions(path)
    assert (known.id, known.lang, known.answers, known.gold_sources) == ("1", "en", ("8000",), ("en/quick-start.md",))
    assert known.answerable
    assert not unknown.answerable


def test_a_limit_draws_the_same_questions_every_time(tmp_path: Path) -> None:
    path = write(tmp_path / "q.jsonl", *(f'{{"id": "{i}", "question": "q{i}", "answers": ["a"]}}' for i in range(50)))
    drawn = [q.id for q in read_questions(path, limit=7)]
    assert len(drawn) == len(set(drawn)) == 7
    assert drawn == [q.id for q in read_questions(path, limit=7)]
    assert drawn != [q.id for q in read_questions(path, limit=7, seed=1)]
    assert len(read_questions(path, limit=100)) == 50


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("not json", "line 2: not JSON"),
        ("[1]", "line 2: not an object"),
        ('{"question": ""}', "row 2: no question"),
        ('{"q": 1}', "row 2: no question"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path / "q.jsonl", '{"question": "fine"}', line)
    with pytest.raises(BadRequest, match=message):
        read_questions(path)
