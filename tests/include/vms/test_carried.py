"""Which chunks are carried unread: the host lists ranges; the vault checks them, and reads a share again."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from include.agent.bitmap import Bitmap
from include.errors import UnexpectedAnswerError
from include.vault.vault import Vault
from include.vms.archive import VmArchive
from include.vms.carried import WINDOW, CarriedChunks, CarryRules, UnchangedRanges, chunk_sums
from include.vms.chunks import CHUNK_BYTES, Chunks
from tests.include.vms.exported_disks import noise
from tests.include.vms.folder_host import backup_of, take, without_a_connection

MIB = CHUNK_BYTES
RULES = CarryRules("last week", {"vda": "abc"}, 8, 0)


def numbers(carried: CarriedChunks, count: int) -> set[int]:
    """Return the numbers of the chunks that aren't read, of so many."""
    return {index for run in carried.runs(0, count) for index in run}


def test_each_chunk_is_read_again_in_its_turn() -> None:
    """In eight generations all of them; those that have changed are read anyway."""
    count = 8 * WINDOW * 2 + 5
    unchanged = Bitmap(count, (index for index in range(count) if index % 7))
    read = [set(unchanged) - numbers(CarriedChunks(unchanged, 8, turn), count) for turn in range(8)]
    assert set.union(*read) == set(unchanged)
    assert sum(map(len, read)) == len(unchanged)
    assert all(0 < len(part) < len(unchanged) / 4 for part in read)
    assert 7 not in CarriedChunks(unchanged)
    assert all(index in CarriedChunks(unchanged, 8, 3) for index in unchanged)


def test_a_share_of_one_reads_everything() -> None:
    """Nothing is carried, and all of it verified."""
    assert numbers(CarriedChunks(Bitmap.full(99), 1, 0), 99) == set()


def test_only_whole_chunks_are_carried() -> None:
    """Of the ranges that the host lists."""
    ranges = UnchangedRanges(ranges=((0, MIB), (MIB + 1, 5 * MIB - 1), (5 * MIB, 6 * MIB + 7)))
    carried = CarriedChunks.of(Chunks.unknown(6 * MIB + 7), ranges, RULES)
    assert [index for index in range(7) if index in carried] == [0, 2, 3, 5, 6]


@pytest.mark.parametrize("wrong", [((0, 7 * MIB),), ((5, 5),), ((MIB, 2 * MIB), (0, 5)), ((0, 9), (8, 10))])
def test_ranges_that_arent_of_the_disk_are_refused(wrong: tuple[tuple[int, int], ...]) -> None:
    """The host may be anybody's."""
    with pytest.raises(UnexpectedAnswerError, match="as unchanged, out of order"):
        CarriedChunks.of(Chunks.unknown(6 * MIB), UnchangedRanges(ranges=wrong), RULES)


def test_each_generation_reads_the_next_share(tmp_path: Path) -> None:
    """The base is named with the SHA-256 of its chunk files; one that is missing isn't."""
    vault = Vault.create(tmp_path / "vault")
    (tmp_path / "vda.raw").write_bytes(noise(2))
    patch = without_a_connection()
    take(backup_of(vault, tmp_path))
    patch.undo()
    (base,) = VmArchive(vault).of("maq1")
    rules = CarryRules.of(base, ["vda", "vdb"], 8)
    assert (rules.turn, rules.base) == (1, {"generation": base.name, "chunks": chunk_sums(base, ["vda"])})
    assert list(rules.chunks) == ["vda"]
    assert CarryRules.of(base, ["vda"], 1).turn == 0


def test_a_host_cant_break_the_report() -> None:
    """A size that no disk has can't be written as one."""
    with pytest.raises(ValidationError):
        UnchangedRanges(exclusive_bytes=10**400)
