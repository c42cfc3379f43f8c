"""A PDF gives paragraphs with their pages, headings from its outline or its letters, and reasons when it gives nothing."""

import pytest

from core.errors import Unreadable
from ingest.loaders import pdf
from ingest.loaders.parsed import Parsed
from ingest.loaders.pdf_facts import read_facts
from tests.unit.ingest.samples import encrypted_pdf, raw_pdf
from tests.unit.ingest.samples import pdf as make

LONG = "The pump moves water from the lower tank to the upper one and stops when the float switch opens, at a level of two metres. " * 3


def shape(parsed: Parsed) -> list[tuple[str, str]]:
    return [(b.kind, parsed.text[b.start : b.end]) for b in parsed.blocks]


def refusal(data: bytes) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        pdf.load(data)
    return caught.value


def test_pages_are_found_in_the_text() -> None:
    parsed = pdf.load(make(["Words of page one.", "Words of page two.", "Words of page three."]))
    assert [(p.number, parsed.text[p.start : p.end]) for p in parsed.pages] == [
        (1, "Words of page one."),
        (2, "Words of page two."),
        (3, "Words of page three."),
    ]
    assert parsed.metadata["pages"] == "3"


def test_wrapped_text_is_one_paragraph() -> None:
    parsed = pdf.load(make([LONG]))
    assert shape(parsed) == [("paragraph", LONG.strip())]


def test_headings_come_from_the_outline() -> None:
    parsed = pdf.load(make([f"# Pumps\n{LONG}", f"# Tanks\n{LONG}"]))
    assert shape(parsed) == [("heading", "Pumps"), ("paragraph", LONG.strip()), ("heading", "Tanks"), ("paragraph", LONG.strip())]
    assert [b.label for b in parsed.blocks if b.kind == "heading"] == ["Pumps", "Tanks"]


def test_without_an_outline_large_letters_are_headings() -> None:
    parsed = pdf.load(make([f"# Pumps\n{LONG}\n# Tanks\n{LONG}"], outline=False))
    assert [b.label for b in parsed.blocks if b.kind == "heading"] == ["Pumps", "Tanks"]
    assert parsed.title == "Pumps"


@pytest.mark.parametrize(
    ("stated", "title"),
    [
        ("Handbook of pumps", "Handbook of pumps"),
        ("Microsoft Word - draft3.doc", "Pumps"),
        ("untitled", "Pumps"),
        ("report.pdf", "Pumps"),
        ("", "Pumps"),
    ],
)
def test_the_stated_title_is_used_when_it_says_something(stated: str, title: str) -> None:
    assert pdf.load(make([f"# Pumps\n{LONG}"], title=stated)).title == title


def test_metadata() -> None:
    metadata = pdf.load(make(["Text."], author="王小明")).metadata
    assert metadata["author"] == "王小明"
    assert len(metadata["date"]) == 10
    assert all(isinstance(value, str) for value in metadata.values())


def test_a_page_without_text_is_empty_and_counted() -> None:
    parsed = pdf.load(make(["First.", "", "Third."]))
    assert [(p.number, p.end - p.start) for p in parsed.pages] == [(1, 6), (2, 0), (3, 6)]


def test_an_open_password_is_needed() -> None:
    error = refusal(encrypted_pdf(user_password="secret"))
    assert error.reason == "encrypted"
    assert "password" in error.detail


def test_an_owner_password_alone_is_no_obstacle() -> None:
    assert "The secret is safe." in pdf.load(encrypted_pdf(user_password="")).text


@pytest.mark.parametrize(
    "data",
    [b"", b"%PDF-1.4", b"not a pdf at all", make(["Text."])[:200], b"\0" * 1000, b"%PDF-1.7\n" + bytes(range(256)) * 20],
    ids=["empty", "header", "text", "cut", "zeros", "noise"],
)
def test_what_is_no_pdf_is_damaged(data: bytes) -> None:
    assert refusal(data).reason == "damaged"


def test_a_scan_is_no_text_and_says_what_to_do() -> None:
    one = refusal(make([""]))
    assert one.reason == "no text"
    assert "its only page" in one.detail
    assert "OCR" in refusal(make(["", ""])).detail


def test_a_bullet_list() -> None:
    parsed = pdf.load(make([f"{LONG}\n- first item\n- second item\nAfter the list."]))
    assert ("list", "- first item\n- second item") in shape(parsed)


def test_operators_that_are_wrong_do_not_stop_the_rest() -> None:
    parsed = pdf.load(raw_pdf(b"BT /F1 12 Tf 72 700 Td (Before) Tj ET Q Q (x) Tj BT /F9 12 Tf 72 600 Td (After) Tj ET"))
    assert "Before" in parsed.text


def test_facts_of_a_broken_file_are_empty() -> None:
    for data in (b"", b"%PDF-1.4\ntrailer<</Root 1 0 R>>", make(["x"])[:300]):
        facts = read_facts(data)
        assert facts.outline == ()
        assert facts.metadata == {}


def test_the_outline_has_levels_and_pages() -> None:
    facts = read_facts(make(["# One\ntext", "# Two\ntext"]))
    assert [(e.title, e.level, e.page) for e in facts.outline] == [("One", 1, 1), ("Two", 1, 2)]
