"""The query worker: whatever was asked for while it computed is computed together."""

import threading

import pytest

from index.compiled import token_batches
from index.microbatch import MicroBatcher


def test_requests_that_wait_share_a_batch_and_get_their_own_results() -> None:
    batches: list[list[int]] = []
    busy, release = threading.Event(), threading.Event()

    def compute(items: list[int]) -> list[int]:
        batches.append(items)
        busy.set()
        assert release.wait(10)
        return [item * 10 for item in items]

    batcher: MicroBatcher[int, int] = MicroBatcher(compute, name="test")
    results: dict[int, list[int]] = {}

    def ask(n: int) -> None:
        results[n] = batcher.submit([n, n + 100])

    first = threading.Thread(target=ask, args=(0,))
    first.start()
    assert busy.wait(10)
    others = [threading.Thread(target=ask, args=(n,)) for n in range(1, 6)]
    for thread in others:
        thread.start()
    while batcher._waiting.qsize() < 5:
        pass
    release.set()
    for thread in [first, *others]:
        thread.join(10)
    assert results == {n: [n * 10, (n + 100) * 10] for n in range(6)}
    assert [len(b) for b in batches] == [2, 10]


def test_a_failure_reaches_who_asked_and_the_worker_goes_on() -> None:
    def compute(items: list[int]) -> list[int]:
        return [1 // item for item in items]

    batcher: MicroBatcher[int, int] = MicroBatcher(compute, name="test")
    with pytest.raises(ZeroDivisionError):
        batcher.submit([0])
    assert batcher.submit([1]) == [1]


def test_batches_keep_the_budget_and_lose_no_text() -> None:
    lengths = [5, 500, 3, 120, 80, 80, 1, 999]
    batches = list(token_batches(lengths, 256))
    assert sorted(place for batch in batches for place in batch) == list(range(len(lengths)))
    assert all(len(b) == 1 or len(b) * max(lengths[p] for p in b) <= 256 for b in batches)
    assert [lengths[b[0]] for b in batches] == sorted((lengths[b[0]] for b in batches), reverse=True)
    assert list(token_batches([], 256)) == []
