"""How far a long reading is, told every few seconds."""

import time
from collections.abc import Callable

from include.transfer import PROGRESS_EVERY_S
from include.wording import duration


class Progress:
    """Tells in percent, MB, MB/s and time left; says nothing of what is short.

    Args:
        what: what is read, for the line's beginning.
        total: its bytes.
        say: told a line at a time.
        done: bytes that were read before, and are no part of the pace.
    """

    def __init__(self, what: str, total: int, say: Callable[[str], None], done: int = 0) -> None:
        self._what = what
        self._total = total
        self._say = say
        self._before = done
        self._began = time.monotonic()
        self._next = self._began + PROGRESS_EVERY_S

    def tell(self, done: int) -> None:
        """Say how far it is, if it's time for it."""
        if (now := time.monotonic()) < self._next:
            return
        self._next = now + PROGRESS_EVERY_S
        rate = max(done - self._before, 1) / (now - self._began)
        told = f"{done * 100 // self._total} % · {done / 1e6:,.0f} MB · {rate / 1e6:,.0f} MB/s"
        self._say(f"{self._what}: {told} · {duration((self._total - done) / rate)} left")
