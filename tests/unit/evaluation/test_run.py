import json
from itertools import count
from pathlib import Path

import httpx
import pytest

from core.errors import Unavailable
from evaluation.__main__ import main
from evaluation.datasets import Question
from evaluation.run import ask_all, summary

KNOWN = Question("1", "en", "Which port?", ("8000",), ("a.md",))
WRONG = Question("2", "en", "Which host?", ("localhost",), ("b.md",))
UNKNOWN = Question("3", "en", "Who is the mayor?", (), ())
REPLIES = {
    "Which port?": {"status": "answered", "mode": "generated", "answer": "Port 8000.", "citations": [{"source": "a.md"}]},
    "Which host?": {"status": "answered", "mode": "extractive", "answer": "It listens.", "citations": [{"source": "a.md"}]},
    "Who is the mayor?": {"status": "no_evidence", "mode": "extractive", "answer": "", "citations": []},
}


def service(requests: list[dict[str, object]], status: int = 200) -> httpx.Client:
    def handle(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        requests.append(body)
        return httpx.Response(status, json=REPLIES[body["question"]])

    return httpx.Client(base_url="http://service", transport=httpx.MockTransport(handle))


def test_every_question_is_asked_once_with_the_options_given() -> None:
    requests: list[dict[str, object]] = []
    outcomes = ask_all(
        [KNOWN, UNKNOWN], client=service(requests), collection="laws", mode="auto", model="m", clock=count(0.0, 1.0).__next__
    )
    assert requests == [
        {"question": "Which port?", "collection": "laws", "mode": "auto", "model": "m"},
        {"question": "Who is the mayor?", "collection": "laws", "mode": "auto", "model": "m"},
    ]
    assert [o.seconds for o in outcomes] == [1.0, 1.0]


def test_without_a_model_the_service_chooses() -> None:
    requests: list[dict[str, object]] = []
    ask_all([KNOWN], client=service(requests), collection="default", mode="extractive", model=None)
    assert "model" not in requests[0]


def test_a_service_that_fails_is_named_with_its_own_words() -> None:
    with pytest.raises(Unavailable, match="503 to 1"):
        ask_all([KNOWN], client=service([], status=503), collection="default", mode="auto", model=None)


def test_the_summary_counts_right_cited_and_refused_apart() -> None:
    outcomes = ask_all([KNOWN, WRONG, UNKNOWN], client=service([]), collection="default", mode="auto", model=None)
    lines = summary(outcomes, str.lower)
    assert lines[0] == "answerable n 2"
    assert "(2/2)" in lines[1]
    assert "(1/2)" in lines[2]
    assert "(1/2)" in lines[3]
    assert "(1/2)" in lines[4]
    assert lines[5] == "unanswerable n 1"
    assert "(0/1)" in lines[6]
    assert lines[7].startswith("seconds p50")


def test_a_missing_file_is_one_line_and_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["answers", str(tmp_path / "none.jsonl")]) == 2
    assert "none.jsonl" in capsys.readouterr().err


def test_the_corpus_command_says_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.jsonl").write_text('{"id": "a", "text": "t"}\n', encoding="utf-8")
    assert main(["corpus", str(tmp_path / "p.jsonl"), str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.startswith("1 files")
