"""How far an ingest is: a bar on a terminal, a line every few seconds elsewhere."""

import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

from tqdm import tqdm

from ingest.report import Language, shown

_STEPS: dict[Language, dict[str, str]] = {
    "en": {"compare": "comparing", "index": "indexing", "publish": "publishing", "files": "files", "passages": "passages"},
    "zh": {"compare": "比對", "index": "建立索引", "publish": "發布", "files": "個檔案", "passages": "個段落"},
}
_EVERY = 5.0  # seconds between lines


class Progress:
    """A watcher of the pipeline that writes to `out`. Use as: `with Progress(...) as watcher`."""

    def __init__(self, language: Language, *, out: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._words = _STEPS[language]
        self._out = out or sys.stderr
        self._clock = clock
        self._bar: Any = None  # tqdm, on a terminal only
        self._step = ""
        self._total = self._files = self._passages = 0
        self._said = 0.0

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        self._end()

    def begin(self, step: str, total: int) -> None:
        self._end()
        self._step, self._total, self._files, self._passages = self._words[step], total, 0, 0
        self._said = self._clock()
        if total and self._out.isatty():
            self._bar = tqdm(total=total, desc=self._step, unit=f" {self._words['files']}", file=self._out, dynamic_ncols=True)
        elif step != "compare" and (total or step == "publish"):
            self._out.write(f"{self._step}: {total} {self._words['files']}\n" if total else f"{self._step}\n")
            self._out.flush()

    def file_done(self, source: str) -> None:
        self._files += 1
        if self._bar is not None:
            self._bar.update(1)
            self._bar.set_postfix_str(shown(source)[-30:], refresh=False)
        self._maybe_say()

    def passages_done(self, count: int) -> None:
        self._passages += count
        if self._bar is not None:
            self._bar.set_postfix_str(f"{self._passages:,} {self._words['passages']}")
        self._maybe_say()

    def _maybe_say(self) -> None:
        now = self._clock()
        if self._bar is not None or now - self._said < _EVERY:
            return
        self._said = now
        passages = f", {self._passages:,} {self._words['passages']}" if self._passages else ""
        self._out.write(f"{self._step}: {self._files}/{self._total} {self._words['files']}{passages}\n")
        self._out.flush()

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
