"""Which chunks of a disk are carried over from the base without being read, on the file system's evidence.

The host lists the ranges that haven't changed since the base, by where they lie on its file system
(``agent/backup/references.py``). The vault decides: it checks the ranges, has a share of them read again,
another one in each generation, and carries the rest. One that is read again and differs ends all trust.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple, Self

from pydantic import Field, NonNegativeInt

from include.agent.bitmap import Bitmap
from include.agent.disks.extent_map import whole_chunks
from include.errors import UnexpectedAnswerError
from include.models import Model
from include.vms.chunks import Chunks
from include.vms.published import PublishedVm

_LARGEST = 1 << 46  # bytes of a disk, or of what is kept of it
WINDOW = 16  # chunks that are read again together: what lies on a spinning disk


class UnchangedRanges(Model):
    """What a host says hasn't changed in a disk since the base.

    Args:
        ranges: the first byte of each, and the one after its last, in order.
        doubt: why it doesn't know, as a phrase; else empty.
        exclusive_bytes: what its reference doesn't share with the disk: what it costs to keep.
    """

    ranges: tuple[tuple[NonNegativeInt, NonNegativeInt], ...] = ()
    doubt: str = Field(default="", max_length=500)
    exclusive_bytes: int = Field(default=0, ge=0, le=_LARGEST)


class CarryRules(NamedTuple):
    """The base that chunks are carried from, and the share of them that is read again.

    Args:
        generation: the base's name.
        chunks: the SHA-256 of its ``.chunks``, by disk.
        share: one in so many is read again.
        turn: which of the shares it is this time, from 0 on.
    """

    generation: str
    chunks: Mapping[str, str]
    share: int
    turn: int

    @classmethod
    def of(cls, base: PublishedVm, disks: list[str], share: int) -> Self:
        """Return the rules for a base; its next share is read again."""
        return cls(base.name, chunk_sums(base, disks), share, (base.record.reread_turn + 1) % share)

    @property
    def base(self) -> dict[str, object]:
        """The base as its host is asked for it."""
        return {"generation": self.generation, "chunks": dict(self.chunks)}


def chunk_sums(generation: PublishedVm, disks: list[str]) -> dict[str, str]:
    """Return the SHA-256 of the ``.chunks`` of a generation's disks, of those that can be read."""
    found = {}
    for disk in disks:
        with suppress(OSError), generation.chunks(disk).open("rb") as file:
            found[disk] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


class CarriedChunks:
    """The chunks of one disk that haven't changed, and which of them are carried without being read.

    Args:
        unchanged: their numbers.
        share: one in so many is read again.
        turn: which share.
    """

    def __init__(self, unchanged: Bitmap, share: int = 1, turn: int = 0) -> None:
        self._unchanged, self._share, self._turn = unchanged, share, turn

    @classmethod
    def of(cls, chunks: Chunks, ranges: UnchangedRanges, rules: CarryRules) -> Self:
        """Return the carried chunks of a disk that is as large as in the base.

        Raises:
            UnexpectedAnswerError: the ranges aren't of this disk.
        """
        last = 0
        for start, end in ranges.ranges:
            if not last <= start < end <= chunks.bytes:
                raise UnexpectedAnswerError(
                    f"its host lists bytes {start} to {end} of {chunks.bytes} as unchanged, out of order"
                )
            last = end
        unchanged = whole_chunks(list(ranges.ranges), chunks.chunk_bytes, chunks.bytes)
        return cls(unchanged, rules.share, rules.turn)

    def __contains__(self, index: int) -> bool:
        """Return whether a chunk counts as unchanged, be it carried or read again."""
        return index in self._unchanged

    def runs(self, first: int, end: int) -> Iterator[range]:
        """Yield which chunks from ``first`` up to ``end`` are carried without being read, in order."""
        start = first
        for index in range(first, end):
            if index not in self._unchanged or index // WINDOW % self._share == self._turn:
                if start < index:
                    yield range(start, index)
                start = index + 1
        if start < end:
            yield range(start, end)
