"""The command from a folder to answers of the index: real loaders, real children, real store; only the embedder has no weights."""

import fcntl
import io
import json
import os
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from core.errors import NotFound
from core.settings import Settings
from core.types import Filters
from index.fakes import FakeEmbedder
from index.search import Collection
from ingest.__main__ import main
from tests.unit.ingest.samples import docx, encrypted_pdf, paragraph, pdf, table


@dataclass
class Desk:
    """A folder of documents, a place for the index, and the command."""

    folder: Path
    data: Path
    embedder: FakeEmbedder = field(default_factory=FakeEmbedder)
    environ: dict[str, str] = field(default_factory=dict)
    out: str = ""
    err: str = ""

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def ingest(self, *options: str, folder: Path | None = None) -> int:
        """Exit code; what was written is in `out` and `err`."""
        out, err = io.StringIO(), io.StringIO()
        environ = {"QA_DATA_DIR": str(self.data), "QA_LOG_LEVEL": "ERROR", **self.environ}

        def opened(settings: Settings) -> FakeEmbedder:
            assert settings.data_dir == self.data
            return self.embedder

        code = main([str(folder or self.folder), *options], environ=environ, embedder=opened, out=out, err=err)
        self.out, self.err = out.getvalue(), err.getvalue()
        return code

    def report(self, *options: str) -> dict[str, object]:
        self.ingest("--json", *options)
        found: dict[str, object] = json.loads(self.out)
        return found

    def collection(self, name: str = "default") -> Collection:
        return Collection.open(self.data / name, self.embedder)

    def find(self, question: str, **filters: tuple[str, ...]) -> list[tuple[str, int]]:
        """(source, first page) of what the index finds, best first."""
        collection = self.collection()
        try:
            hits = collection.search(question, k=5, filters=Filters(**filters)).hits
            for hit in hits:
                whole = collection.document(hit.passage.document_id)
                assert whole.text[hit.passage.start : hit.passage.end] == hit.passage.text
            return [(hit.source, hit.passage.page_first) for hit in hits]
        finally:
            collection.close()

    def snapshot(self) -> dict[str, bytes]:
        """Every file of the index that a reader depends on."""
        return {
            str(p.relative_to(self.data)): p.read_bytes() for p in sorted(self.data.rglob("*")) if p.is_file() and "ledger" not in p.name
        }


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


def test_an_empty_folder_does_not_empty_the_collection(filled: Desk) -> None:
    before = filled.snapshot()
    for path in filled.folder.iterdir():
        path.unlink()
    filled.write("picture.jpg", b"jpg")
    assert filled.ingest() == 2
    assert "--allow-empty" in filled.err
    assert "unsupported" in filled.err
    assert filled.snapshot() == before
    assert filled.ingest("--allow-empty") == 0
    assert "dropped 2" in filled.out


@pytest.mark.parametrize(
    ("folder", "words"),
    [("nowhere", "does not exist"), ("docs/pumps.txt", "is a file")],
)
def test_a_folder_that_is_none_changes_nothing(filled: Desk, folder: str, words: str) -> None:
    before = filled.snapshot()
    assert filled.ingest(folder=filled.folder.parent / folder) == 2
    assert words in filled.err
    assert filled.snapshot() == before


@pytest.mark.parametrize("name", ["Upper", "../up", "", "a" * 65, "with space", "中文", "_first", "name\n"])
def test_a_bad_collection_name_is_refused(filled: Desk, name: str) -> None:
    assert filled.ingest("--collection", name) == 2
    assert "cannot name a collection" in filled.err


def test_collections_are_apart(filled: Desk, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "x.md").write_text("Only in the other collection.")
    assert filled.ingest("--collection", "kb-2", folder=other) == 0
    assert [d.source for d in filled.collection("kb-2").documents()] == ["x.md"]
    assert len(filled.collection().documents()) == 2


def test_a_dry_run_writes_nothing_and_needs_no_embedder(desk: Desk) -> None:
    desk.write("a.md", "One.")

    def none(settings: Settings) -> FakeEmbedder:
        raise AssertionError(f"a dry run loads no model, not even {settings.embedder}")

    out = io.StringIO()
    code = main([str(desk.folder), "--dry-run"], environ={"QA_DATA_DIR": str(desk.data)}, embedder=none, out=out, err=io.StringIO())
    assert code == 0
    assert "a.md" in out.getvalue()
    assert not desk.data.exists()
    with pytest.raises(NotFound):
        desk.collection()


def test_a_dry_run_compares_with_what_is_there(filled: Desk) -> None:
    before = filled.snapshot()
    filled.write("leave.md", "changed")
    report = filled.report("--dry-run")
    assert (report["replaced"], report["unchanged"], report["dry_run"]) == (["leave.md"], ["pumps.txt"], True)
    assert filled.snapshot() == before


