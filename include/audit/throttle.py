"""A limit on how fast is read, kept by all threads together."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


class StoppedError(Exception):
    """The reading is to end: the task is being ended."""


@dataclass
class Throttle:
    """Lets so many bytes pass in a second.

    Args:
        bytes_per_s: the limit; None: there is none.
        clock: gives seconds that only ever grow.
        sleep: waits so many seconds; None: on the clock, until :meth:`stop` at the latest.
    """

    bytes_per_s: float | None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] | None = None
    _free_at: float = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _stopped: threading.Event = field(default_factory=threading.Event, init=False)

    def take(self, count: int) -> None:
        """Wait until so many bytes more may have been read.

        Raises:
            StoppedError: :meth:`stop` was called.
        """
        if self.bytes_per_s:
            (self.sleep or self._stopped.wait)(self._wait_s(count, self.bytes_per_s))
        if self._stopped.is_set():
            raise StoppedError

    def stop(self) -> None:
        """Have whoever waits, and whoever takes next, end."""
        self._stopped.set()

    def _wait_s(self, count: int, bytes_per_s: float) -> float:
        with self._lock:
            now = self.clock()
            # Time that nobody used isn't saved up: a pause is no licence for a burst.
            self._free_at = max(self._free_at, now) + count / bytes_per_s
            return self._free_at - now
