"""A set of chunk numbers that takes one bit for each chunk of a disk: 2 MiB for 16 TiB in chunks of 1 MiB."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_FULL = 0xFF
_SOME = re.compile(rb"\xff+|[^\x00\xff]")  # whole stretches of numbers that are all there, and single bytes


class Bitmap:
    """Some of the numbers below ``size``, in order.

    Args:
        size: how many numbers there are.
        numbers: those that are in it at first.
    """

    def __init__(self, size: int, numbers: Iterable[int] = ()) -> None:
        self._size, self._count = size, 0
        self._bits = bytearray(-(-size // 8))
        for number in numbers:
            self.add(number)

    @classmethod
    def full(cls, size: int) -> Bitmap:
        """Return a bitmap with all the numbers."""
        made = cls(0)
        made._size, made._count = size, size
        made._bits = bytearray([_FULL]) * (size // 8) + bytearray([(1 << size % 8) - 1][: size % 8])
        return made

    def add(self, number: int) -> None:
        """Add a number, unless it is there already.

        Raises:
            IndexError: it isn't below ``size``.
        """
        if not 0 <= number < self._size:
            raise IndexError(number)
        byte, bit = number >> 3, 1 << (number & 7)
        if not self._bits[byte] & bit:
            self._bits[byte] |= bit
            self._count += 1

    def __contains__(self, number: int) -> bool:
        return 0 <= number < self._size and bool(self._bits[number >> 3] & 1 << (number & 7))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bitmap) and (self._size, self._bits) == (other._size, other._bits)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        for run in self.runs():
            yield from run

    def runs(self) -> Iterator[range]:
        """Yield the numbers as ranges, each as long as possible."""
        first = end = 0
        for start, stop in self._pieces():
            if start != end:
                if first < end:
                    yield range(first, end)
                first = start
            end = stop
        if first < end:
            yield range(first, end)

    def _pieces(self) -> Iterator[tuple[int, int]]:
        for match in _SOME.finditer(self._bits):
            at = match.start() * 8
            byte = self._bits[match.start()]
            if byte == _FULL:
                yield at, match.end() * 8
                continue
            for bit in range(8):
                if byte >> bit & 1:
                    yield at + bit, at + bit + 1
