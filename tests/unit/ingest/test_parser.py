"""Any failure of a loader becomes an answer with a reason; nothing a file does reaches further."""

import json

import pytest

from ingest.parser import parse
from tests.unit.ingest.samples import docx, pdf


def answer(name: str, data: bytes, characters: int = 1000) -> dict[str, object]:
    found, _ = parse(name, data, characters)
    json.dumps(found, ensure_ascii=False).encode("utf-8")
    return found


def test_a_parsed_file_is_plain_json() -> None:
    found = answer("markdown", "---\nauthor: 王\n---\n# 標題\n\n內文".encode())
    assert found == {
        "text": "# 標題\n\n內文",
        "title": "標題",
        "pages": [(1, 0, 8, "")],
        "blocks": [("heading", 0, 4, 1, "標題"), ("paragraph", 6, 8, 0, "")],
        "metadata": {"author": "王"},
    }


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("text", b"", "no text"),
        ("pdf", b"%PDF-1.4 broken", "damaged"),
        ("docx", b"PK\x03\x04", "damaged"),
        ("docx", docx(""), "no text"),
        ("pdf", pdf([""]), "no text"),
        ("markdown", b"x" * 1001, "limit"),
        ("text", b"x" * 4001, "limit"),
        ("no such format", b"x", "damaged"),
    ],
)
def test_a_failure_is_a_reason(name: str, data: bytes, reason: str) -> None:
    found = answer(name, data)
    assert found["reason"] == reason
    assert found["detail"]


def test_a_text_of_exactly_the_limit_is_taken() -> None:
    assert answer("markdown", b"x" * 1000)["text"] == "x" * 1000


def test_after_an_unforeseen_error_the_process_is_replaced() -> None:
    _, spent = parse("no such format", b"x", 1000)
    assert spent
    _, spent = parse("text", b"", 1000)
    assert not spent, "a reason that a loader gives leaves it sound"


def test_nul_and_surrogates_never_leave() -> None:
    found = answer("text", b"a\0b " + "好的。".encode() * 30)
    assert "\0" not in str(found["text"])
