"""One worker thread that computes whatever was asked for while it computed the last batch."""

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")
MOST = 64  # items of one batch


class MicroBatcher(Generic[T, R]):
    """`compute` turns a list of items into a list of results of the same length and runs only on the worker's thread.

    No item waits for others to come: a batch is what had queued when the worker became free. The thread starts with the first item.
    """

    def __init__(self, compute: Callable[[list[T]], list[R]], *, name: str, most: int = MOST) -> None:
        self._compute = compute
        self._name = name
        self._most = most
        self._waiting: queue.SimpleQueue[tuple[list[T], Future[list[R]]]] = queue.SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def submit(self, items: Sequence[T]) -> list[R]:
        """Results of `items`, in order; blocks until they are there. Raises what `compute` raised."""
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                    self._thread.start()
        future: Future[list[R]] = Future()
        self._waiting.put((list(items), future))
        return future.result()

    def _work(self) -> None:
        while True:
            self._step()

    def _step(self) -> None:
        """One batch: wait for a first request, then take all that is there."""
        requests = [self._waiting.get()]
        while sum(len(items) for items, _ in requests) < self._most:
            try:
                requests.append(self._waiting.get_nowait())
            except queue.Empty:
                break
        try:
            results = self._compute([item for items, _ in requests for item in items])
        except BaseException as error:  # noqa: BLE001 - the worker outlives any failure, and whoever asked is told
            for _, future in requests:
                future.set_exception(error)
            return
        start = 0
        for items, future in requests:
            future.set_result(results[start : start + len(items)])
            start += len(items)
