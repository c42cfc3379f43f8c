"""What goes wrong around the ingest command: each is said in a line, and nothing that was in the index is lost."""

import fcntl
import io
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from core.errors import DiskFull, NotFound, PackError
from core.settings import Settings
from index.embedder import open_embedder
from index.fakes import FakeEmbedder
from index.records import Vectors, no_progress
from index.search import Collection
from ingest.__main__ import main
from tests.integration.ingest_desk import Desk
from tests.unit.ingest.samples import pdf


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


def run_with(desk: Desk, error: BaseException) -> tuple[int, str]:
    """Exit code and error output of a run in which the embedder meets `error`."""

    class Failing(FakeEmbedder):
        def encode_documents(self, texts: Sequence[str], progress: Callable[[int], None] = no_progress) -> Vectors:  # noqa: ARG002
            raise error

    out, err = io.StringIO(), io.StringIO()
    environ = {"QA_DATA_DIR": str(desk.data), "QA_LOG_LEVEL": "ERROR"}
    code = main([str(desk.folder)], environ=environ, embedder=lambda _: Failing(), out=out, err=err)
    return code, err.getvalue()


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(5, "Input/output error"), 2, "Input/output error"),
        (PackError("the weights are gone: run `python -m models pull`"), 2, "models pull"),
        (DiskFull("cannot write x"), 2, "cannot write x"),
    ],
)
def test_a_run_that_breaks_says_why_and_the_next_one_goes_on(filled: Desk, error: BaseException, code: int, words: str) -> None:
    before = filled.snapshot()
    filled.write("new.md", "The canteen opens at noon.")
    exit_code, said = run_with(filled, error)
    assert exit_code == code
    assert words in said
    assert "Traceback" not in said
    assert filled.snapshot() == before
    assert filled.ingest() == 0
    assert "added 1" in filled.out


def test_many_small_files_share_a_few_children(desk: Desk) -> None:
    """Each file in a process of its own start would take minutes."""
    for number in range(300):
        desk.write(f"n{number // 100}/f{number:04}.md", f"# Note {number}\n\nThe value of item {number} is {number * 7}.\n")
    assert desk.ingest() == 0
    assert "added 300" in desk.out
    assert desk.find("value of item 277")[0][0] == "n2/f0277.md"


@pytest.mark.real
def test_real_weights_find_a_page_in_the_other_language(desk: Desk, embedder_folder: Path) -> None:
    desk.write(
        "pump.pdf", pdf(["# Start\nFill the housing with water before the pump is switched on.", "# Stop\nClose the outlet valve first."])
    )
    desk.write("leave.md", "# 請假\n\n員工請假應於三日前提出申請。")
    out = io.StringIO()
    environ = {"QA_DATA_DIR": str(desk.data), "QA_EMBEDDER": str(embedder_folder), "QA_LOG_LEVEL": "ERROR"}
    assert main([str(desk.folder)], environ=environ, out=out, err=io.StringIO()) == 0
    collection = Collection.open(desk.data / "default", open_embedder(embedder_folder))
    hit = collection.search("關機時應先關閉哪個閥？", k=1).hits[0]
    assert (hit.source, hit.passage.page_first) == ("pump.pdf", 2)
    collection.close()
    again = io.StringIO()
    assert main([str(desk.folder)], environ=environ, out=again, err=io.StringIO()) == 0
    assert "up to date" in again.getvalue()
