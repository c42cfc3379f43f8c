"""Progress of a download: a bar on a terminal, a log line now and then elsewhere."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from tqdm import tqdm

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def progress(
    name: str, total: int, *, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[int], object]]:
    """A function to call with the bytes that were just done, out of `total`."""
    out = sys.stderr if stream is None else stream
    if out.isatty():
        with tqdm(desc=name, total=total, unit="B", unit_scale=True, file=out) as bar:
            yield bar.update
        return
    done = 0
    said = clock()

    def update(count: int) -> None:
        nonlocal done, said
        done += count
        if clock() - said >= SECONDS_BETWEEN_LINES:
            said = clock()
            log.info("%s: %.0f of %.0f MB", name, done / 1e6, total / 1e6)

    yield update
