"""The breaker opens, waits, lets one try, and closes."""

import pytest

from app.breaker import Breaker


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(failures=3, cool_down_s=8.0, clock=clock)


def test_it_opens_only_after_failures_in_a_row(breaker: Breaker) -> None:
    breaker.failed()
    breaker.failed()
    breaker.succeeded()
    breaker.failed()
    breaker.failed()
    assert breaker.state == "closed"
    breaker.failed()
    assert breaker.state == "open"
    assert not breaker.admit()


def test_after_the_cool_down_exactly_one_request_tries(breaker: Breaker, clock: Clock) -> None:
    for _ in range(3):
        breaker.failed()
    clock.now += 8
    assert breaker.state == "half-open"
    assert [breaker.admit() for _ in range(4)] == [True, False, False, False]


@pytest.mark.parametrize(("outcome", "state"), [("succeeded", "closed"), ("failed", "open")])
def test_the_outcome_of_the_try_decides(breaker: Breaker, clock: Clock, outcome: str, state: str) -> None:
    for _ in range(3):
        breaker.failed()
    clock.now += 8
    assert breaker.admit()
    getattr(breaker, outcome)()
    assert breaker.state == state


def test_a_try_whose_client_left_gives_its_turn_to_the_next(breaker: Breaker, clock: Clock) -> None:
    for _ in range(3):
        breaker.failed()
    clock.now += 8
    assert breaker.admit()
    breaker.abandoned()
    assert breaker.admit()


def test_a_server_that_is_gone_opens_it_at_once_and_only_its_return_closes_it(breaker: Breaker, clock: Clock) -> None:
    breaker.failed(gone=True)
    clock.now += 1000
    assert breaker.state == "open"
    breaker.returned()
    assert breaker.state == "closed"


def test_a_server_that_answers_probes_but_fails_requests_must_still_cool_down(breaker: Breaker) -> None:
    for _ in range(3):
        breaker.failed()
    breaker.returned()
    assert breaker.state == "open"
