"""The model server is watched, restarted with growing pauses, and never outlives its parent."""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from core.errors import BadRequest, Conflict, NotFound, PackError
from models.launch import Launch
from models.serve import NICENESS, Pauses, Supervisor, address_of, answers, serve
from tests.unit.models.packkit import settings

SERVER = Path(__file__).parent / "model_server.py"
FAST = Pauses(first=0.01, longest=0.05, steady=0.0, stop=0.3, look=0.02)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Running:
    """A supervisor at work in a thread, with the fake server below it."""

    def __init__(self, folder: Path, behaviour: str, pauses: Pauses = FAST) -> None:
        self.folder = folder
        self.port = free_port()
        self.stop = threading.Event()
        command = (sys.executable, str(SERVER), str(self.port), str(folder), behaviour)
        url = f"http://127.0.0.1:{self.port}/v1/models"
        launch = Launch(command, dict(os.environ))
        self.supervisor = Supervisor(launch, lambda: answers(url), "m", self.stop, folder / "vllm.log", pauses)
        self.code: list[int] = []
        self.thread = threading.Thread(target=lambda: self.code.append(self.supervisor.run()))
        self.thread.start()

    def pids(self) -> list[int]:
        path = self.folder / "starts"
        return [int(line.split()[0]) for line in path.read_text().splitlines()] if path.exists() else []

    def answers(self) -> bool:
        return answers(f"http://127.0.0.1:{self.port}/v1/models")

    def end(self) -> None:
        self.stop.set()
        self.thread.join(20)
        assert not self.thread.is_alive()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    made: list[Running] = []

    def begin(behaviour: str, pauses: Pauses = FAST) -> Running:
        made.append(Running(tmp_path, behaviour, pauses))
        return made[-1]

    yield begin
    for running in made:
        running.end()


def test_it_starts_answers_and_stops_with_all_its_processes(start: Callable[..., Running], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        running = start("good")
        until(lambda: "m answers after" in caplog.text)
        (pid,) = running.pids()
        grandchild = int((running.folder / "grandchild").read_text())
        running.end()
    assert running.code == [0]
    assert not alive(pid)
    assert not alive(grandchild)
    assert "the model server has stopped" in caplog.text


def test_it_lets_the_service_go_first(start: Callable[..., Running]) -> None:
    running = start("good")
    until(running.answers)
    niceness = int((running.folder / "starts").read_text().split()[1])
    assert niceness == min(19, os.nice(0) + NICENESS)


def test_a_killed_server_is_started_again(start: Callable[..., Running], caplog: pytest.LogCaptureFixture) -> None:
    running = start("good")
    until(running.answers)
    first_grandchild = int((running.folder / "grandchild").read_text())
    os.kill(running.pids()[0], signal.SIGKILL)
    until(lambda: len(running.pids()) == 2 and running.answers())
    assert not alive(first_grandchild)  # it would keep the port and the memory
    assert "signal SIGKILL (out of memory?)" in caplog.text


def test_a_server_that_cannot_start_is_tried_again_and_its_error_shown(
    start: Callable[..., Running], caplog: pytest.LogCaptureFixture
) -> None:
    running = start("crash")
    until(lambda: running.supervisor.starts >= 3)
    assert "ended with exit code 3 (ValueError: the weights are not to my taste)" in caplog.text


def test_a_server_deaf_to_sigterm_is_ended_all_the_same(start: Callable[..., Running]) -> None:
    running = start("deaf")
    until(running.answers)
    began = time.monotonic()
    running.end()
    assert time.monotonic() - began < 10
    assert not alive(running.pids()[0])


def test_pauses_double_up_to_a_minute() -> None:
    pauses = Pauses()
    assert [pauses.before(n) for n in (1, 2, 3, 6, 7, 40)] == [1, 2, 4, 32, 60, 60]


class Waits(threading.Event):
    """An event that keeps the waits it was asked for, and is set after `last` pauses."""

    def __init__(self, last: int) -> None:
        super().__init__()
        self.pauses: list[float] = []
        self.last = last

    def wait(self, timeout: float | None = None) -> bool:
        if timeout is not None and timeout >= 1:
            self.pauses.append(timeout)
            if len(self.pauses) == self.last:
                self.set()
        elif timeout is not None:
            time.sleep(timeout)
        return self.is_set()


def test_each_failure_waits_longer_than_the_one_before() -> None:
    stop = Waits(last=4)
    supervisor = Supervisor(Launch(("false",), {"PATH": os.environ["PATH"]}), lambda: False, "m", stop, pauses=Pauses(look=0.01))
    assert supervisor.run() == 0
    assert stop.pauses == [1, 2, 4, 8]


def test_a_long_good_run_forgets_earlier_failures() -> None:
    stop = Waits(last=3)
    ticks = count(0, 500)  # every look at the clock is 500 s after the last
    launch = Launch(("sleep", "0.3"), {"PATH": os.environ["PATH"]})
    supervisor = Supervisor(launch, lambda: True, "m", stop, pauses=Pauses(look=0.01), clock=lambda: float(next(ticks)))
    supervisor.run()
    assert stop.pauses == [1, 1, 1]


def test_loading_is_said_every_ten_seconds(caplog: pytest.LogCaptureFixture) -> None:
    stop = Waits(last=1)
    ticks = count(0, 4)
    launch = Launch(("sleep", "0.3"), {"PATH": os.environ["PATH"]})
    supervisor = Supervisor(launch, lambda: False, "m", stop, pauses=Pauses(look=0.01), clock=lambda: float(next(ticks)))
    with caplog.at_level(logging.INFO):
        supervisor.run()
    assert "m is loading, 12 s" in caplog.text


def test_the_server_dies_with_a_killed_parent(tmp_path: Path) -> None:
    port = free_port()
    code = (
        "import os, sys, threading; from models.serve import Supervisor; from models.launch import Launch;"
        f"launch = Launch((sys.executable, {str(SERVER)!r}, '{port}', {str(tmp_path)!r}, 'good'), dict(os.environ));"
        "Supervisor(launch, lambda: False, 'm', threading.Event()).run()"
    )
    root = Path(__file__).resolve().parents[3]
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=root)
    until(lambda: answers(f"http://127.0.0.1:{port}/v1/models"))
    server = int((tmp_path / "starts").read_text().split()[0])
    grandchild = int((tmp_path / "grandchild").read_text())
    parent.kill()
    parent.wait()
    until(lambda: not alive(server))
    os.kill(grandchild, signal.SIGKILL)  # vLLM ends its own on SIGTERM; the stand-in does not


