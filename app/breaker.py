"""A circuit breaker: while the model server is known to be away, nobody waits for it. Pure; the clock is injected.

closed     requests go through
open       requests are refused at once, until the cool-down is over
half-open  one request tries; its success closes the breaker, its failure opens it again
"""

import time
from collections.abc import Callable
from typing import Literal

BreakerState = Literal["closed", "open", "half-open"]


class Breaker:
    """Opens after `failures` in a row, or at once when told that the server is gone. Not thread-safe: one event loop uses it."""

    def __init__(self, *, failures: int = 3, cool_down_s: float = 8.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = failures
        self._cool_down_s = cool_down_s
        self._clock = clock
        self._failed = 0
        self._opened: float | None = None
        self._trying: float | None = None
        self._gone = False

    @property
    def state(self) -> BreakerState:
        if self._opened is None:
            return "closed"
        return "half-open" if not self._gone and self._clock() - self._opened >= self._cool_down_s else "open"

    def admit(self) -> bool:
        """May a request go through now? In the half-open state the first asker may, the others until its outcome may not."""
        state = self.state
        if state != "half-open":
            return state == "closed"
        if self._trying is not None and self._clock() - self._trying < self._cool_down_s:
            return False
        self._trying = self._clock()
        return True

    def succeeded(self) -> None:
        self._failed = 0
        self._opened = self._trying = None
        self._gone = False

    def failed(self, *, gone: bool = False) -> None:
        """Count a failure. `gone`: nothing listens there, so it opens at once and only `returned` closes it."""
        self._failed += 1
        self._trying = None
        if gone:
            self._gone = True
        if gone or self._failed >= self._limit or self._opened is not None:
            self._opened = self._clock()

    def abandoned(self) -> None:
        """A try ended without an outcome (the client left): let the next asker try."""
        self._trying = None

    def returned(self) -> None:
        """A probe found the server answering. Ends an outage; a server that answers probes yet fails requests must cool down first."""
        if self._gone:
            self.succeeded()
