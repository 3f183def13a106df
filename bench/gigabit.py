"""A wire as sites have it: 1 Gbit/s, whatever the machine that measures could do."""

import time

from tests.include.wire import Wire

BYTES_A_SECOND = 1e9 / 8
_LATE_S = 0.05  # what was missed longer ago isn't made up for


class Gigabit:
    """Paces a wire: holds up each block until the ones before it are through; ``Wire(server, Gigabit())``."""

    def __init__(self) -> None:
        self._carried = 0
        self._free_at = 0.0

    def __call__(self, wire: Wire) -> bool:
        """Wait until the wire is free; there is nothing else that is to happen."""
        size, self._carried = wire.carried - self._carried, wire.carried
        now = time.monotonic()
        self._free_at = max(self._free_at, now - _LATE_S) + size / BYTES_A_SECOND
        time.sleep(max(0.0, self._free_at - now))
        return False
