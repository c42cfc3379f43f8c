"""A file breaks one child and itself, never the ingest; the next file is parsed by a fresh child."""

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import Unreadable
from ingest.loaders.formats import Format, format_named
from ingest.parser import peak_bytes
from ingest.sandbox import Sandbox
from tests.unit.ingest.samples import docx, paragraph, pdf_bomb

MARKDOWN = format_named("markdown")
PDF = format_named("pdf")
ROOT = Path(__file__).resolve().parents[3]

# A child that speaks the protocol and does what the file says.
HOSTILE = """
import json, os, resource, sys, time
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
while header := sys.stdin.buffer.readline():
    data = sys.stdin.buffer.read(json.loads(header)["size"])
    word, _, number = data.decode().partition(" ")
    if word == "sleep":
        time.sleep(float(number))
    elif word == "signal":
        os.kill(os.getpid(), int(number))
    elif word == "exit":
        sys.exit(int(number))
    elif word == "eat":
        eaten = bytearray(int(number) * 1_000_000)
        os.abort()
    elif word == "noise":
        sys.stdout.write("not an answer")
        sys.exit(0)
    body = json.dumps({"text": str(os.getpid()), "title": "", "pages": [], "blocks": [], "metadata": {}}).encode()
    sys.stdout.buffer.write(json.dumps({"size": len(body), "last": word == "last"}).encode() + b"\\n" + body)
    sys.stdout.buffer.flush()
    if word == "last":
        break
"""


@pytest.fixture
def hostile() -> Iterator[Sandbox]:
    with Sandbox(seconds=30, memory_mb=1024, characters=1000, command=(sys.executable, "-c", HOSTILE)) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def real() -> Iterator[Sandbox]:
    with Sandbox(seconds=20, memory_mb=512, characters=100_000) as sandbox:
        yield sandbox


def failure(sandbox: Sandbox, data: bytes, chosen: Format = MARKDOWN) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        sandbox.parse(data, chosen)
    return caught.value


def test_one_child_serves_many_files(hostile: Sandbox) -> None:
    pids = {hostile.parse(b"fine", MARKDOWN).text for _ in range(50)}
    assert len(pids) == 1
    assert hostile.started == 1
    assert pids != {str(os.getpid())}


@pytest.mark.parametrize(
    ("file", "reason", "words"),
    [
        (f"signal {int(signal.SIGSEGV)}", "damaged", "SIGSEGV"),
        ("exit 3", "damaged", "exit code 3"),
        ("noise", "damaged", "exit code 0"),
        (f"signal {int(signal.SIGKILL)}", "limit", "QA_PARSE_MEMORY_MB"),
        (f"signal {int(signal.SIGXCPU)}", "limit", "QA_PARSE_SECONDS"),
        ("eat 600", "limit", "QA_PARSE_MEMORY_MB"),
    ],
)
def test_a_child_that_dies_fails_its_file_alone(hostile: Sandbox, file: str, reason: str, words: str) -> None:
    before = hostile.parse(b"fine", MARKDOWN).text
    error = failure(hostile, file.encode())
    assert (error.reason, words in error.detail) == (reason, True)
    assert hostile.parse(b"fine", MARKDOWN).text != before
    assert hostile.started == 2


def test_a_crash_is_no_lack_of_memory_because_the_parent_is_large() -> None:
    ballast = bytearray(600_000_000)  # the parent's own peak, which a child's begins with
    with Sandbox(seconds=30, memory_mb=1024, characters=1000, command=(sys.executable, "-c", HOSTILE)) as sandbox:
        assert failure(sandbox, f"signal {int(signal.SIGSEGV)}".encode()).reason == "damaged"
    assert len(ballast) == 600_000_000


def test_a_large_parent_does_not_cost_a_child_a_file() -> None:
    """Linux carries a parent's peak memory over to its children: an embedder once loaded must not end each after one file."""
    ballast = b"\1" * 200_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 > len(ballast)
    del ballast
    with Sandbox(seconds=20, memory_mb=256, characters=1000) as sandbox:
        for number in range(5):
            assert sandbox.parse(f"Note {number}.".encode(), MARKDOWN).text == f"Note {number}."
        assert sandbox.started == 1


def test_a_process_knows_its_own_peak_and_not_that_of_its_parent() -> None:
    """By it a child that has grown asks to be replaced."""
    before = peak_bytes()
    ballast = b"\1" * (before + 50_000_000)
    assert peak_bytes() > len(ballast)
    del ballast
    assert peak_bytes() > before + 50_000_000, "a peak does not go down"
    program = "from ingest.parser import peak_bytes; print(peak_bytes())"
    child = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert 1_000_000 < int(child.stdout) < before + 50_000_000


