"""Plain text is read in whatever encoding it is, and kept as it is."""

import pytest

from core.errors import Unreadable
from ingest.loaders import text
from ingest.loaders.parsed import Parsed

TRADITIONAL = (
    "本公司員工應於每日上午九時前到達辦公室，並以識別證刷卡。請假須於三日前提出申請，經主管核准後生效。"
    "特別休假依年資計算，滿一年者給予七日。"
)
SIMPLIFIED = (
    "本公司员工应于每日上午九时前到达办公室，并以识别证刷卡。请假须于三日前提出申请，经主管核准后生效。"
    "特别休假依年资计算，满一年者给予七日。"
)


def spans(parsed: Parsed, kind: str = "paragraph") -> list[str]:
    return [parsed.text[b.start : b.end] for b in parsed.blocks if b.kind == kind]


@pytest.mark.parametrize(
    ("written", "encoding"),
    [
        (TRADITIONAL, "utf-8"),
        (TRADITIONAL, "utf-8-sig"),
        (TRADITIONAL, "big5"),
        (TRADITIONAL, "cp950"),
        (SIMPLIFIED, "gbk"),
        (SIMPLIFIED, "gb18030"),
        (TRADITIONAL, "gb18030"),
        (TRADITIONAL, "utf-16"),
        (SIMPLIFIED, "utf-16-be"),
        ("Plain English text in UTF-16 without a mark.", "utf-16-le"),
        ("Plain English text in UTF-16 without a mark.", "utf-16-be"),
        (TRADITIONAL, "utf-32"),
        ("Le café coûte cher à l'été, où l'on dîne près de la forêt.", "cp1252"),
        ("Съешь же ещё этих мягких французских булок, да выпей чаю. Это обычный русский текст для проверки.", "cp1251"),
        ("東京都は日本の首都であり、人口が最も多い都市です。これはテストのための文章です。", "shift_jis"),
        ("ASCII only.", "ascii"),
    ],
)
def test_the_encoding_is_found(written: str, encoding: str) -> None:
    assert text.decode(written.encode(encoding)) == written


def test_a_short_chinese_file_is_found_too() -> None:
    assert text.decode("你好，請看這裡。".encode("big5")) == "你好，請看這裡。"
    assert text.decode("你好，请看这里。".encode("gb18030")) == "你好，请看这里。"


def test_a_declared_encoding_is_tried_before_guessing() -> None:
    assert text.decode("café".encode("latin-1"), "latin-1") == "café"
    assert text.decode("café".encode(), "no-such-encoding") == "café"


def test_a_few_broken_bytes_do_not_change_the_encoding() -> None:
    data = (TRADITIONAL * 3).encode() + b"\xff\xfe" + "。完".encode()
    decoded = text.decode(data)
    assert decoded.startswith(TRADITIONAL)
    assert decoded.endswith("\ufffd\ufffd。完")


def test_a_file_cut_inside_a_character_is_read() -> None:
    assert text.decode((TRADITIONAL * 2).encode()[:-1]).startswith(TRADITIONAL)


def test_line_ends_become_one_kind_and_nothing_else_changes() -> None:
    parsed = text.load("第一行\r\n第二行\r\r\n“ﬁ”ＡＢＣ  két\n".encode())
    assert parsed.text == "第一行\n第二行\n\n“ﬁ”ＡＢＣ  két\n"
    assert spans(parsed) == ["第一行\n第二行", "“ﬁ”ＡＢＣ  két"]


@pytest.mark.parametrize("data", [b"", b"   ", b"\n\n\r\n\t", "\u3000\ufeff".encode()[:3]])
def test_nothing_to_read_is_no_text(data: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        text.load(data)
    assert caught.value.reason == "no text"


@pytest.mark.parametrize(
    "data", [b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40, b"\0" * 5000, bytes(range(32)) * 100, b"MZ\x90\0\x03\0\0\0" * 500]
)
def test_binary_data_is_not_indexed_as_text(data: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        text.load(data)
    assert caught.value.reason == "damaged"


def test_a_stray_control_character_is_no_binary_data() -> None:
    assert text.load(b"page one\x0cpage two\x1b[0m\x00 end").blocks


def test_paragraphs_and_chapter_lines() -> None:
    parsed = text.load(
        "第一章 總則\n\n第 1 條 本辦法依公司章程訂定。\n\n  Chapter 2 Leave\n\nText of it,\nover two lines.\n\n"
        "第二天我們去了很遠的地方。".encode()
    )
    assert spans(parsed, "heading") == ["第一章 總則", "Chapter 2 Leave"]
    assert [b.level for b in parsed.blocks if b.kind == "heading"] == [1, 1]
    assert spans(parsed) == ["第 1 條 本辦法依公司章程訂定。", "Text of it,\nover two lines.", "第二天我們去了很遠的地方。"]


def test_a_text_has_one_page_and_no_title_of_its_own() -> None:
    parsed = text.load(b"hello")
    assert [(p.number, p.start, p.end) for p in parsed.pages] == [(1, 0, 5)]
    assert parsed.title == ""


@pytest.mark.parametrize("unit", ["\n", "\n ", " \n\n", "a", "第一章", "。\n"])
def test_large_texts_of_one_kind_are_no_trap(unit: str) -> None:
    data = ("x" + unit * (300_000 // len(unit))).encode()
    assert text.load(data).blocks


@pytest.mark.parametrize("start", ["%PDF-1.4\n", "{\\rtf1 ", "GIF89a"])
def test_another_format_under_a_text_name_is_refused(start: str) -> None:
    with pytest.raises(Unreadable, match="another format"):
        text.load((start + "words that would decode well").encode())
