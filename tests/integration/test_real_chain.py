"""The whole chain as an owner runs it: a folder, real weights, a real vLLM server, and questions in both languages."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = [pytest.mark.real, pytest.mark.vllm]

ROOT = Path(__file__).resolve().parents[2]
LOADING_SECONDS = 400  # a cold start on a slow machine compiles all of vLLM's modules

MANUAL = """# 水泵維護手冊

## 壓力

水泵的額定工作壓力為 6.5 巴，超過 8 巴時安全閥會自動開啟。

## 濾網

濾網應每 500 小時更換一次，更換前必須先關閉進水閥。
"""
SAFETY = """# Laboratory safety

## Gas cylinders

Gas cylinders must be chained to the wall at two thirds of their height.

## Emergency

The emergency telephone number of the laboratory is 7788, day and night.
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Chain:
    """A running service with its model server."""

    client: httpx.Client
    model_server: subprocess.Popen[bytes]
    folder: Path

    def ask(self, question: str, **more: Any) -> dict[str, Any]:
        response = self.client.post("/ask", json={"question": question, **more})
        assert response.status_code == 200, response.text
        reply: dict[str, Any] = response.json()
        for citation in reply["citations"]:
            assert citation["quote"] in (self.folder / citation["source"]).read_text(encoding="utf-8")
        return reply


def wait_for(what: str, seconds: float, condition: Any) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.3)
    pytest.fail(f"{what} did not happen in {seconds:.0f} s")


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    base = tmp_path_factory.mktemp("chain")
    folder = base / "文件"
    folder.mkdir()
    (folder / "手冊.md").write_text(MANUAL, encoding="utf-8")
    (folder / "safety.md").write_text(SAFETY, encoding="utf-8")
    port = free_port()
    given = {"QA_DATA_DIR": str(base / "data"), "QA_PORT": str(port), "QA_GENERATOR_URL": f"http://127.0.0.1:{free_port()}/v1"}
    environment = {**os.environ, **given, "QA_FIRST_TOKEN_SECONDS": "120", "QA_ANSWER_SECONDS": "240"}

    def python(*words: str) -> list[str]:
        return [sys.executable, "-m", *words]

    subprocess.run(python("models", "pull"), cwd=ROOT, env=environment, check=True)
    with (base / "models.log").open("wb") as models_log, (base / "app.log").open("wb") as app_log:
        model_server = subprocess.Popen(python("models", "serve"), cwd=ROOT, env=environment, stdout=models_log, stderr=subprocess.STDOUT)
        service = subprocess.Popen(python("app"), cwd=ROOT, env=environment, stdout=app_log, stderr=subprocess.STDOUT)
        try:
            subprocess.run(python("ingest", str(folder)), cwd=ROOT, env=environment, check=True)
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=300) as client:
                wait_for("the service", 120, lambda: client.get("/ready").status_code == 200)
                yield Chain(client, model_server, folder)
        finally:
            stop(service)
            stop(model_server)


def test_quotes_before_the_model_is_up(chain: Chain) -> None:
    reply = chain.ask("濾網多久要更換一次?", mode="extractive")
    assert (reply["status"], reply["mode"]) == ("answered", "extractive")
    assert any("500" in c["quote"] for c in reply["citations"])


def test_the_model_loads(chain: Chain) -> None:
    def loaded() -> bool:
        assert chain.model_server.poll() is None, "the model server ended"
        return bool(chain.client.get("/ready").json()["generator"]["status"] == "ready")

    wait_for("the model", LOADING_SECONDS, loaded)


@pytest.mark.parametrize(
    ("question", "source", "words"),
    [
        ("水泵的額定工作壓力是多少?", "手冊.md", "6.5"),
        ("What is the emergency telephone number of the laboratory?", "safety.md", "7788"),
    ],
)
def test_a_question_gets_a_written_answer_with_a_quote_from_the_right_file(chain: Chain, question: str, source: str, words: str) -> None:
    reply = chain.ask(question)
    assert (reply["status"], reply["mode"], reply["reason"]) == ("answered", "generated", None)
    assert words in reply["answer"]
    assert any(c["source"] == source and words in c["quote"] for c in reply["citations"])
    assert reply["usage"]["completion_tokens"] > 0


@pytest.mark.parametrize("question", ["誰是 2010 年世界盃足球賽的冠軍?", "How far away is the moon?"])
def test_what_the_documents_do_not_say_is_refused(chain: Chain, question: str) -> None:
    reply = chain.ask(question)
    assert reply["status"] == "no_evidence"
    assert reply["citations"] == []
    assert reply["reason"] in {"insufficient_evidence", "model_declined", "no_hits"}


def test_without_its_model_the_service_goes_on_with_quotes(chain: Chain) -> None:
    stop(chain.model_server)
    reply = chain.ask("What is the emergency telephone number of the laboratory?")
    assert (reply["status"], reply["mode"], reply["reason"]) == ("answered", "extractive", "generator_unavailable")
    assert any("7788" in c["quote"] for c in reply["citations"])
