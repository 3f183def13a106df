"""A rate limit for reading, shared by all threads."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


class StoppedError(Exception):
    """The reading was stopped, because the task is ending."""


@dataclass
class Throttle:
    """Limit the bytes read per second.

    Args:
        bytes_per_s: the limit; None for none.
        clock: returns the time in seconds, monotonic.
        sleep: waits for a number of seconds; None to wait in real time, until :meth:`stop` at the latest.
    """

    bytes_per_s: float | None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] | None = None
    _free_at: float = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _stopped: threading.Event = field(default_factory=threading.Event, init=False)

    def take(self, count: int) -> None:
        """Wait until the limit allows another ``count`` bytes.

        Raises:
            StoppedError: :meth:`stop` was called.
        """
        if self.bytes_per_s:
            (self.sleep or self._stopped.wait)(self._wait_s(count, self.bytes_per_s))
        if self._stopped.is_set():
            raise StoppedError

    def stop(self) -> None:
        """Make all current and later calls of :meth:`take` raise StoppedError."""
        self._stopped.set()

    def _wait_s(self, count: int, bytes_per_s: float) -> float:
        with self._lock:
            now = self.clock()
            # Unused time isn't saved up: a pause must not allow a burst.
            self._free_at = max(self._free_at, now) + count / bytes_per_s
            return self._free_at - now
