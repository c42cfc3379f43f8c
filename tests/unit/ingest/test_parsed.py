"""The parts that all loaders share."""

import importlib

import pytest

from ingest.loaders.formats import FORMATS, format_named, format_of, loader_of
from ingest.loaders.parsed import Writer, one_line, storable, strings, table_rows, whole


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("a.pdf", "pdf"),
        ("deep/er/B.PDF", "pdf"),
        ("a.b.md", "markdown"),
        ("a.markdown", "markdown"),
        ("a.mdx", "mdx"),
        ("a.txt", "text"),
        ("a.htm", "html"),
        ("a.docx", "docx"),
        ("檔案.TXT", "text"),
    ],
)
def test_a_format_is_known_by_the_ending_in_any_case(source: str, name: str) -> None:
    found = format_of(source)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("source", ["a", "a.doc", "a.csv", "pdf", ".md", "a.pdf.zip", "a.md ", ""])
def test_other_files_have_no_format(source: str) -> None:
    assert format_of(source) is None


def test_every_format_has_a_loader_and_no_ending_belongs_to_two() -> None:
    endings = [suffix for f in FORMATS for suffix in f.suffixes]
    assert len(endings) == len(set(endings))
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in endings)
    for chosen in FORMATS:
        assert loader_of(chosen) is importlib.import_module(chosen.module).load
        assert format_named(chosen.name) is chosen
    with pytest.raises(KeyError):
        format_named("xlsx")


def test_storable_replaces_one_for_one() -> None:
    odd = "a\x00b\ud800c\udfffd🦆"
    clean = storable(odd)
    assert clean == "a\ufffdb\ufffdc\ufffdd🦆"
    assert len(clean) == len(odd)
    clean.encode("utf-8")


def test_one_line_folds_and_cuts() -> None:
    assert one_line("  a\n\tb\u3000c ") == "a b c"
    assert one_line("x" * 300, 10) == "x" * 9 + "…"
    assert one_line("x" * 10, 10) == "x" * 10
    assert one_line("\ud800") == "\ufffd"


def test_metadata_becomes_strings_without_empty_ones() -> None:
    assert strings({"a": 1, "b": None, "c": " ", "d": "x\ny"}) == {"a": "1", "d": "x y"}


def test_the_writer_keeps_blocks_apart_and_leaves_empty_ones_out() -> None:
    writer = Writer()
    writer.add("heading", " Title ", 1, "Title")
    writer.add("paragraph", "  ")
    writer.add("paragraph", "Text\nmore")
    assert writer.text == "Title\n\nText\nmore"
    assert writer.length == len(writer.text)
    assert [(b.kind, writer.text[b.start : b.end], b.level) for b in writer.blocks] == [
        ("heading", "Title", 1),
        ("paragraph", "Text\nmore", 0),
    ]


def test_a_text_without_pages_is_on_page_one() -> None:
    parsed = whole("abc", "t", [])
    assert [(p.number, p.start, p.end) for p in parsed.pages] == [(1, 0, 3)]


def test_rows_of_a_table() -> None:
    text, header = table_rows([["a", "b|c"], ["1"], ["two\nlines", "", "3"]])
    assert text == "| a | b\\|c |  |\n|---|---|---|\n| 1 |  |  |\n| two lines |  | 3 |"
    assert header == "| a | b\\|c |  |"
    assert table_rows([["only"]]) == ("| only |", "| only |")
    assert table_rows([]) == ("", "")
