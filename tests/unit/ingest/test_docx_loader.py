"""A Word document gives its headings, its numbers as a reader sees them, and its tables as rows."""

import pytest

from core.errors import Unreadable
from ingest.loaders import docx
from ingest.loaders.docx_styles import number_text
from ingest.loaders.parsed import Parsed
from tests.unit.ingest.samples import W, archive, paragraph, table
from tests.unit.ingest.samples import docx as make


def shape(parsed: Parsed) -> list[tuple[str, str]]:
    return [(b.kind, parsed.text[b.start : b.end]) for b in parsed.blocks]


def refusal(data: bytes) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        docx.load(data)
    return caught.value


def test_headings_by_style_by_what_it_is_based_on_and_by_outline_level() -> None:
    body = (
        paragraph("文件名稱", style="T") + paragraph("一級", style="H1") + paragraph("二級", style="Mine") + paragraph("三級", style="Lvl")
    )
    parsed = docx.load(make(body + paragraph("內文。")))
    assert [(b.level, b.label) for b in parsed.blocks if b.kind == "heading"] == [(1, "文件名稱"), (1, "一級"), (2, "二級"), (3, "三級")]
    assert shape(parsed)[-1] == ("paragraph", "內文。")
    assert parsed.title == "文件名稱"


def test_properties() -> None:
    parsed = docx.load(make(paragraph("Text", style="H1"), title="From properties", author="Ann & Bo".replace("&", "&amp;")))
    assert parsed.title == "From properties"
    assert dict(parsed.metadata) == {"author": "Ann & Bo", "date": "2026-05-04"}


def test_lists_carry_the_numbers_that_a_reader_sees() -> None:
    body = (
        paragraph("first", num="1")
        + paragraph("inner", num="1", level=1)
        + paragraph("inner too", num="1", level=1)
        + paragraph("second", style="LN")
        + paragraph("again inner", num="1", level=1)
        + paragraph("Between.")
        + paragraph("總則", num="2")
        + paragraph("請假", num="2")
        + paragraph("Bullet", num="3")
        + paragraph("Also", style="LB")
    )
    assert shape(docx.load(make(body))) == [
        ("list", "1. first\n  1.a inner\n  1.b inner too\n2. second\n  2.a again inner"),
        ("paragraph", "Between."),
        ("list", "第一條 總則\n第二條 請假\n- Bullet\n- Also"),
    ]


def test_a_numbered_heading_has_its_number() -> None:
    body = paragraph("總則", style="H1", num="2") + paragraph("內文") + paragraph("附則", style="H1", num="2")
    assert [b.label for b in docx.load(make(body)).blocks if b.kind == "heading"] == ["第一條 總則", "第二條 附則"]


@pytest.mark.parametrize(
    ("number", "form", "written"),
    [
        (3, "decimal", "3"),
        (3, "decimalZero", "03"),
        (28, "lowerLetter", "bb"),
        (3, "upperLetter", "C"),
        (1994, "upperRoman", "MCMXCIV"),
        (4, "lowerRoman", "iv"),
        (10, "taiwaneseCountingThousand", "十"),
        (11, "chineseCounting", "十一"),
        (23, "ideographTraditional", "二十三"),
        (7, "decimalEnclosedCircle", "⑦"),
        (0, "lowerLetter", "0"),
        (5000, "upperRoman", "5000"),
        (5, "unknownForm", "5"),
    ],
)
def test_numbers(number: int, form: str, written: str) -> None:
    assert number_text(number, form) == written


def test_a_table_is_rows_with_their_header() -> None:
    parsed = docx.load(make(table([["名稱", "價格|元"], ["甲", "1"], ["", ""], ["乙", "2"]])))
    assert shape(parsed) == [("table", "| 名稱 | 價格\\|元 |\n|---|---|\n| 甲 | 1 |\n| 乙 | 2 |")]
    assert parsed.blocks[0].label == "| 名稱 | 價格\\|元 |"


def test_merged_cells_keep_the_columns() -> None:
    row = f'<w:tr><w:tc><w:tcPr><w:gridSpan w:val="2"/></w:tcPr>{paragraph("wide")}</w:tc><w:tc>{paragraph("c")}</w:tc></w:tr>'
    body = f"<w:tbl>{row}<w:tr>" + "".join(f"<w:tc>{paragraph(x)}</w:tc>" for x in "123") + "</w:tr></w:tbl>"
    assert shape(docx.load(make(body))) == [("table", "| wide |  | c |\n|---|---|---|\n| 1 | 2 | 3 |")]


def test_a_table_of_one_column_is_a_frame_around_text() -> None:
    assert shape(docx.load(make(table([["In a frame"], ["More"]])))) == [("paragraph", "In a frame"), ("paragraph", "More")]


