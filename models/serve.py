"""`python -m models serve`: vLLM as a child process that is watched, restarted with growing pauses, and stopped with its parent."""

import contextlib
import ctypes
import errno
import ipaddress
import json
import logging
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from core.errors import BadRequest, Conflict
from core.settings import Settings
from models.launch import Launch, build_launch, find_program
from models.machine import read_machine
from models.packs import PACKS
from models.weights import variant_of, weights_dir

log = logging.getLogger(__name__)

NICENESS = 5  # the service answers first, the model thinks second
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def address_of(url: str) -> tuple[str, int]:
    """Host and port of a generator URL on this machine. Raises BadRequest if it names another machine, Conflict if the port is taken."""
    parts = urlsplit(url)
    host = {"localhost": "127.0.0.1", None: "127.0.0.1"}.get(parts.hostname, parts.hostname or "")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(found[0], socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(found[4])
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Conflict(f"port {port} is in use: another model server is running, or set QA_GENERATOR_URL to a free port") from error
        if error.errno == errno.EACCES:
            raise BadRequest(f"port {port} may not be opened by this user: set QA_GENERATOR_URL to a port above 1023") from error
        raise BadRequest(f"QA_GENERATOR_URL names {host}, which is not this machine: there is nothing to serve here") from error
    if not ipaddress.ip_address(found[4][0]).is_loopback:
        log.warning("the model server listens on %s: its key does not guard every route, keep this network private", host)
    return host, port


@dataclass(frozen=True, slots=True)
class Pauses:
    """Seconds: the pause before restart n is `first` doubled n times, at most `longest`; `steady` of good running forgets failures."""

    first: float = 1.0
    longest: float = 60.0
    steady: float = 120.0
    stop: float = 10.0
    look: float = 0.5

    def before(self, failures: int) -> float:
        """The pause after `failures` failures in a row, at least 1."""
        return float(min(self.longest, self.first * 2 ** min(failures - 1, 16)))


def answers(url: str, key: str = "") -> bool:
    """True when the server lists at least one model."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        with urlopen(Request(url, headers=headers), timeout=5) as reply:
            return bool(json.load(reply)["data"])
    except (URLError, OSError, ValueError, KeyError, TypeError):
        return False


@dataclass(slots=True)
class Supervisor:
    """Keeps one model server running until `stop` is set. Made for one `run`."""

    launch: Launch
    ready: Callable[[], bool]
    name: str
    stop: threading.Event
    log_path: Path | None = None
    pauses: Pauses = field(default_factory=Pauses)
    clock: Callable[[], float] = time.monotonic
    starts: int = 0

    def run(self) -> int:
        """Start the server and watch it; 0 once stopped. Each failure is one log line with the reason and the pause."""
        failures = 0
        while not self.stop.is_set():
            began = self.clock()
            child = self._start()
            try:
                was_ready = self._watch(child, began)
            finally:
                self._end(child)
            if self.stop.is_set():
                break
            failures = 1 if was_ready and self.clock() - began > self.pauses.steady else failures + 1
            pause = self.pauses.before(failures)
            log.error("the model server ended with %s%s; starting again in %.0f s", _reason(child.returncode), self._last_words(), pause)
            self.stop.wait(pause)
        log.info("the model server has stopped")
        return 0

    def _start(self) -> subprocess.Popen[bytes]:
        self.starts += 1
        parent = os.getpid()

        def in_child() -> None:
            os.nice(NICENESS)
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:  # the parent died before the line above
                os._exit(1)

        output: IO[bytes] | None = self.log_path.open("ab" if self.starts > 1 else "wb") if self.log_path else None
        try:
            # A group of its own, so that its workers end with it; not a session, in which niceness would count for nothing.
            child = subprocess.Popen(
                self.launch.command,
                env=dict(self.launch.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,
                preexec_fn=in_child,
            )
        finally:
            if output:
                output.close()
        where = f"; its log: {self.log_path}" if self.log_path else ""
        log.info("starting the model server for %s (process %d)%s", self.name, child.pid, where)
        return child

    def _watch(self, child: subprocess.Popen[bytes], began: float) -> bool:
        """Return when the child has ended or we are to stop. True if it ever answered."""
        was_ready = False
        said = began
        while child.poll() is None and not self.stop.is_set():
            now = self.clock()
            if not was_ready and self.ready():
                was_ready = True
                log.info("%s answers after %.0f s", self.name, now - began)
            elif not was_ready and now - said >= 10:
                said = now
                log.info("%s is loading, %.0f s", self.name, now - began)
            self.stop.wait(self.pauses.look)
        return was_ready

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        """Ask the server to end, then end what is left of its group."""
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(self.pauses.stop)
            except subprocess.TimeoutExpired:
                log.warning("the model server did not end by itself; ending it")
        with contextlib.suppress(ProcessLookupError):  # nothing is left
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()

    def _last_words(self) -> str:
        """The last line of the log that names an error, for the reader who will not open the log."""
        if self.log_path is None:
            return ""
        with self.log_path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 16_384))
            lines = file.read().decode(errors="replace").splitlines()
        telling = [line.strip() for line in lines if "Error" in line or "error:" in line]
        return f" ({telling[-1][-200:]})" if telling else ""


def _reason(code: int | None) -> str:
    if code is not None and code < 0:
        return f"signal {signal.Signals(-code).name}" + (" (out of memory?)" if code == -signal.SIGKILL else "")
    return f"exit code {code}"


def _log_path(settings: Settings) -> Path | None:
    """Where vLLM's own words go; None, our standard error, where the data folder cannot be written to."""
    folder = settings.data_dir / "logs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return (folder / "vllm.log").resolve() if os.access(folder, os.W_OK) else None


def serve(
    name: str | None,
    settings: Settings,
    *,
    python: Path | None = None,
    host: str | None = None,
    extra: Sequence[str] = (),
    stop: threading.Event | None = None,
) -> int:
    """Serve a pack (default: the one of the settings) at the address of QA_GENERATOR_URL until `stop`; 0 then.

    `host` listens elsewhere than that address says, such as 0.0.0.0 inside a container. Raises NotFound for an unknown name,
    PackError when its weights are not here, Conflict when the port is taken, Unavailable when there is no vLLM.
    """
    machine = read_machine()
    variant = variant_of(name or settings.generator)
    known = PACKS.get(variant.partition(":")[0])
    if known is not None and known.kind != "generator":
        generators = ", ".join(pack.name for pack in PACKS.values() if pack.kind == "generator")
        raise BadRequest(f"{variant} is an {known.kind}, it cannot write answers; generators: {generators}")
    folder = weights_dir(variant, settings)
    shown = known.name if known else folder.name
    listen = address_of(settings.generator_url if host is None else f"http://{host}:{urlsplit(settings.generator_url).port or 80}")
    program = find_program(machine, root=Path(__file__).resolve().parent.parent, python=python)
    launch = build_launch(program, folder, shown, listen, machine, os.environ, key=settings.generator_key, extra=extra)
    reached = "127.0.0.1" if listen[0] in ("0.0.0.0", "::") else listen[0]
    url = f"http://{reached}:{listen[1]}/v1/models"
    key = settings.generator_key
    supervisor = Supervisor(launch, lambda: answers(url, key), shown, stop or threading.Event(), _log_path(settings))
    return supervisor.run()
