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
        sleep: waits so many seconds.
    """

    bytes_per_s: float | None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _free_at: float = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _stopped: bool = field(default=False, init=False)

    def take(self, count: int) -> None:
        """Wait until so many bytes more may have been read.

        Raises:
            StoppedError: :meth:`stop` was called.
        """
        if self._stopped:
            raise StoppedError
        if not self.bytes_per_s:
            return
        with self._lock:
            now = self.clock()
            # Time that nobody used isn't saved up: a pause is no licence for a burst.
            self._free_at = max(self._free_at, now) + count / self.bytes_per_s
            wait_s = self._free_at - now
        self.sleep(wait_s)

    def stop(self) -> None:
        """Have whoever takes next end."""
        self._stopped = True
