"""Which parts of two files are surely equal, by where they lie: handmade lists, every flag, real files."""

import os
from pathlib import Path

import pytest

from include.agent.disks.extent_map import (
    LAST,
    MERGED,
    MOST_MAPPED_EXTENTS,
    SHARED,
    UNWRITTEN,
    FileExtent,
    UncertainError,
    equal_ranges,
    exclusive_bytes,
    joined,
    whole_chunks,
)
from tests.include.agent.disks.test_clones import on

AT = 1 << 30
SIZE = 100


def data(start: int, end: int, *, shift: int = 0, flags: int = 0) -> FileExtent:
    """An extent whose address is that of byte ``start`` of a file that lies in one piece."""
    return FileExtent(start, end, AT + start + shift, flags)


def equal(reference: list[FileExtent], clone: list[FileExtent], size: int = SIZE) -> list[tuple[int, int]]:
    """Return the equal ranges, whichever of the two is the reference."""
    found = list(equal_ranges(reference, clone, size))
    assert found == list(equal_ranges(clone, reference, size))
    return found


WRITTEN = [data(0, 40), data(40, 60, shift=500), data(60, 100)]


@pytest.mark.parametrize(
    ("reference", "clone", "expected"),
    [
        pytest.param([], [], [(0, 100)], id="holes"),
        pytest.param([data(0, 100)], [data(0, 100)], [(0, 100)], id="the same"),
        pytest.param([data(0, 100)], [], [], id="punched"),
        pytest.param([data(10, 20)], [data(10, 30)], [(0, 20), (30, 100)], id="written into the hole"),
        pytest.param([data(0, 100)], WRITTEN, [(0, 40), (60, 100)], id="written"),
        pytest.param([data(0, 100)], [data(0, 100, shift=1)], [], id="moved"),
        pytest.param([data(0, 50), data(50, 100)], [data(0, 30), data(30, 100)], [(0, 100)], id="split"),
        pytest.param([data(0, 4096)], [data(0, 8192)], [(0, 100)], id="beyond the end"),
        pytest.param([data(200, 300)], [], [(0, 100)], id="allocated beyond the end"),
        pytest.param([FileExtent(0, 100, 0, 0)], [FileExtent(0, 100, 0, 0)], [], id="nowhere"),
    ],
)  # fmt: skip
def test_only_what_lies_at_the_same_place_is_equal(
    reference: list[FileExtent], clone: list[FileExtent], expected: list[tuple[int, int]]
) -> None:
    """So do holes on both sides; a hole on one side is a change."""
    assert equal(reference, clone) == expected


def test_an_empty_file_has_no_ranges() -> None:
    """Nor does its reference cost anything."""
    assert (equal([], [], 0), exclusive_bytes([], [], 0)) == ([], 0)


FLAGS = {
    "UNKNOWN": 0x2, "DELALLOC": 0x4, "ENCODED": 0x8, "DATA_ENCRYPTED": 0x80, "NOT_ALIGNED": 0x100,
    "DATA_INLINE": 0x200, "DATA_TAIL": 0x400, "one of the future": 0x4000,
}  # fmt: skip


@pytest.mark.parametrize("flag", FLAGS.values(), ids=FLAGS)
def test_an_address_that_isnt_certain_shows_nothing(flag: int) -> None:
    """Whichever of the two has the flag, or both."""
    flagged, plain = [data(0, 50, flags=flag), data(50, 100)], [data(0, 100)]
    assert equal(flagged, plain) == equal(flagged, flagged) == [(50, 100)]


@pytest.mark.parametrize("flag", [LAST, MERGED, SHARED])
def test_some_flags_dont_matter(flag: int) -> None:
    """Such as who else shares the blocks."""
    assert equal([data(0, 100, flags=flag)], [data(0, 100)]) == [(0, 100)]


def test_unwritten_blocks_are_zeros_whatever_they_hold() -> None:
    """Two at the same place are equal; an unwritten and a written one aren't."""
    unwritten = [data(0, 100, flags=UNWRITTEN)]
    assert equal(unwritten, unwritten) == [(0, 100)]
    assert equal(unwritten, [data(0, 100)]) == equal(unwritten, []) == []


def test_extents_that_continue_each_other_are_one() -> None:
    """Where they are split depends on who shares them; an unwritten part is another extent."""
    parts = [
        data(0, 30, flags=SHARED),
        data(30, 60),
        data(60, 80, flags=UNWRITTEN),
        data(80, 100, flags=LAST),
    ]
    assert list(joined(parts)) == [data(0, 60), data(60, 80, flags=UNWRITTEN), data(80, 100)]
    assert list(joined([data(0, 30), data(40, 60), data(60, 90, shift=7)])) == [
        data(0, 30), data(40, 60), data(60, 90, shift=7)
    ]  # fmt: skip


