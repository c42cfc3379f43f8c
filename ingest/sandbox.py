"""Parses files in child processes with a memory limit and a clock: what a hostile file breaks is one child and one file.

A child serves many files, so that a small one costs no start of Python; after a crash, a time-out or a full memory it is
replaced. Children are started by exec of a fresh interpreter, never by fork, and see none of our environment's secrets.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from core.errors import Unreadable
from core.types import Page
from ingest.loaders.formats import Format
from ingest.loaders.parsed import Block, Parsed

_ROOT = Path(__file__).resolve().parents[1]
_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "TMPDIR", "HOME", "LD_LIBRARY_PATH")
# An allocator of a C library that gets no memory ends the process with one of these.
_ABORTS = frozenset({signal.SIGABRT, signal.SIGTRAP, signal.SIGILL, signal.SIGSEGV, signal.SIGBUS})


class Sandbox:
    """A pool of parsing children; `parse` may be called from several threads, each call uses one child.

    `seconds` is wall-clock time a file, `memory_mb` the address space of a child, `characters` the longest text accepted.
    """

    def __init__(self, *, seconds: float, memory_mb: int, characters: int, command: Sequence[str] | None = None) -> None:
        self._seconds = seconds
        self._memory_mb = memory_mb
        limits = [str(seconds), str(memory_mb), str(characters)]
        self._command = [*(command or (sys.executable, "-m", "ingest.parser")), *limits]
        self._idle: list[_Child] = []
        self._busy: set[_Child] = set()
        self._lock = threading.Lock()
        self.started = 0  # children so far

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End all children; a file that is being parsed in another thread then fails."""
        with self._lock:
            idle, self._idle = self._idle, []
            for child in self._busy:
                child.kill()
        for child in idle:
            child.end()

    def parse(self, data: bytes, chosen: Format) -> Parsed:
        """Raises Unreadable: its own reason from the loader; `limit` for time or memory; `damaged` when the parser crashed."""
        child = self._take()
        last = True
        try:
            answer, last = child.ask(data, chosen, self._seconds)
        finally:
            with self._lock:
                self._busy.discard(child)
                if not last:
                    self._idle.append(child)
            if last:
                child.end()
        return _parsed(answer)

    def _take(self) -> "_Child":
        with self._lock:
            if self._idle:
                child = self._idle.pop()
            else:
                self.started += 1
                child = _Child(self._command, self._memory_mb)
            self._busy.add(child)
            return child


class _Child:
    """One child process and the pipes to it."""

    def __init__(self, command: Sequence[str], memory_mb: int) -> None:
        environment = {k: os.environ[k] for k in _KEPT_VARIABLES if k in os.environ}
        environment |= {"PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=_ROOT, env=environment
        )
        self._memory_mb = memory_mb
        # A child's peak starts from its parent's: Linux carries it over exec. Only what goes beyond tells of the child.
        self._inherited_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    def ask(self, data: bytes, chosen: Format, seconds: float) -> tuple[dict[str, Any], bool]:
        """(answer, whether the child ends after it). Raises Unreadable when it was killed or died."""
        late = threading.Event()
        clock = threading.Timer(seconds, _kill, (self._process, late))
        clock.daemon = True
        clock.start()
        try:
            answered = self._exchange(data, chosen)
        finally:
            clock.cancel()
        if answered is None:
            raise self._why(late.is_set(), seconds)
        answer, last = answered
        return answer, last or late.is_set()

    def _exchange(self, data: bytes, chosen: Format) -> tuple[dict[str, Any], bool] | None:
        to, back = self._process.stdin, self._process.stdout
        if to is None or back is None:
            return None
        try:
            to.write(json.dumps({"format": chosen.name, "size": len(data)}).encode() + b"\n")
            to.write(data)
            to.flush()
            line = back.readline()
            header = json.loads(line) if line.endswith(b"\n") else None
            body = back.read(header["size"]) if header else b""
        except (BrokenPipeError, ConnectionError):
            return None
        if header is None or len(body) != header["size"]:
            return None
        return json.loads(body), bool(header["last"])

    def _why(self, late: bool, seconds: float) -> Unreadable:
        code, peak_mb = _reap(self._process)
        if late:
            return Unreadable("limit", f"it takes longer than {seconds:g} s (QA_PARSE_SECONDS)")
        if code == -signal.SIGXCPU:
            return Unreadable("limit", "it takes too much processor time (QA_PARSE_SECONDS)")
        known = peak_mb > 1.05 * self._inherited_mb + 16
        large = peak_mb > 0.4 * self._memory_mb if known else code == -signal.SIGABRT  # an allocator that finds no memory aborts
        if (code < 0 and -code in _ABORTS and large) or code == -signal.SIGKILL:
            return Unreadable("limit", f"it needs more than {self._memory_mb} MB of memory (QA_PARSE_MEMORY_MB)")
        return Unreadable("damaged", f"the parser crashed on it ({_name(code)})")

    def kill(self) -> None:
        """End it now; the thread that waits for its answer cleans up."""
        self._process.kill()

    def end(self) -> None:
        """Kill it if it still runs, and leave nothing of it behind."""
        if self._process.returncode is None:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                _close(pipe.close)


def _kill(process: "subprocess.Popen[bytes]", late: threading.Event) -> None:
    late.set()
    process.kill()


def _reap(process: "subprocess.Popen[bytes]", patience: float = 5.0) -> tuple[int, float]:
    """(exit code, -n for signal n; most memory in MB) of a child that has closed its pipe."""
    until = time.monotonic() + patience
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, usage.ru_maxrss / 1000
        if time.monotonic() > until:
            process.kill()
        time.sleep(0.005)


def _name(code: int) -> str:
    return signal.Signals(-code).name if code < 0 and -code in {int(s) for s in signal.Signals} else f"exit code {code}"


def _close(close: Callable[[], None]) -> None:
    try:
        close()
    except BrokenPipeError:
        return  # a request was still in the buffer when the child died


def _parsed(answer: dict[str, Any]) -> Parsed:
    if "reason" in answer:
        raise Unreadable(answer["reason"], answer["detail"])
    return Parsed(
        answer["text"],
        answer["title"],
        tuple(Page(*page) for page in answer["pages"]),
        tuple(Block(*block) for block in answer["blocks"]),
        answer["metadata"],
    )
