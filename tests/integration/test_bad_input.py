"""What an owner's folder, disk and colleagues do to the service: each trouble is named with its remedy, what was indexed goes on
being answered from, and when the trouble is over one more run of the same command puts everything right."""

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from index.fakes import FakeEmbedder
from index.records import Vectors, no_progress
from tests.api.reading import ask, check, stream
from tests.integration.edge import FLOAT, PUMP, problem, service, two_generations
from tests.integration.ingest_desk import Desk
from tests.unit.ingest.samples import encrypted_pdf, pdf

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    (tmp_path / "docs").mkdir()
    return Desk(tmp_path / "docs", tmp_path / "data")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_generations(tmp_path_factory.mktemp("template"))


@pytest.fixture
def filled(template: Path, tmp_path: Path) -> Desk:
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return Desk(tmp_path / "docs", tmp_path / "data")


# ---- the folder


def test_a_first_run_on_an_empty_folder_makes_nothing(desk: Desk) -> None:
    assert desk.ingest() == 2
    assert str(desk.folder) in desk.err
    assert "holds no file that can be indexed" in desk.err
    assert not desk.data.exists()
    desk.write("a.md", "The duck is yellow.")
    assert desk.ingest() == 0
    assert desk.find("yellow duck") == [("a.md", 1)]


@contextmanager
def restless(path: Path) -> Iterator[None]:
    """A file that somebody saves all the time: no two looks at it see the same time of change."""
    stop = threading.Event()

    def save() -> None:
        when = path.stat().st_mtime_ns
        while not stop.is_set():
            when += 1_000_000
            os.utime(path, ns=(when, when))

    saving = threading.Thread(target=save)
    saving.start()
    try:
        yield
    finally:
        stop.set()
        saving.join()


def test_a_file_that_changes_while_it_is_read_waits_for_the_next_run(filled: Desk) -> None:
    path = filled.write("pumps.md", "# Pumps\n\nThe pump stops at midnight.\n" + "\n" * 3_000_000)  # some milliseconds to read
    with restless(path):
        assert filled.ingest() == 1
    assert "pumps.md: changed" in filled.out
    assert "run ingest again" in filled.out
    assert filled.find("float switch")[0] == ("pumps.md", 1), "the version indexed before"
    assert filled.ingest() == 0
    assert filled.find("midnight")[0] == ("pumps.md", 1)


@pytest.mark.parametrize(
    ("name", "good", "bad", "reason"),
    [
        ("m.pdf", pdf(["The valve is red."]), b"", "damaged"),
        ("m.pdf", pdf(["The valve is red."]), encrypted_pdf(user_password="secret"), "encrypted"),
        ("m.pdf", pdf(["The valve is red."]), pdf([""]), "no text"),
        ("m.txt", b"The valve is red.", b"The valve is green. " * 60_000, "QA_FILE_MB"),
        ("m.md", b"The valve is red.", b"\0\1\2\3" * 500, "damaged"),
    ],
    ids=["0 bytes", "encrypted", "scan", "large", "binary"],
)
async def test_a_good_file_that_turns_bad_is_answered_from_until_it_is_good_again(
    desk: Desk, name: str, good: bytes, bad: bytes, reason: str
) -> None:
    desk.environ["QA_FILE_MB"] = "1"
    desk.write(name, good)
    assert desk.ingest() == 0
    async with service(desk) as client:
        desk.write(name, bad)
        assert desk.ingest() == 1
        assert f"  {name}: " in desk.out
        assert reason in desk.out
        assert "the version indexed before stays" in desk.out
        assert (await ask(client, "What colour is the valve?"))["citations"][0]["quote"] == "The valve is red."
        desk.write(name, good)
        assert desk.ingest() == 0
        assert "failed 0" in desk.out
        desk.write(name, good.replace(b"red", b"tan"))
        if not name.endswith("pdf"):
            assert desk.ingest() == 0
            assert (await ask(client, "What colour is the valve?"))["citations"][0]["quote"] == "The valve is tan."


