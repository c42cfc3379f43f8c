"""What docs/ promises: two languages side by side, links that lead somewhere, examples that parse, and a question set that fits."""

import ast
import json
import re
from pathlib import Path

import opencc
import pypdfium2
import pytest

from app.metrics import Metrics
from app.routes import ask, collections, documents, health, openai, page, search
from core.settings import Settings
from ingest.loaders.formats import FORMATS

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])
QUESTIONS = ROOT / "evaluation" / "questions" / "docs.jsonl"
BOTH_SCRIPTS = set(
    "占游台里后只干面系余谷制准托斗折了表布出向回周采症几極据沖板致吁仆舍松卷借克范朱于吊云"
)  # OpenCC converts them, Taiwan writes them
MAINLAND = re.compile("軟件|程序|數據|服務器|運行|默認|質量|信息|硬盤|內存|網絡|視頻")


def pdf_pages() -> list[str]:
    with pypdfium2.PdfDocument(DOCS / "four-routes.pdf") as pdf:
        return [page.get_textpage().get_text_bounded().replace("\r\n", " ") for page in pdf]


def corpus_text(source: str) -> str:
    return " ".join(pdf_pages()) if source.endswith(".pdf") else (DOCS / source).read_text(encoding="utf-8")


def test_every_page_exists_in_both_languages() -> None:
    assert {p.name for p in (DOCS / "en").iterdir()} == {p.name for p in (DOCS / "zh-TW").iterdir()}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_to_files(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_page_has_one_title_and_tables_of_even_rows(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(re.findall(r"^# ", text, flags=re.MULTILINE)) == 1
    for table in re.findall(r"(?:^\|.*\n?)+", text, flags=re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", re.sub(r"`[^`]*`", "", row))) for row in table.splitlines()}
        assert len(widths) == 1, table


@pytest.mark.parametrize("page", sorted((DOCS / "zh-TW").iterdir()), ids=lambda p: p.name)
def test_chinese_pages_are_traditional_with_taiwan_vocabulary(page: Path) -> None:
    text = page.read_text(encoding="utf-8").replace("「资料」", "")  # the one quoted example
    to_traditional = opencc.OpenCC("s2t").convert
    simplified = {c for c in set(re.findall("[\u4e00-\u9fff]", text)) - BOTH_SCRIPTS if to_traditional(c) != c}
    assert not simplified
    assert not MAINLAND.findall(text)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_examples_in_python_and_json_parse(page: Path) -> None:
    for language, body in re.findall(r"^```(\w+)\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE):
        if language == "python":
            ast.parse(body)
        elif language == "json":
            json.loads(body)


def test_the_tokenizer_example_does_what_it_says() -> None:
    for language in ("en", "zh-TW"):
        page = (DOCS / language / "tokenisation.md").read_text(encoding="utf-8")
        example = re.search(r"```python\n(.*?)```", page, flags=re.DOTALL)
        assert example
        exec(compile(example[1], "tokenisation.md", "exec"), {})  # its own asserts


def test_there_is_enough_to_read() -> None:
    english = sum(len(p.read_text(encoding="utf-8").split()) for p in (DOCS / "en").iterdir())
    chinese = sum(len(re.findall("[\u4e00-\u9fff]", p.read_text(encoding="utf-8"))) for p in (DOCS / "zh-TW").iterdir())
    assert english / 500 + chinese / 800 + len(pdf_pages()) >= 25


def test_the_pdf_is_small_labelled_and_readable() -> None:
    assert (DOCS / "four-routes.pdf").stat().st_size < 500_000
    with pypdfium2.PdfDocument(DOCS / "four-routes.pdf") as pdf:
        assert [pdf.get_page_label(n) for n in range(len(pdf))] == ["i", "1", "2", "3", "4", "5", "6", "7", "8"]
        assert len(list(pdf.get_toc())) == len(pdf)
        assert "四條路線實戰手冊" in pdf.get_metadata_value("Title")
        assert pdf.get_metadata_value("Author") == "Domain QA"
    assert "三十本虛構的泵浦手冊" in pdf_pages()[1]


def test_questions_name_sources_that_hold_their_answers() -> None:
    rows = [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    assert len({r["id"] for r in rows}) == len(rows) == 40
    answerable = [r for r in rows if r["answers"]]
    assert [sum(r["lang"] == lang for r in answerable) for lang in ("en", "zh-TW")] == [15, 15]
    for row in answerable:
        first = row["gold_sources"][0]
        text = corpus_text(first)
        assert any(answer in text for answer in row["answers"]), row["id"]
        assert all((DOCS / source).exists() for source in row["gold_sources"])
    assert all(not r["gold_sources"] for r in rows if not r["answers"])


def house_of(readme: str) -> list[str]:
    """Paths of the tree in a README."""
    tree = re.search(r"```\n(core/.*?)\n```", (ROOT / readme).read_text(encoding="utf-8"), flags=re.DOTALL)
    assert tree
    paths: list[str] = []
    folder = ""
    for line in tree[1].splitlines():
        name = line.split()[0]
        folder = folder if line.startswith(" ") else name
        paths.append(folder + name if line.startswith(" ") else name)
    return paths


def test_both_readmes_show_the_same_house_and_it_stands() -> None:
    assert house_of("README.md") == house_of("README.zh-TW.md")
    assert not [path for path in house_of("README.md") if not (ROOT / path).exists()]


@pytest.mark.parametrize("language", ["en", "zh-TW"])
def test_the_settings_table_has_the_real_defaults(language: str) -> None:
    manual = (DOCS / language / "operations.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `QA_(\w+)` \| (.*?) \|", manual, flags=re.MULTILINE))
    assert set(rows) == {name.upper() for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        if name != "models_dir":  # depends on the user's home
            shown = {None: {"none", "無"}, "": {"empty", "空白"}}.get(
                field.default, {f"{field.default}", f"{field.default}".removesuffix(".0")}
            )
            assert rows[name.upper()].strip("`") in shown, name


@pytest.mark.parametrize("language", ["en", "zh-TW"])
def test_every_route_metric_and_format_is_described(language: str) -> None:
    http, operations, ingest = (
        (DOCS / language / f"{n}.md").read_text(encoding="utf-8") for n in ("http-interface", "operations", "ingest")
    )
    for part in (ask, collections, documents, health, openai, search):
        for route in part.router.routes:
            path = getattr(route, "path", "").replace("{document_id}", "{id}")
            assert path in http, path
    assert page.router.routes
    metrics = {m.name if m.type != "counter" else f"{m.name}_total" for m in Metrics().registry.collect()}
    assert not [name for name in metrics if f"`{name}`" not in operations]
    assert not [suffix for f in FORMATS for suffix in f.suffixes if f"`{suffix}`" not in ingest]