def test_changes_are_accepted_and_breaks_kept() -> None:
    run = "<w:r><w:t>{}</w:t></w:r>"
    body = (
        "<w:p>"
        + run.format("kept ")
        + "<w:del><w:r><w:delText>deleted</w:delText></w:r></w:del><w:ins>"
        + run.format("inserted")
        + "</w:ins><w:r><w:tab/><w:t>tab</w:t><w:br/><w:t>line</w:t><w:noBreakHyphen/><w:t>x</w:t></w:r>"
        + "<w:r><w:instrText>PAGEREF</w:instrText></w:r><w:hyperlink>"
        + run.format(" link")
        + "</w:hyperlink></w:p>"
    )
    assert shape(docx.load(make(body))) == [("paragraph", "kept inserted\ttab\nline-x link")]


def test_content_controls_and_text_boxes_are_read_once() -> None:
    box = f"<w:txbxContent>{paragraph('in a box')}</w:txbxContent>"
    alternate = (
        f"<w:r><mc:AlternateContent xmlns:mc='m'><mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent></w:r>"
    )
    body = f"<w:sdt><w:sdtContent>{paragraph('controlled')}</w:sdtContent></w:sdt><w:p><w:r><w:t>beside</w:t></w:r>{alternate}</w:p>"
    assert shape(docx.load(make(body))) == [("paragraph", "controlled"), ("paragraph", "beside"), ("paragraph", "in a box")]


def test_footnotes_come_at_the_end() -> None:
    notes = f'<w:footnotes xmlns:w="{W}"><w:footnote>{paragraph("the note")}</w:footnote></w:footnotes>'
    parsed = docx.load(make(paragraph("Text."), extra={"word/footnotes.xml": notes.encode()}))
    assert shape(parsed) == [("paragraph", "Text."), ("paragraph", "the note")]


def test_another_name_space_and_main_part_are_read() -> None:
    """As the strict variant of the format, and some exporters, write it."""
    strict = f'<w:document xmlns:w="http://purl.oclc.org/ooxml/wordprocessingml/main"><w:body>{paragraph("Strict.")}</w:body></w:document>'
    kind = "http://purl.oclc.org/ooxml/officeDocument/relationships/officeDocument"
    relations = f'<Relationships xmlns="x"><Relationship Type="{kind}" Target="/doc/main.xml"/></Relationships>'
    data = archive({"_rels/.rels": relations.encode(), "doc/main.xml": strict.encode()})
    assert docx.load(data).text == "Strict."


@pytest.mark.parametrize(
    ("data", "reason", "words"),
    [
        (b"", "damaged", "empty"),
        (b"not a zip", "damaged", "no Word document"),
        (b"PK\x03\x04" + b"\0" * 100, "damaged", "no Word document"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "encrypted", "password"),
        (archive({"other.txt": b"x"}), "damaged", "no Word document inside"),
        (archive({"word/document.xml": b"<broken"}), "damaged", "no XML"),
        (archive({"word/document.xml": b"<a/>"}), "damaged", "no document body"),
        (make(""), "no text", "no text"),
        (make(paragraph("  ")), "no text", "no text"),
        (make(paragraph("x")[:-3]), "damaged", "no XML"),
        (make(paragraph("&e;"), head='<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]>'), "damaged", "document type"),
        (make(paragraph("&b;"), head='<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'), "damaged", "document type"),
        (make("<w:sdt>" * 5000 + "</w:sdt>" * 5000), "damaged", "no XML"),
        (archive({f"p{n}": b"" for n in range(20_001)}), "limit", "parts"),
    ],
)
def test_what_cannot_be_read_says_why(data: bytes, reason: str, words: str) -> None:
    error = refusal(data)
    assert error.reason == reason
    assert words in error.detail


def test_a_broken_side_part_costs_only_itself() -> None:
    parsed = docx.load(
        make(paragraph("Heading", style="H1") + paragraph("Text"), extra={"word/styles.xml": b"<oops", "docProps/core.xml": b""})
    )
    assert shape(parsed) == [("paragraph", "Heading"), ("paragraph", "Text")]


def with_stated_size(size: int) -> bytes:
    """A document whose directory states another unpacked size of its main part."""
    data = bytearray(make(paragraph("Some text that is long enough.")))
    at = data.find(b"word/document.xml", data.find(b"PK\x01\x02"))
    data[at - 22 : at - 18] = size.to_bytes(4, "little")
    return bytes(data)


def test_a_part_that_unpacks_to_too_much_is_refused_before_it_is_unpacked() -> None:
    error = refusal(with_stated_size(130_000_000))
    assert error.reason == "limit"
    assert "130 MB unpacked" in error.detail


def test_a_part_that_lies_about_its_size_is_damaged() -> None:
    assert refusal(with_stated_size(10)).reason == "damaged"
