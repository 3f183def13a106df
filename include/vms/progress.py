"""The progress of a long transfer or reading, logged every few seconds."""

import time
from collections.abc import Callable

from include.remote.rsync import PROGRESS_EVERY_S
from include.text import duration


class Progress:
    """Logs percent, MB, MB/s and the time left; what takes only seconds logs nothing.

    Args:
        what: what is read, the beginning of each line.
        total: its size in bytes.
        log: is called with each line.
        done: bytes that were done before, which don't count for the speed.
    """

    def __init__(self, what: str, total: int, log: Callable[[str], None], done: int = 0) -> None:
        self._what = what
        self._total = total
        self._log = log
        self._before = done
        self._began = time.monotonic()
        self._next = self._began + PROGRESS_EVERY_S

    def report(self, done: int) -> None:
        """Log how many bytes are done, if a line is due."""
        if (now := time.monotonic()) < self._next:
            return
        self._next = now + PROGRESS_EVERY_S
        rate = max(done - self._before, 1) / (now - self._began)
        figures = f"{done * 100 // self._total} % · {done / 1e6:,.0f} MB · {rate / 1e6:,.0f} MB/s"
        self._log(f"{self._what}: {figures} · {duration((self._total - done) / rate)} left")
