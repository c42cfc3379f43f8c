"""Change a folder while a service answers from it: edit one file, delete one, add one, ingest, and watch the answers follow.

    python -m bench.live_update [--url http://127.0.0.1:8000] [--rounds 5]

Uses a collection of its own (`live-update`) in the service's data directory (QA_DATA_DIR) and asks /search all the time. Prints the
seconds from the end of each ingest until searches show the new state, and the failed requests. Exit 1 over 2 s or on a failure.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx

COLLECTION = "live-update"


def ingest(folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "ingest", str(folder), "--collection", COLLECTION], check=True, capture_output=True)


def found(client: httpx.Client, question: str) -> str:
    response = client.post("/search", json={"question": question, "collection": COLLECTION, "k": 10})
    response.raise_for_status()
    return "\n".join(hit["text"] for hit in response.json()["hits"])


class Watch:
    """Searches without pause and counts what failed."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.requests = 0
        self.failed = 0

    def _run(self) -> None:
        while not self._over.wait(0.02):
            self.requests += 1
            try:
                found(self._client, "pump pressure 幫浦壓力")
            except httpx.HTTPError:
                self.failed += 1

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def change(folder: Path, number: int) -> None:
    """The next state of the folder: the manual says another pressure, the old notice is gone, a new one is there."""
    (folder / "manual.md").write_text(f"# Pump\n\nThe pump runs at {100 + number} bar. 幫浦壓力為 {100 + number} 巴。\n", encoding="utf-8")
    (folder / f"notice-{number - 1}.txt").unlink(missing_ok=True)
    (folder / f"notice-{number}.txt").write_text(f"Notice {number}: valve V-{number} was replaced.\n", encoding="utf-8")


def follows(client: httpx.Client, number: int) -> bool:
    text = found(client, "pump pressure 幫浦壓力 notice valve replaced")
    new = f"{100 + number} bar" in text and f"V-{number} was" in text
    return new and f"{99 + number} bar" not in text and f"V-{number - 1} was" not in text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    delays = []
    with tempfile.TemporaryDirectory() as name, httpx.Client(base_url=options.url, timeout=30) as client:
        folder = Path(name)
        (folder / "other.md").write_text("# Other\n\nThe filter is changed every 500 hours.\n", encoding="utf-8")
        change(folder, 0)
        ingest(folder)
        time.sleep(1.5)
        with Watch(client) as watch:
            for number in range(1, options.rounds + 1):
                change(folder, number)
                ingest(folder)
                ended = time.monotonic()
                while not follows(client, number) and time.monotonic() - ended < 30:
                    time.sleep(0.02)
                delays.append(time.monotonic() - ended)
    shown = ", ".join(f"{d:.2f}" for d in delays)
    sys.stdout.write(f"{len(delays)} updates followed after {shown} s; {watch.failed} of {watch.requests} requests failed\n")
    return int(watch.failed > 0 or max(delays) > 2)


if __name__ == "__main__":
    sys.exit(main())
