"""The report says what happened and what to do, in the reader's language, on lines that nothing can break."""

import io
import json

import pytest

from ingest.discover import Outcome
from ingest.pipeline import Report
from ingest.progress import Progress
from ingest.report import as_json, language_of, render, shown


def full_report() -> Report:
    return Report(
        added=["a.md", "b.md"],
        replaced=["c.md"],
        unchanged=["d.md"] * 7,
        dropped=["e.md"],
        failed=[Outcome("scan.pdf", "no text", "its only page has no text"), Outcome("old.docx", "damaged")],
        kept=["old.docx"],
        skipped=[Outcome(f"p{n}.jpg", "unsupported", ".jpg") for n in range(9)] + [Outcome("l", "link", "it leads outside of the folder")],
        empty_pages={"x.pdf": [1, 2, 3, 7, 9, 10]},
        passages=1234,
        generation=42,
    )


def test_english() -> None:
    assert render(full_report(), "docs", "default", "en").split("\n") == [
        "Ingest of docs into the collection default",
        "  added 2, replaced 1, unchanged 7, dropped 1, failed 2, skipped 10",
        "failed:",
        "  scan.pdf: no text: its only page has no text",
        "  old.docx: damaged (the version indexed before stays)",
        "skipped:",
        "  link 1: l (it leads outside of the folder)",
        "  unsupported 9: p0.jpg, p1.jpg, p2.jpg, and 6 more",
        "pages without text:",
        "  x.pdf: 1-3, 7, 9-10",
        "1,234 passages from added and replaced files",
        "Published generation 42.",
    ]


def test_chinese() -> None:
    lines = render(full_report(), "docs", "default", "zh").split("\n")
    assert lines[1] == "  新增 2、更新 1、未變 7、移除 1、失敗 2、略過 10"
    assert "  scan.pdf: 沒有文字 (no text): its only page has no text" in lines
    assert lines[-1] == "已發布第 42 代索引。"


def test_nothing_new() -> None:
    lines = render(Report(unchanged=["a"]), "docs", "kb", "en").split("\n")
    assert lines[1:] == [
        "  added 0, replaced 0, unchanged 1, dropped 0, failed 0, skipped 0",
        "0 passages from added and replaced files",
        "Nothing to publish: the index is up to date.",
    ]


def test_a_dry_run_names_the_files_and_publishes_nothing() -> None:
    text = render(Report(added=[f"f{n}.md" for n in range(25)], dropped=["x.md"], dry_run=True), "docs", "default", "en")
    assert "nothing was written" in text
    assert "  f0.md" in text
    assert "  and 5 more" in text
    assert "  x.md" in text
    assert "ublish" not in text


def test_what_was_deleted_through_the_api_is_explained() -> None:
    text = render(Report(kept_out=["a.md"]), "docs", "default", "en")
    assert "kept out 1" in text
    assert "--full" in text


def test_every_word_is_there_in_both_languages() -> None:
    for language in ("en", "zh"):
        for report in (full_report(), Report(kept_out=["a"], dry_run=True, added=["x"] * 30)):
            assert "{" not in render(report, "docs", "default", language)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["two\nlines", "tab\t", "\x1b[31mred", "a\u202egnp.exe", "bell\x07", "\x7f", "\u2028"])
def test_a_name_cannot_break_a_line_or_paint_the_terminal(name: str) -> None:
    assert shown(name).isprintable()
    report = Report(failed=[Outcome(name, "damaged", name)], skipped=[Outcome(name, "hidden")], empty_pages={name: [1]})
    assert all(line.isprintable() for line in render(report, name, "default", "en").split("\n"))


def test_chinese_and_emoji_are_shown_as_they_are() -> None:
    assert shown("人事 規章 🦆.md") == "人事 規章 🦆.md"


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({"LANG": "zh_TW.UTF-8"}, "zh"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_TW.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "zh_TW.UTF-8", "LC_ALL": ""}, "zh"),
        ({"LC_MESSAGES": "zh_TW", "LANG": "C.UTF-8"}, "zh"),
        ({}, "en"),
    ],
)
def test_the_language_is_the_locale_s(environ: dict[str, str], language: str) -> None:
    assert language_of(environ) == language


def test_json_holds_everything() -> None:
    found = json.loads(as_json(full_report(), "docs", "default"))
    assert found["collection"] == "default"
    assert found["generation"] == 42
    assert len(found["skipped"]) == 10
    assert found["failed"][0] == {"source": "scan.pdf", "reason": "no text", "detail": "its only page has no text"}


# ---- progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_a_terminal_there_is_a_line_now_and_then() -> None:
    now = [0.0]
    out = io.StringIO()
    with Progress("en", out=out, clock=lambda: now[0]) as progress:
        progress.begin("compare", 3)
        progress.begin("index", 100)
        for number in range(100):
            now[0] += 0.2
            progress.file_done(f"f{number}")
            progress.passages_done(2)
        progress.begin("publish", 0)
    lines = out.getvalue().splitlines()
    assert lines[0] == "indexing: 100 files"
    assert lines[-1] == "publishing"
    assert 3 <= len(lines[1:-1]) <= 4
    assert lines[1].startswith("indexing: 25/100 files, ")


def test_on_a_terminal_there_is_a_bar_with_safe_names() -> None:
    out = Terminal()
    with Progress("zh", out=out) as progress:
        progress.begin("index", 2)
        progress.file_done("two\nlines.md")
        progress.passages_done(5)
        progress.file_done("b.md")
    assert "建立索引" in out.getvalue()
    assert "2/2" in out.getvalue()
    assert "two\nlines" not in out.getvalue()
