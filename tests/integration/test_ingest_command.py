"""The command from a folder to answers of the index: real loaders, real children, real store; only the embedder has no weights."""

import os
import shutil
from pathlib import Path

import pytest

from tests.integration.ingest_desk import Desk
from tests.unit.ingest.samples import docx, encrypted_pdf, paragraph, pdf, table


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    (tmp_path / "docs").mkdir()
    return Desk(tmp_path / "docs", tmp_path / "data")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two documents that has been ingested, to be copied."""
    top = tmp_path_factory.mktemp("template")
    (top / "docs").mkdir()
    desk = Desk(top / "docs", top / "data")
    desk.write("leave.md", "# 請假規定\n\n員工請假應於三日前提出申請，經主管核准後生效。\n")
    desk.write("pumps.txt", "The pump stops when the float switch opens.\n\nIt starts again at two metres.\n")
    assert desk.ingest() == 0
    assert "added 2" in desk.out
    return top


@pytest.fixture
def filled(template: Path, tmp_path: Path) -> Desk:
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return Desk(tmp_path / "docs", tmp_path / "data")


def test_every_format_is_found_again_with_its_place(desk: Desk) -> None:
    desk.write("manual.pdf", pdf(["# Introduction\nNothing of interest here.", "# Valves\nThe safety valve opens at nine bar."]))
    desk.write("規章/請假.md", "# 請假\n\n特別休假滿一年給予七日。")
    desk.write("guide.mdx", "import X from 'y'\n\n# Guide\n\n<Tip>\nThe filter is washed every Monday.\n</Tip>\n")
    desk.write("notes.txt", "電話分機為四二七號。".encode("big5"))
    desk.write("page.html", "<html><body><nav>Menu</nav><h1>Shop</h1><p>Gaskets cost eleven euros.</p></body></html>")
    desk.write(
        "letter.docx",
        docx(
            paragraph("Warranty", style="H1")
            + paragraph("The warranty lasts thirty months.")
            + table([["Part", "Code"], ["Seal", "PPR-9087"]])
        ),
    )
    assert desk.ingest() == 0
    assert "added 6" in desk.out
    assert desk.find("At how many bar does the safety valve open?")[0] == ("manual.pdf", 2)
    assert desk.find("特別休假幾日")[0] == ("規章/請假.md", 1)
    assert desk.find("When is the filter washed?")[0] == ("guide.mdx", 1)
    assert desk.find("電話分機幾號")[0] == ("notes.txt", 1)
    assert desk.find("What do gaskets cost?")[0] == ("page.html", 1)
    assert desk.find("PPR-9087")[0] == ("letter.docx", 1)


def test_the_same_folder_again_embeds_nothing_and_publishes_nothing(filled: Desk) -> None:
    before = filled.snapshot()
    assert filled.ingest() == 0
    assert "added 0, replaced 0, unchanged 2, dropped 0, failed 0" in filled.out
    assert "up to date" in filled.out
    assert filled.embedder.encoded == 0
    assert filled.snapshot() == before


def test_edit_delete_and_add_follow_the_folder(filled: Desk) -> None:
    reader = filled.collection()
    filled.write("leave.md", "# 請假規定\n\n員工請假應於五日前提出申請。\n")
    (filled.folder / "pumps.txt").unlink()
    filled.write("new.md", "The canteen opens at noon.")
    report = filled.report()
    assert (report["added"], report["replaced"], report["dropped"]) == (["new.md"], ["leave.md"], ["pumps.txt"])
    assert reader.refresh(), "a reader that is already open sees the new generation"
    assert {d.source for d in reader.documents()} == {"leave.md", "new.md"}
    assert "五日前" in reader.search("請假", k=1).hits[0].passage.text
    reader.close()


def test_failed_files_make_exit_code_1_and_are_named(filled: Desk) -> None:
    filled.write("zero.pdf", b"")
    filled.write("locked.pdf", encrypted_pdf(user_password="secret"))
    filled.write("scan.pdf", pdf([""]))
    filled.write("broken.docx", b"PK\x03\x04 broken")
    filled.write("good.md", "Good words.")
    assert filled.ingest() == 1
    for line in ("zero.pdf: damaged", "locked.pdf: encrypted", "scan.pdf: no text", "broken.docx: damaged", "added 1", "failed 4"):
        assert line in filled.out
    assert filled.find("Good words")[0] == ("good.md", 1)


def test_a_file_that_fails_now_stays_as_it_was_indexed(filled: Desk) -> None:
    filled.write("leave.md", b"\0\1\2\3" * 500)
    assert filled.ingest() == 1
    assert "leave.md: damaged" in filled.out
    assert "the version indexed before stays" in filled.out
    assert filled.find("員工請假應於三日前")[0] == ("leave.md", 1)


@pytest.mark.parametrize("name", ["人事 規章.md", "two\nlines.md", "emoji 🦆.txt", "'; drop table documents; --.md"])
def test_any_name_is_indexed_and_found(desk: Desk, name: str) -> None:
    desk.write(name, "The duck is yellow.")
    assert desk.ingest() == 0
    assert desk.find("yellow duck") == [(name, 1)]
    assert "\n".join(desk.out.splitlines()) + "\n" == desk.out


def test_a_name_that_is_not_utf8_is_indexed(desk: Desk) -> None:
    Path(os.fsdecode(os.fsencode(desk.folder) + b"/caf\xe9.md")).write_text("The coffee is strong.")
    assert desk.ingest() == 0
    assert desk.find("strong coffee") == [("caf\\xe9.md", 1)]


def test_links_that_loop_or_lead_out_are_skipped(filled: Desk) -> None:
    (filled.folder / "loop").symlink_to(filled.folder)
    (filled.folder / "out.txt").symlink_to("/etc/passwd")
    assert filled.ingest() == 0
    assert "link 2" in filled.out
    assert "unchanged 2" in filled.out


def test_two_files_of_the_same_bytes_are_both_found(desk: Desk) -> None:
    desk.write("a.md", "The same duck.")
    desk.write("b.md", "The same duck.")
    assert desk.ingest() == 0
    assert sorted(source for source, _ in desk.find("duck")) == ["a.md", "b.md"]
    assert desk.embedder.encoded == 2, "their titles differ"
