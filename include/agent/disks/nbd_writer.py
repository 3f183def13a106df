"""Write to an exported disk; ``nbd_client.py`` reads."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from include.agent.disks.nbd_client import Export

_WRITE, _FLUSH, _WRITE_ZEROES = 1, 3, 6  # commands
_PENDING = 16  # writes that the server may be working on at once


class WritableExport(Export):
    """An exported disk that can be written to, by one thread. The server may do the writes in any order.

    Args:
        path: the server's Unix socket.
        name: the export's name.
    """

    def __enter__(self) -> WritableExport:  # noqa: PYI034 - Self came with Python 3.11
        return self

    def write(self, offset: int, data: memoryview) -> Future[Any]:
        """Send data to be written. The buffer may be reused at once; the future is done when it is written.

        Raises:
            NbdGoneError: the connection is broken; from the future too.
            NbdError: from the future: the disk can't be written there.
        """
        return self._send(_WRITE, offset, len(data), None, data)

    def zero(self, offset: int, length: int) -> Future[Any]:
        """Write zeros; as a hole, if the disk supports that. Raises as :meth:`write` does."""
        return self._send(_WRITE_ZEROES, offset, length, None)

    def flush(self) -> None:
        """Flush all completed writes to the disk itself. Raises as :meth:`write` does."""
        self._send(_FLUSH, 0, 0, None).result()


class Writes:
    """Pending writes, of which there are only a few at a time."""

    def __init__(self) -> None:
        self._pending: deque[Future[Any]] = deque()

    def add(self, write: Future[Any]) -> None:
        """Add a write; wait for the oldest ones if too many are pending.

        Raises:
            NbdError: a write failed.
        """
        self._pending.append(write)
        self.wait(_PENDING)

    def wait(self, leave: int = 0) -> None:
        """Wait until at most ``leave`` writes are pending. Raises as :meth:`add` does."""
        while len(self._pending) > leave:
            self._pending.popleft().result()


@contextmanager
def all_written(export: WritableExport) -> Iterator[Writes]:
    """Complete and flush all writes of a block at its end.

    Raises:
        NbdError: a write failed.
    """
    writes = Writes()
    yield writes
    writes.wait()
    export.flush()