def test_another_embedder_is_refused_until_full(filled: Desk) -> None:
    before = filled.snapshot()
    filled.embedder = FakeEmbedder(name="other")
    assert filled.ingest() == 2
    assert "--full" in filled.err
    assert filled.snapshot() == before
    assert filled.ingest("--full") == 0
    assert "replaced 2" in filled.out
    assert filled.find("float switch")[0] == ("pumps.txt", 1)


def test_full_with_another_embedder_keeps_what_fails_now(filled: Desk) -> None:
    filled.write("leave.md", b"\0" * 100)
    filled.embedder = FakeEmbedder(name="other")
    assert filled.ingest("--full") == 1
    assert "the version indexed before stays" in filled.out
    assert filled.find("員工請假應於三日前")[0] == ("leave.md", 1)


def test_two_ingests_at_once(filled: Desk) -> None:
    with (filled.data / "default" / "lock").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert filled.ingest() == 2
        assert "another process" in filled.err
    assert filled.ingest() == 0


def test_a_full_disk_loses_nothing(filled: Desk) -> None:
    """A limit on the size of files stands for a disk without space: writing fails in the same way, with another number."""
    before = filled.find("float switch")
    filled.write("large.md", "\n\n".join(f"Paragraph {n} of many different words {n * 7}." for n in range(4000)))
    program = (
        "import signal, sys\nfrom index.fakes import FakeEmbedder\nfrom ingest.__main__ import main\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "sys.exit(main(sys.argv[1:], embedder=lambda settings: FakeEmbedder()))"
    )
    environ = {
        **os.environ,
        "QA_DATA_DIR": str(filled.data),
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        "QA_LOG_LEVEL": "ERROR",
    }
    largest = 150_000

    done = subprocess.run(
        ["prlimit", f"--fsize={largest}", sys.executable, "-c", program, str(filled.folder)],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "run the same command again" in done.stderr
    assert filled.find("float switch") == before
    assert filled.ingest() == 0
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_limits_are_settings(filled: Desk) -> None:
    filled.write("big.txt", b"word " * 300_000)
    filled.environ["QA_FILE_MB"] = "1"
    assert filled.ingest() == 1
    assert "QA_FILE_MB" in filled.out
    filled.environ = {"QA_DOCUMENT_CHARS": "1000"}
    assert filled.ingest() == 1
    assert "QA_DOCUMENT_CHARS" in filled.out


def test_a_setting_that_is_wrong_is_named(filled: Desk) -> None:
    filled.environ["QA_FILE_MB"] = "many"
    assert filled.ingest() == 2
    assert "QA_FILE_MB" in filled.err


def test_another_passage_size_cuts_everything_anew(filled: Desk) -> None:
    filled.environ["QA_PASSAGE_TOKENS"] = "64"
    assert filled.ingest() == 0
    assert "replaced 2" in filled.out


def test_a_delete_through_the_api_holds_until_the_file_changes(filled: Desk) -> None:
    reader = filled.collection()
    document = next(d for d in reader.documents() if d.source == "pumps.txt")
    reader.delete(document.id)
    reader.close()
    assert filled.ingest() == 0
    assert "kept out 1" in filled.out
    assert all(source != "pumps.txt" for source, _ in filled.find("float switch"))
    filled.write("pumps.txt", "The float switch was replaced.")
    assert filled.ingest() == 0
    assert filled.find("float switch")[0] == ("pumps.txt", 1)


def test_a_damaged_generation_is_built_again(filled: Desk) -> None:
    vectors = next((filled.data / "default" / "generations").glob("*/vectors.faiss"))
    content = bytearray(vectors.read_bytes())
    content[len(content) // 2] ^= 1
    vectors.write_bytes(content)
    assert filled.ingest() == 0
    assert "Published generation 2" in filled.out
    assert filled.find("float switch")[0] == ("pumps.txt", 1)


def test_our_own_data_inside_the_folder_is_not_indexed(desk: Desk) -> None:
    desk.data = desk.folder / "data"
    desk.write("a.md", "One.")
    assert desk.ingest() == 0
    assert desk.ingest() == 0
    assert "own data" in desk.out
    assert "unchanged 1" in desk.out


def test_the_report_speaks_chinese_in_a_chinese_locale(filled: Desk) -> None:
    filled.environ["LANG"] = "zh_TW.UTF-8"
    assert filled.ingest() == 0
    assert "未變 2" in filled.out


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    for word in ("examples:", "exit codes:", "--dry-run", "--full", "--collection", "--allow-empty", "QA_DATA_DIR"):
        assert word in text