def test_a_file_that_takes_too_long_is_given_up() -> None:
    with Sandbox(seconds=0.3, memory_mb=1024, characters=1000, command=(sys.executable, "-c", HOSTILE)) as sandbox:
        started = time.monotonic()
        error = failure(sandbox, b"sleep 30")
        assert time.monotonic() - started < 5
        assert error.reason == "limit"
        assert "QA_PARSE_SECONDS" in error.detail


def test_a_child_that_says_it_is_the_last_answer_is_replaced(hostile: Sandbox) -> None:
    first = hostile.parse(b"last", MARKDOWN).text
    assert hostile.parse(b"fine", MARKDOWN).text != first


def test_threads_use_children_of_their_own(hostile: Sandbox) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(hostile.parse(b"sleep 0.3", MARKDOWN).text)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 3


def test_closing_ends_idle_and_busy_children(hostile: Sandbox) -> None:
    errors: list[Unreadable] = []
    pid = int(hostile.parse(b"fine", MARKDOWN).text)
    thread = threading.Thread(target=lambda: errors.append(failure(hostile, b"sleep 60")))
    thread.start()
    time.sleep(0.3)
    started = time.monotonic()
    hostile.close()
    thread.join(5)
    assert not thread.is_alive()
    assert time.monotonic() - started < 5
    assert errors
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_secrets_of_the_environment_do_not_reach_a_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QA_GENERATOR_KEY", "secret")
    program = HOSTILE.replace("str(os.getpid())", "str(sorted(os.environ))")
    with Sandbox(seconds=5, memory_mb=1024, characters=1000, command=(sys.executable, "-c", program)) as sandbox:
        assert "QA_GENERATOR_KEY" not in sandbox.parse(b"fine", MARKDOWN).text


# ---- the real child


def test_a_real_file_comes_back_as_it_was_parsed(real: Sandbox) -> None:
    parsed = real.parse("# 標題\n\n| a |\n|---|\n| 🦆 |\n".encode(), MARKDOWN)
    assert parsed.title == "標題"
    assert [(b.kind, b.level, b.label) for b in parsed.blocks] == [("heading", 1, "標題"), ("table", 0, "| a |")]
    assert parsed.pages[0].end == len(parsed.text)


def test_a_loader_s_reason_is_passed_on(real: Sandbox) -> None:
    assert failure(real, b"", MARKDOWN).reason == "no text"
    assert failure(real, b"no pdf", PDF).reason == "damaged"


def test_nothing_unstorable_comes_back(real: Sandbox) -> None:
    parsed = real.parse(b"a\0b" + b"\xed\xa0\x80 c " * 2 + "好".encode() * 50, MARKDOWN)
    parsed.text.encode("utf-8")
    assert "\0" not in parsed.text


def test_a_text_that_is_too_long_is_refused_with_the_setting(real: Sandbox) -> None:
    for data in (b"a " * 60_000, b"a" * 500_000):
        error = failure(real, data)
        assert error.reason == "limit"
        assert "QA_DOCUMENT_CHARS" in error.detail


@pytest.mark.parametrize(
    ("data", "name"),
    [(pdf_bomb(80), "pdf"), (docx("".join([paragraph("a")] * 250_000)), "docx")],
    ids=["content stream", "xml"],
)
def test_a_bomb_is_a_limit_and_the_next_file_is_parsed(data: bytes, name: str) -> None:
    assert len(data) < 200_000
    with Sandbox(seconds=20, memory_mb=128, characters=100_000) as sandbox:
        assert failure(sandbox, data, format_named(name)).reason == "limit"
        assert sandbox.parse(b"still works", MARKDOWN).text == "still works"


def test_a_child_that_reads_markdown_imports_nothing_heavy() -> None:
    program = (
        "import sys\nfrom ingest import parser\n"
        "real = parser.parse\n"
        "def parse(*a):\n    answer, spent = real(*a)\n    answer['title'] = ' '.join(sys.modules)\n    return answer, spent\n"
        "parser.parse = parse\nsys.exit(parser.main(sys.argv[1:]))"
    )
    with Sandbox(seconds=20, memory_mb=1024, characters=1000, command=(sys.executable, "-c", program)) as sandbox:
        loaded = set(sandbox.parse(b"text", MARKDOWN).title.split())
    assert not loaded & {"torch", "faiss", "tantivy", "sqlite3", "sentence_transformers", "numpy", "pypdfium2", "pypdf", "trafilatura"}
