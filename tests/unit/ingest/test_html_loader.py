"""A web page gives its main text with headings, lists, tables and code, and not its menus."""

import pytest

from core.errors import Unreadable
from ingest.loaders import html
from ingest.loaders.parsed import Parsed


def load(source: str) -> Parsed:
    return html.load(source.encode())


def shape(parsed: Parsed) -> list[tuple[str, str]]:
    return [(b.kind, parsed.text[b.start : b.end]) for b in parsed.blocks]


def test_a_page_of_all_kinds() -> None:
    parsed = load(
        "<html><head><title> A  page </title><meta name=author content='Ann'><meta property='article:published_time' content='2026-01-02'>"
        "<style>p{}</style></head><body><nav><a href=/>Home</a></nav><h1>Main</h1><p>One <b>bold</b> word<br>and a line.</p>"
        "<ul><li>a<ul><li>inner</ul><li>b</ul><ol><li>first<li>second</ol>"
        "<table><tr><th>Name<th>Price<tr><td>x<td>1|2</table><pre>code\n  more</pre><h2>Sub</h2>loose text<script>var no;</script>"
        "<footer>Imprint</footer></body></html>"
    )
    assert parsed.title == "A page"
    assert dict(parsed.metadata) == {"author": "Ann", "date": "2026-01-02"}
    assert shape(parsed) == [
        ("heading", "Main"),
        ("paragraph", "One bold word and a line."),
        ("list", "- a\n  - inner\n- b"),
        ("list", "1. first\n2. second"),
        ("table", "| Name | Price |\n|---|---|\n| x | 1\\|2 |"),
        ("code", "code\n  more"),
        ("heading", "Sub"),
        ("paragraph", "loose text"),
    ]
    assert [(b.level, b.label) for b in parsed.blocks if b.kind == "heading"] == [(1, "Main"), (2, "Sub")]
    assert next(b.label for b in parsed.blocks if b.kind == "table") == "| Name | Price |"


ARTICLE = "".join(
    f"<h2>Part {n}</h2><p>{'The pump of this part moves water from the lower tank to the upper one. ' * 4}</p>" for n in range(12)
)
MENU = "<div class='sidebar menu'><ul>" + "".join(f"<li><a href='/p{n}'>Section link {n}</a></li>" for n in range(40)) + "</ul></div>"


def test_boilerplate_of_a_long_page_goes_and_its_headings_stay() -> None:
    parsed = load(
        f"<html><body>{MENU}<article><h1>Pumps</h1>{ARTICLE}</article><div class='cookie-banner'><p>We use cookies.</p></div></body></html>"
    )
    assert "Section link" not in parsed.text
    assert parsed.text.startswith("Pumps")
    assert [b.label for b in parsed.blocks if b.kind == "heading"] == ["Pumps", *(f"Part {n}" for n in range(12))]


def test_a_page_of_which_the_main_text_is_not_found_is_read_whole() -> None:
    rows = "".join(f"<tr><td>Item {n}</td><td>{n * 3} EUR</td></tr>" for n in range(200))
    parsed = load(f"<html><body><table><tr><th>Item</th><th>Price</th></tr>{rows}</table></body></html>")
    assert "| Item 199 | 597 EUR |" in parsed.text


@pytest.mark.parametrize(("declared", "encoding"), [("big5", "big5"), ("gb2312", "gb18030"), ("utf-8", "utf-8")])
def test_the_declared_encoding_is_used_when_it_fits(declared: str, encoding: str) -> None:
    words = "本公司規定請假應於三日前提出申請" if encoding != "gb18030" else "本公司规定请假应于三日前提出申请"
    data = f"<html><head><meta charset={declared}></head><body><p>{words}</p></body></html>".encode(encoding)
    assert html.load(data).text == words


def test_an_xml_declaration_is_no_obstacle() -> None:
    assert load("<?xml version='1.0' encoding='utf-8'?><html><body><p>中文</p></body></html>").text == "中文"


def test_entities_and_spaces() -> None:
    assert load("<p>a&nbsp;&amp;&#x4e2d;   b</p>").text == "a &中 b"


def test_a_layout_table_is_read_as_text_and_a_data_table_as_rows() -> None:
    parsed = load("<table><tr><td><h1>In a frame</h1><p>Text.</p></td></tr></table><table><tr><td>a</td><td>b</td></tr></table>")
    assert shape(parsed) == [("heading", "In a frame"), ("paragraph", "Text."), ("table", "| a | b |")]


@pytest.mark.parametrize(
    "source", ["", "   ", "<html></html>", "<html><body><script>draw()</script></body></html>", "<!-- c -->", "<img src=x>"]
)
def test_a_page_without_text_says_so(source: str) -> None:
    with pytest.raises(Unreadable) as caught:
        load(source)
    assert caught.value.reason == "no text"


def test_entities_are_not_expanded_and_files_not_read() -> None:
    parsed = load("<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><p>before &e; after</p>")
    assert "root:" not in parsed.text


@pytest.mark.parametrize("unit", ["<div>", "<b>", "<table><tr><td>", "<ul><li>", "<p>a", "<!--", "&#0;", "<td>a"])
def test_hostile_nesting_ends(unit: str) -> None:
    assert load("<p>start</p>" + unit * 3_000 + "end").text.startswith("start")


def test_surrogates_and_nul_are_replaced() -> None:
    text = load("<p>a&#xD800;b&#0;c</p>").text
    text.encode("utf-8")
    assert "\0" not in text
