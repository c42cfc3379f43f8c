"""Markdown keeps its words and its structure, and loses what nobody reads."""

import contextlib
import time

import pytest

from core.errors import Unreadable
from ingest.loaders import markdown
from ingest.loaders.markup import outside_fences, strip_markup, tag_end
from ingest.loaders.parsed import Parsed


def load(source: str) -> Parsed:
    return markdown.load(source.encode())


def shape(parsed: Parsed) -> list[tuple[str, str]]:
    return [(b.kind, parsed.text[b.start : b.end]) for b in parsed.blocks]


def headings(parsed: Parsed) -> list[tuple[int, str]]:
    return [(b.level, b.label) for b in parsed.blocks if b.kind == "heading"]


def test_a_document_of_all_kinds() -> None:
    parsed = load(
        "# Title\n\nFirst paragraph,\ntwo lines.\nSecond\n=====\n- one\n- two\n  more\n\n  still two\n\nAfter.\n\n"
        "| a | b |\n|---|---|\n| 1 | 2 |\n\n```py\n# no heading\n\nx = 1\n```\n***\n\n    indented code\n\n1. first\n2. second\n> quoted\n"
    )
    assert shape(parsed) == [
        ("heading", "# Title"),
        ("paragraph", "First paragraph,\ntwo lines.\nSecond"),
        ("paragraph", "====="),
        ("list", "- one\n- two\n  more\n\n  still two"),
        ("paragraph", "After."),
        ("table", "| a | b |\n|---|---|\n| 1 | 2 |"),
        ("code", "```py\n# no heading\n\nx = 1\n```"),
        ("code", "    indented code"),
        ("list", "1. first\n2. second\n> quoted"),
    ]


def test_headings_of_every_form() -> None:
    parsed = load(
        "Big\n===\n\nSmaller\n-------\n\n### Closed ###\n\n####### seven\n\n#標題\n\n#hashtag\n\n"
        "# [Linked](http://x.y) **bold** `code` _it_ [[id]]\n\n"
        "## With id {#here}\n\n# 3 \\* 4 &amp; C#\n\n#\n\ntext"
    )
    assert headings(parsed) == [
        (1, "Big"),
        (2, "Smaller"),
        (3, "Closed"),
        (1, "標題"),
        (1, "Linked bold code it"),
        (2, "With id"),
        (1, "3 * 4 & C#"),
        (1, ""),
    ]


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ("---\ntitle: From the matter\n---\n# Heading\ntext", "From the matter"),
        ("+++\ntitle = 'Toml too'\n+++\ntext", "Toml too"),
        ("## Second\ntext\n# First\ntext", "First"),
        ("## Second only\ntext", "Second only"),
        ("just text", ""),
        ("# \n\n## Named\n\ntext", "Named"),
    ],
)
def test_the_title(source: str, title: str) -> None:
    assert load(source).title == title


def test_front_matter_becomes_metadata_and_is_not_indexed() -> None:
    parsed = load('---\nauthor: "王小明"\ndate: 2026-05-04\ntags:\n  - a\n---\n\n# A\n\nBody.\n')
    assert dict(parsed.metadata) == {"author": "王小明", "date": "2026-05-04"}
    assert "author" not in parsed.text
    assert "---" not in parsed.text


def test_a_rule_at_the_top_is_no_front_matter() -> None:
    assert shape(load("---\n\nText\n\n---\n\nMore")) == [("paragraph", "Text"), ("paragraph", "More")]


def test_comments_and_tags_go_and_their_content_stays() -> None:
    parsed = load(
        "Before <b>bold</b> <!-- not\nread --> after.<br>Next\n\n<div align='center'>\n\n**Kept**\n\n</div>\n"
        "<script>\nvar x = 1;\n</script>\nEnd"
    )
    assert "not\nread" not in parsed.text
    assert "var x" not in parsed.text
    assert [text for _, text in shape(parsed)] == ["Before bold  after.\nNext", "**Kept**", "End"]


