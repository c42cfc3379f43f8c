"""The outage bench: what it asks, what it counts, and that nothing of an outage is left out of the report."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench.outage import Asked, Asker, generator_answers, report, wait


class Service(BaseHTTPRequestHandler):
    """A service in small: /ready says what `state` says, /ask answers as told and remembers the questions."""

    state = {"generator": "ready", "status": 200, "mode": "generated"}
    bodies: list[bytes] = []

    def log_message(self, *_: object) -> None:
        """Say nothing on standard error."""

    def _reply(self, status: int, body: str) -> None:
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        self._reply(200, f'{{"generator": {{"status": "{self.state["generator"]}"}}}}')

    def do_POST(self) -> None:
        self.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self._reply(int(self.state["status"]), f'{{"mode": "{self.state["mode"]}", "reason": null}}')


@pytest.fixture
def url() -> Iterator[str]:
    Service.state = {"generator": "ready", "status": 200, "mode": "generated"}
    Service.bodies = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def ask_for(asker: Asker, seconds: float) -> list[Asked]:
    thread = threading.Thread(target=asker.run)
    thread.start()
    time.sleep(seconds)
    asker.stop()
    thread.join()
    return asker.asked


def test_questions_are_asked_in_turn_at_the_rate(url: str) -> None:
    asked = ask_for(Asker(url, ["one", "two"], rate=50), 0.5)
    assert 5 <= len(asked) <= 26
    assert b'"one"' in Service.bodies[0] or b'"two"' in Service.bodies[0]
    assert {b'"one"' in body for body in Service.bodies} == {True, False}


def test_every_request_is_a_row_with_its_outcome(url: str) -> None:
    asked = ask_for(Asker(url, ["q"], rate=50), 0.2)
    assert {(row.status, row.mode, row.reason) for row in asked} == {(200, "generated", "None")}
    assert all(row.seconds >= 0 for row in asked)


def test_a_service_that_fails_is_counted_not_hidden(url: str) -> None:
    Service.state["status"] = 500
    assert {row.status for row in ask_for(Asker(url, ["q"], rate=50), 0.2)} == {500}


def test_a_service_that_is_gone_is_status_0() -> None:
    asked = ask_for(Asker("http://127.0.0.1:9", ["q"], rate=50), 0.2)
    assert asked
    assert {(row.status, row.mode) for row in asked} == {(0, "")}
    assert {row.reason for row in asked} == {"ConnectError"}


@pytest.mark.parametrize(("state", "ready"), [("ready", True), ("starting", False), ("down", False)])
def test_readiness_is_the_generators_own(url: str, state: str, ready: bool) -> None:
    Service.state["generator"] = state
    assert generator_answers(url) is ready


def test_a_missing_service_is_not_ready() -> None:
    assert generator_answers("http://127.0.0.1:9") is False


def test_waiting_ends_when_the_state_is_reached_and_fails_when_it_never_is(url: str) -> None:
    assert wait(True, url, 5) < 5
    with pytest.raises(SystemExit, match="did not become unready"):
        wait(False, url, 0.3)


def test_the_report_names_every_outcome_and_the_slowest_quote(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        Asked(0.0, 0.2, 200, "extractive", "generator_unavailable"),
        Asked(1.0, 1.9, 200, "extractive", "generator_unavailable"),
        Asked(2.0, 7.0, 200, "generated", "None"),
        Asked(3.0, 3.1, 503, "", "None"),
    ]
    report("down", rows)
    out = capsys.readouterr().out
    assert "4 requests" in out
    assert "slowest 0.90 s" in out
    assert "2 × 200 extractive generator_unavailable" in out
    assert "1 × 503" in out


def test_a_phase_without_requests_is_reported_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    report("after", [])
    assert "0 requests" in capsys.readouterr().out