@pytest.mark.parametrize(
    "name", ["人事 規章.md", "two\nlines.md", "emoji 🦆.txt", '"quoted".md', "50% [draft]?.md", "-rf.md", "a\u202eb.md"]
)
async def test_a_file_of_any_name_is_listed_cited_streamed_and_filtered(desk: Desk, name: str) -> None:
    desk.write(name, "The duck is yellow.")
    desk.write("other.md", "The duck is yellow, says another file.")
    assert desk.ingest() == 0
    async with service(desk) as client:
        listed = {d["source"]: d["id"] for d in (await client.get("/documents")).json()["documents"]}
        assert set(listed) == {name, "other.md"}
        only = {"document_id": [listed[name]]}
        answer = await ask(client, "What colour is the duck?", filters=only)
        assert {c["source"] for c in answer["citations"]} == {name}
        events = await stream(client, "/ask", question="What colour is the duck?", filters=only)
        streamed = next(data for event, data in events if event == "answer")
        check(streamed)
        assert {c["source"] for c in streamed["citations"]} == {name}
        assert (await client.delete(f"/documents/{listed[name]}")).status_code == 204
        assert [d["source"] for d in (await client.get("/documents")).json()["documents"]] == ["other.md"]


def ingest_without_privileges(desk: Desk) -> subprocess.CompletedProcess[str]:
    """The command in a process that file modes bind, whoever runs the tests: root may otherwise read everything."""
    program = (
        "import sys\nfrom index.fakes import FakeEmbedder\nfrom ingest.__main__ import main\n"
        "sys.exit(main(sys.argv[1:], embedder=lambda settings: FakeEmbedder()))"
    )
    without = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    environ = os.environ | {"QA_DATA_DIR": str(desk.data), "QA_LOG_LEVEL": "ERROR", "PYTHONPATH": str(ROOT)}
    command = [*without, sys.executable, "-c", program, str(desk.folder)]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root reads everything and cannot give that up here")
@pytest.mark.parametrize(("closed", "code"), [("pumps.md", 1), ("below", 1), (".", 2)])
def test_a_file_or_folder_that_may_not_be_read_is_named_and_kept(filled: Desk, closed: str, code: int) -> None:
    filled.write("below/deep.md", "The lift is blue.")
    assert filled.ingest() == 0
    filled.write("pumps.md", "Something else.")
    path = filled.folder / closed
    mode = path.stat().st_mode
    path.chmod(0)
    try:
        done = ingest_without_privileges(filled)
    finally:
        path.chmod(mode)
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    assert "ermission denied" in said
    assert (str(filled.folder) if closed == "." else f"  {closed}: unreadable") in said
    assert "Traceback" not in said
    assert filled.find("Which colour has the lift?")[0] == ("below/deep.md", 1)
    if closed != "below":
        assert filled.find("float switch")[0] == ("pumps.md", 1)
    assert filled.ingest() == 0
    assert "failed 0" in filled.out
    assert ("replaced 1" in filled.out) == (closed != "below")


# ---- the index


def newest(desk: Desk) -> list[Path]:
    """Every file of the second generation."""
    return sorted(p for p in (desk.data / "default" / "generations" / "000002").rglob("*") if p.is_file() and p.stat().st_size)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


async def test_whichever_file_of_the_newest_generation_is_damaged_the_one_before_is_served_and_ready_says_so(filled: Desk) -> None:
    files = newest(filled)
    assert {"vectors.faiss", "rows.npy", "manifest.json"} < {p.name for p in files}
    for path in files:
        flip(path)
        async with service(filled) as client:
            ready = await client.get("/ready")
            served = ready.json()["index"]["collections"]["default"]
            assert ready.status_code == 200, path
            assert served["generation"] == 1, path
            if path.name != "manifest.json":  # the pointer disowns a changed manifest: which generation it named is not known then
                assert served["damaged"] == [2], path
                assert "python -m ingest" in ready.json()["remedy"]
            assert (await ask(client, PUMP))["citations"][0]["quote"] == FLOAT
        flip(path)
    async with service(filled) as client:
        ready = (await client.get("/ready")).json()
        assert ready["index"]["collections"]["default"] == {"generation": 2, "documents": 2, "passages": 2}
        assert "remedy" not in ready


@pytest.mark.parametrize("name", ["vectors.faiss", "meta.json", "manifest.json", "CURRENT"])
async def test_one_run_of_ingest_mends_a_damaged_generation_under_a_running_service(filled: Desk, name: str) -> None:
    damaged = next(p for p in (filled.data / "default").rglob(name) if "000001" not in p.parts)
    flip(damaged)
    async with service(filled) as client:
        assert (await ask(client, PUMP))["citations"][0]["quote"] == FLOAT
        assert filled.ingest() == 0
        assert filled.embedder.encoded == 0, "built from the ledger"
        ready = (await client.get("/ready")).json()
        assert ready["index"]["collections"]["default"] == {"generation": 3, "documents": 2, "passages": 2}
        assert "remedy" not in ready
        answer = await ask(client, "員工請假應於何時提出申請？", mode="extractive")
        assert (answer["generation"], answer["citations"][0]["source"]) == (3, "請假.md")