def test_a_taken_port_is_said_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Conflict, match=f"port {port} is in use.*QA_GENERATOR_URL"):
            address_of(f"http://127.0.0.1:{port}/v1")


@pytest.mark.parametrize("host", ["203.0.113.7", "nowhere.invalid"])
def test_another_machine_is_not_served_from_here(host: str) -> None:
    with pytest.raises(BadRequest, match=f"names {host}, which is not this machine"):
        address_of(f"http://{host}:8001/v1")


def test_localhost_is_the_loopback_address() -> None:
    port = free_port()
    assert address_of(f"http://localhost:{port}/v1") == ("127.0.0.1", port)


def test_an_open_address_is_allowed_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    assert address_of(f"http://0.0.0.0:{port}/v1") == ("0.0.0.0", port)
    assert "keep this network private" in caplog.text


def test_nothing_listening_is_no_answer() -> None:
    assert not answers(f"http://127.0.0.1:{free_port()}/v1/models")


def test_an_unknown_model_gets_the_list(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no pack is called 'gpt-9'; known packs:"):
        serve("gpt-9", settings(tmp_path))


def test_an_embedder_cannot_write_answers(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="is an embedder.*generators: qwen"):
        serve("multilingual-e5-small", settings(tmp_path))


def test_a_pack_that_was_not_pulled_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="python -m models pull smollm2-135m-instruct"):
        serve("smollm2-135m-instruct", settings(tmp_path))


def test_a_whole_serve_from_folder_to_answer(tmp_path: Path) -> None:
    weights = tmp_path / "my-model"
    weights.mkdir()
    (weights / "config.json").write_text("{}")
    (weights / "model.safetensors").write_bytes(b"\0")
    port = free_port()
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\nexec {sys.executable} {SERVER} {port} {tmp_path} good\n')
    python.chmod(0o755)
    stop = threading.Event()
    given = settings(tmp_path, generator_url=f"http://127.0.0.1:{port}/v1")
    thread = threading.Thread(target=serve, args=(str(weights), given), kwargs={"python": python, "extra": ("--seed", "1"), "stop": stop})
    thread.start()
    until(lambda: answers(f"http://127.0.0.1:{port}/v1/models"))
    stop.set()
    thread.join(20)
    arguments = (tmp_path / "arguments").read_text()
    assert f"--model {weights} --served-model-name my-model --host 127.0.0.1 --port {port}" in arguments
    assert arguments.rstrip().endswith("--seed 1")
    assert (tmp_path / "data" / "logs" / "vllm.log").exists()
