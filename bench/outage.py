"""Ask a running service at a steady rate while its model server is stopped and started again.

    python -m bench.outage --stop "COMMAND" --start "COMMAND" [--rate 5] [--url http://127.0.0.1:8000] QUESTION …

Prints what the requests got in each phase: how many, by mode and reason, the slowest; then the seconds from the model server's first
answer to the first generated reply. Exit 1 when any request was not answered with 200.
"""

import argparse
import shlex
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass

import httpx


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: when it began and ended (seconds on one clock), its HTTP status (0: no answer), mode and reason."""

    begin: float
    end: float
    status: int
    mode: str
    reason: str

    @property
    def seconds(self) -> float:
        return self.end - self.begin


class Asker:
    """Starts a request every 1/rate seconds whatever became of the earlier ones (an open model: a slow service gets no mercy)."""

    def __init__(self, url: str, questions: list[str], rate: float) -> None:
        self._client = httpx.Client(base_url=url, timeout=120, limits=httpx.Limits(max_connections=None))
        self._questions = questions
        self._rate = rate
        self._threads: list[threading.Thread] = []
        self._over = threading.Event()
        self.asked: list[Asked] = []

    def _ask(self, question: str) -> None:
        begin = time.monotonic()
        try:
            response = self._client.post("/ask", json={"question": question, "max_tokens": 48})
            reply = response.json()
            row = Asked(begin, time.monotonic(), response.status_code, reply.get("mode", ""), str(reply.get("reason")))
        except (httpx.HTTPError, ValueError) as error:
            row = Asked(begin, time.monotonic(), 0, "", type(error).__name__)
        self.asked.append(row)

    def run(self) -> None:
        number = 0
        while not self._over.wait(1 / self._rate):
            thread = threading.Thread(target=self._ask, args=(self._questions[number % len(self._questions)],))
            thread.start()
            self._threads.append(thread)
            number += 1

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


def generator_answers(url: str) -> bool:
    """Whether the service says that its generator is ready."""
    try:
        return bool(httpx.get(f"{url}/ready", timeout=5).json()["generator"]["status"] == "ready")
    except (httpx.HTTPError, ValueError, KeyError):
        return False


def wait(condition: bool, url: str, seconds: float) -> float:
    """Seconds until the generator's readiness equals `condition`."""
    begin = time.monotonic()
    while generator_answers(url) is not condition:
        if time.monotonic() - begin > seconds:
            raise SystemExit(f"the generator did not become {'ready' if condition else 'unready'} in {seconds:.0f} s")
        time.sleep(0.2)
    return time.monotonic() - begin


def report(phase: str, rows: list[Asked]) -> None:
    kinds = Counter(f"{r.status} {r.mode} {r.reason}" for r in rows)
    extractive = sorted(r.seconds for r in rows if r.mode == "extractive")
    slowest = f"; extractive: median {extractive[len(extractive) // 2]:.2f} s, slowest {extractive[-1]:.2f} s" if extractive else ""
    sys.stdout.write(f"{phase:8} {len(rows):4} requests {slowest}\n")
    for kind, count in kinds.most_common():
        sys.stdout.write(f"         {count:4} × {kind}\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", nargs="+")
    parser.add_argument("--stop", required=True)
    parser.add_argument("--start", required=True)
    parser.add_argument("--rate", type=float, default=5.0)
    parser.add_argument("--seconds", type=float, default=15.0, help="length of each phase")
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    options = parser.parse_args()
    wait(True, options.url, 300)
    asker = Asker(options.url, options.questions, options.rate)
    thread = threading.Thread(target=asker.run)
    thread.start()
    time.sleep(options.seconds)
    stopped = time.monotonic()
    subprocess.run(shlex.split(options.stop), check=True)
    time.sleep(options.seconds)
    with subprocess.Popen(shlex.split(options.start), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        wait(True, options.url, 300)
        started = time.monotonic()
        time.sleep(options.seconds)
        asker.stop()
        thread.join()
        rows = asker.asked
        report("before", [r for r in rows if r.begin < stopped])
        report("down", [r for r in rows if stopped <= r.begin < started])
        report("after", [r for r in rows if r.begin >= started])
        back = min((r.end for r in rows if r.mode == "generated" and r.begin >= stopped + options.seconds), default=None)
        sys.stdout.write(
            f"first generated reply {back - started:.1f} s after the service saw its generator\n" if back else "never generated again\n"
        )
        server.terminate()
    return int(any(r.status != 200 for r in rows))


if __name__ == "__main__":
    sys.exit(main())
