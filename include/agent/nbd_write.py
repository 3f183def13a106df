"""Writing to an exported disk: the other half of ``nbd.py``."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from .nbd import Export

_WRITE, _FLUSH, _WRITE_ZEROES = 1, 3, 6  # commands
_ON_THEIR_WAY = 16  # writes that the server may still be at


class WritableExport(Export):
    """One exported disk that can be written to. One thread asks; writes are done in any order.

    Args:
        path: the server's Unix socket.
        name: the export's.
    """

    def __enter__(self) -> WritableExport:  # noqa: PYI034 - Self came with Python 3.11
        return self

    def write(self, offset: int, data: memoryview) -> Future[Any]:
        """Write bytes; they may be used otherwise at once, and are written when the future is done.

        Raises:
            NbdGoneError: the connection is broken; from the future too.
            NbdError: from the future: they can't be written there.
        """
        return self._ask(_WRITE, offset, len(data), None, data)

    def zero(self, offset: int, length: int) -> Future[Any]:
        """Have a part read as zeros; a hole where the disk can have one. Raises as :meth:`write` does."""
        return self._ask(_WRITE_ZEROES, offset, length, None)

    def flush(self) -> None:
        """Have all that was written on the disk itself. Raises as :meth:`write` does."""
        self._ask(_FLUSH, 0, 0, None).result()


class Writes:
    """Writes on their way, a few at a time."""

    def __init__(self) -> None:
        self._begun: deque[Future[Any]] = deque()

    def add(self, write: Future[Any]) -> None:
        """Wait for the oldest ones, where too many are on their way.

        Raises:
            NbdError: one failed.
        """
        self._begun.append(write)
        self.wait(_ON_THEIR_WAY)

    def wait(self, leave: int = 0) -> None:
        """Wait until no more than ``leave`` are on their way. Raises as :meth:`add` does."""
        while len(self._begun) > leave:
            self._begun.popleft().result()


@contextmanager
def all_written(export: WritableExport) -> Iterator[Writes]:
    """Have all writes of a block on the disk itself at its end.

    Raises:
        NbdError: one failed.
    """
    writes = Writes()
    yield writes
    writes.wait()
    export.flush()