async def test_an_index_with_nothing_whole_left_is_a_problem_with_the_remedy_until_ingest_ran(filled: Desk) -> None:
    for vectors in (filled.data / "default" / "generations").rglob("vectors.faiss"):
        flip(vectors)
    async with service(filled) as client:
        detail = problem(await client.post("/ask", json={"question": PUMP}), 503)
        assert "default" in detail
        assert "python -m ingest" in detail
        assert str(filled.data) not in detail
        assert (await client.get("/ready")).json()["index"]["status"] == "damaged"
        assert (await client.get("/health")).status_code == 200
        assert filled.ingest() == 0
        assert (await ask(client, PUMP))["citations"][0]["quote"] == FLOAT


async def test_a_running_service_outlives_an_index_made_by_another_embedder(filled: Desk) -> None:
    async with service(filled) as client:
        assert (await ask(client, PUMP))["citations"]
        other = replace(filled, embedder=FakeEmbedder(name="other"))
        assert other.ingest() == 2
        for word in ("default", "fake-128", "other-128", "--full", "QA_EMBEDDER"):
            assert word in other.err
        assert other.ingest("--full") == 0
        assert (await ask(client, PUMP))["citations"][0]["quote"] == FLOAT, "what was open goes on being served"
    async with service(filled) as client:
        assert "--full" in problem(await client.post("/ask", json={"question": PUMP}), 409)
    async with service(other) as client:
        assert (await ask(client, PUMP))["citations"][0]["quote"] == FLOAT


# ---- the colleagues


class Held(FakeEmbedder):
    """Embeds when it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go = threading.Event(), threading.Event()

    def encode_documents(self, texts: Sequence[str], progress: Callable[[int], None] = no_progress) -> Vectors:
        self.begun.set()
        assert self.go.wait(30)
        return super().encode_documents(texts, progress)


async def test_of_two_ingests_at_once_the_second_is_told_and_questions_are_answered_meanwhile(filled: Desk) -> None:
    filled.write("new.md", "The canteen opens at noon.")
    first, codes = replace(filled, embedder=Held()), list[int]()
    running = threading.Thread(target=lambda: codes.append(first.ingest()))
    running.start()
    try:
        assert first.embedder.begun.wait(30)  # type: ignore[attr-defined]
        assert filled.ingest() == 2
        assert "another process is writing to the collection default" in filled.err
        assert filled.ingest("--full") == 2, "the strongest option does not push in either"
        async with service(filled) as client:
            assert (await ask(client, PUMP))["generation"] == 2
    finally:
        first.embedder.go.set()  # type: ignore[attr-defined]
        running.join()
    assert codes == [0]
    assert "added 1" in first.out
    assert filled.ingest() == 0
    assert filled.find("When does the canteen open?")[0] == ("new.md", 1)


@pytest.mark.parametrize("path", ["/ask", "/v1/chat/completions"])
async def test_an_unknown_model_is_refused_with_those_that_may_be_named(filled: Desk, path: str) -> None:
    def body(model: str) -> dict[str, Any]:
        question: dict[str, Any] = {"question": PUMP} if path == "/ask" else {"messages": [{"role": "user", "content": PUMP}]}
        return question | {"model": model}

    async with service(filled) as client:
        detail = problem(await client.post(path, json=body("gpt-9")), 422)
        known = [model["id"] for model in (await client.get("/v1/models")).json()["data"]]
        assert "gpt-9" in detail
        assert all(model in detail for model in known)
        for model in known:
            assert (await client.post(path, json=body(model))).status_code == 200
        refused = await client.post(path, json=body("gpt-9") | {"stream": True})
        assert "gpt-9" in problem(refused, 422), "before the stream begins, not in it"


def test_a_second_service_on_the_port_is_refused_before_it_loads_anything_and_the_first_goes_on(filled: Desk) -> None:
    program = "import sys; from app.__main__ import main; code = main(sys.argv[1:]); sys.exit(code or 'torch' in sys.modules and 9)"
    environ = os.environ | {"QA_DATA_DIR": str(filled.data), "QA_MODELS_DIR": str(filled.data / "none"), "PYTHONPATH": str(ROOT)}
    with socket.create_server(("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-c", program, "--port", str(port)], env=environ, capture_output=True, text=True, check=False, timeout=60
        )
        assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1), done.stderr
        assert f"127.0.0.1:{port} is in use" in done.stderr
        assert "QA_PORT" in done.stderr
