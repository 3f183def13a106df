"""A connection limited to 1 Gbit/s, as sites have it."""

import time

from tests.include.tcp_proxy import Wire

BYTES_A_SECOND = 1e9 / 8
_LATE_S = 0.05  # a longer delay isn't made up for


class Gigabit:
    """Delays each block until the earlier ones would be through; ``Wire(server, Gigabit())``."""

    def __init__(self) -> None:
        self._carried = 0
        self._free_at = 0.0

    def __call__(self, wire: Wire) -> bool:
        """Wait until the connection is free; return False, as nothing else is to happen."""
        size, self._carried = wire.carried - self._carried, wire.carried
        now = time.monotonic()
        self._free_at = max(self._free_at, now - _LATE_S) + size / BYTES_A_SECOND
        time.sleep(max(0.0, self._free_at - now))
        return False