def test_what_only_looks_like_a_tag_stays() -> None:
    source = "Use <mask> or <your name>, 1 < 2 and <https://x.y>, `<b>` too.\n\n```html\n<b>code</b> <!-- kept -->\n```"
    assert load(source).text == source


def test_images_leave_their_description_and_links_their_address() -> None:
    parsed = load("See ![the engine](data:image/png;base64," + "A" * 5000 + ") and ![](b.png) and [site](https://x.y/z).")
    assert parsed.text == "See the engine and  and [site](https://x.y/z)."


def test_an_html_table_keeps_its_cells_apart() -> None:
    parsed = load("<table>\n<tr><td>a</td><td>b</td></tr>\n</table>\n")
    assert "a | b |" in parsed.text


def test_tables_know_their_header() -> None:
    parsed = load("Text before\n名稱 | 價格\n--- | ---\n甲 | 1\n乙 | 2\n\nnot a row")
    table = next(b for b in parsed.blocks if b.kind == "table")
    assert table.label == "名稱 | 價格"
    assert parsed.text[table.start : table.end].count("\n") == 3


def test_a_table_without_a_rule_is_a_paragraph() -> None:
    assert shape(load("a | b\nc | d")) == [("paragraph", "a | b\nc | d")]


def test_a_fence_left_open_ends_with_the_file() -> None:
    assert shape(load("text\n\n~~~\n# code\n\n- code")) == [("paragraph", "text"), ("code", "~~~\n# code\n\n- code")]
    assert shape(load("````\n```\n````\nafter")) == [("code", "````\n```\n````"), ("paragraph", "after")]


@pytest.mark.parametrize("source", ["", "  \n", "<!-- only -->", "---\n\n***\n", "<div></div>", "---\ntitle: x\n---\n"])
def test_nothing_to_read_is_no_text(source: str) -> None:
    with pytest.raises(Unreadable) as caught:
        load(source)
    assert caught.value.reason == "no text"


def test_blocks_are_in_order_and_apart() -> None:
    parsed = load("# A\n" + "text\n\n- item\n\n| a |\n|---|\n\n```\ncode\n```\n" * 20)
    assert all(a.end <= b.start for a, b in zip(parsed.blocks, parsed.blocks[1:], strict=False))
    assert all(parsed.text[b.start : b.end].strip() for b in parsed.blocks)


@pytest.mark.parametrize(
    "unit",
    [
        "# ",
        "<div ",
        "<!--",
        "`",
        "` ",
        "|\n",
        "- a\n\n",
        "![a](",
        "***a",
        "---\n",
        "a: b\n",
        "    a\n",
        "```\n",
        "[[a",
        "# a [[",
        "<A x={",
        "| a |\n|-|\n",
    ],
)
def test_time_grows_with_the_length_only(unit: str) -> None:
    started = time.process_time()
    with contextlib.suppress(Unreadable):
        load(unit * (100_000 // len(unit)))
    assert time.process_time() - started < 3


# ---- the parts


def test_only_prose_is_changed_outside_fences() -> None:
    source = "a\n```\na\n```\na\n~~~ b\na\n```\n~~~~\na ```a``` a"
    assert outside_fences(source, lambda s: s.replace("a", "X")) == "X\n```\na\n```\nX\n~~~ b\na\n```\n~~~~\nX ```X``` X"


@pytest.mark.parametrize(
    ("tag", "rest"),
    [
        ("<a href='>'>x", "x"),
        ('<A b={c > d ? ">" : "}"} />x', "x"),
        ("<A f={() => { return '<b>' }}>x", "x"),
        ("<br/>x", "x"),
    ],
)
def test_the_end_of_a_tag(tag: str, rest: str) -> None:
    assert tag[tag_end(tag, 2) :] == rest


def test_a_tag_without_an_end_is_text() -> None:
    assert tag_end("<a href=", 2) == 0
    assert strip_markup("<div and so on", components=True) == "<div and so on"
