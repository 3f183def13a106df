"""Which chunks of a disk are read, and when: nothing waits for the end of a long hole."""

from collections.abc import Iterator
from typing import cast

import pytest

from include.agent.disks.chunk_reader import ChunkRange
from include.agent.disks.nbd_client import Export, Extent

SIZE = 16  # bytes of a chunk


class Extents:
    """A disk of which only the extents are known, and how many of them were requested."""

    def __init__(self, *ends: int) -> None:
        self._ends = [abs(end) for end in ends]
        self._zeros = [end < 0 for end in ends]
        self.bytes = self._ends[-1]
        self.requested = 0

    def extents(self, start: int, end: int) -> Iterator[Extent]:
        """Yield the extents of the whole disk."""
        assert (start, end) == (0, self.bytes)
        for begin, stop, zeros in zip([0, *self._ends], self._ends, self._zeros, strict=False):
            self.requested += 1
            yield Extent(begin, stop, zeros)


def chunks(extents: Extents) -> ChunkRange:
    """Return all chunks of a disk."""
    return ChunkRange(cast("Export", extents), SIZE, 0, -(-extents.bytes // SIZE))


@pytest.mark.parametrize(
    ("ends", "holds_data"),
    [
        ((-64,), "----"),
        ((-60,), "----"),
        ((64,), "####"),
        ((-16, 32, -64), "-#--"),
        ((-17, 18, -64), "-#--"),
        ((-8, 12, -14, 15, -40, 41, -64), "#-#-"),
        ((1, -15, -30, -33, -49, 64), "#--#"),
        ((-15, -31, -64), "----"),
    ],
)
def test_a_chunk_holds_data_if_any_part_of_it_does(ends: tuple[int, ...], holds_data: str) -> None:
    """Extents may begin and end anywhere; negative ends are those of holes."""
    found = list(chunks(Extents(*ends)).allocation())
    assert [index for index, _ in found] == list(range(len(holds_data)))
    assert "".join("#" if data else "-" for _, data in found) == holds_data


def test_a_hole_is_known_as_soon_as_a_part_of_it_is() -> None:
    """A disk of many TB without data takes many requests: the other end hears of each."""
    disk = Extents(*range(-10 * SIZE, -100 * SIZE, -10 * SIZE), 100 * SIZE)
    found = chunks(disk).allocation()
    assert next(found) == (0, False)
    assert disk.requested == 1
    assert [next(found)[0] for _ in range(15)][-1] == 15
    assert disk.requested == 2