@pytest.mark.parametrize("odd", [[data(0, 50), data(40, 60)], [data(40, 60), data(0, 10)], [data(5, 5)]])
def test_an_odd_list_shows_nothing(odd: list[FileExtent]) -> None:
    """Overlapping, out of order, or empty extents."""
    with pytest.raises(UncertainError, match="out of order"):
        list(joined(odd))


def test_a_chunk_is_unchanged_if_all_of_it_is() -> None:
    """The last one may be short."""
    assert list(whole_chunks([(0, 39), (40, 70), (75, 95)], 10, 95)) == [0, 1, 2, 4, 5, 6, 8, 9]
    assert list(whole_chunks([(0, 94)], 10, 95)) == list(range(9))
    assert list(whole_chunks([(1, 95)], 10, 95)) == list(range(1, 10))


def test_a_reference_costs_what_the_disk_doesnt_share() -> None:
    """Holes cost nothing, nor does what the disk has besides."""
    assert exclusive_bytes([data(0, 50)], [data(0, 20), data(20, 40, shift=9), data(60, 90)], SIZE) == 30


MAPPED = """
from include.agent.disks.extent_map import equal_ranges, exclusive_bytes, read_map, settled_maps
from include.agent.disks import extent_map
extent_map._AT_ONCE = 7  # so that it takes several calls
vda, block = there / "vda", 4096
with vda.open("wb") as file:
    for number in range(40):
        file.seek(number * 3 * block)
        file.write(os.urandom(block))
    file.truncate(200 * block)
clones.clone({"name": "before", "path": vda, "format": "raw"}, there)
with vda.open("r+b") as file:
    file.seek(6 * block)
    file.write(b"x")
clones.clone({"name": "after", "path": vda, "format": "raw"}, there)
with (there / "before.clone").open("rb") as clone, (there / "after.clone").open("rb") as file:
    before, after = settled_maps(clone.fileno(), file.fileno())
    found = list(equal_ranges(before, after, 200 * block))
    cost = exclusive_bytes(before, after, 200 * block)
    extent_map.MOST_MAPPED_EXTENTS = 39
    try:
        read_map(clone.fileno())
    except extent_map.UncertainError as many:
        found = [(start // block, end // block) for start, end in found]
        print(json.dumps([len(before), found, cost // block, str(many)]))
"""


@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_a_real_file_system_lists_what_a_write_moved(tmp_path: Path, kind: str) -> None:
    """One block of forty, which also makes them cost one. More extents than can be held are refused."""
    extents, found, cost, many = on(tmp_path, kind, MAPPED)
    assert (extents, found, cost) == (40, [[0, 6], [7, 200]], 1)
    assert many == "it has more than 39 extents"
    assert not os.path.ismount(tmp_path / "mnt")


SCATTERED = """
import resource, struct
from fcntl import ioctl
from include.agent.disks.extent_map import equal_ranges, settled_maps
path, block, count = there / "vda", 4096, 1000
with path.open("w+b") as file:
    for number in range(count):
        os.pwrite(file.fileno(), os.urandom(block), 2 * number * block)
    while count < 32_000:  # each time, all blocks are shared once more
        os.ftruncate(file.fileno(), 4 * count * block)
        ioctl(file, 0x4020940D, struct.pack("=qQQQ", file.fileno(), 0, 2 * count * block, 2 * count * block))
        count *= 2
    clones.clone({**of(path, 0), "name": "before"}, there)
    os.pwrite(file.fileno(), b"x", 0)
    clones.clone({**of(path, 0), "name": "after"}, there)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with (there / "before.clone").open("rb") as kept, (there / "after.clone").open("rb") as new:
    maps = settled_maps(kept.fileno(), new.fileno())
    ranges = list(equal_ranges(*maps, 2 * count * block))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(json.dumps([len(maps[0]) - count, ranges == [(block, 2 * count * block)], peak * 1024 // count]))
"""


@pytest.mark.slow
def test_the_maps_of_a_scattered_disk_take_little_memory(tmp_path: Path) -> None:
    """The host's is for its guests: both maps of one with ``MOST_MAPPED_EXTENTS`` stay below 100 MB."""
    others, found, extent_bytes = on(tmp_path, "xfs", SCATTERED)
    assert (others, found) == (0, True)
    assert extent_bytes * MOST_MAPPED_EXTENTS < 100 << 20
