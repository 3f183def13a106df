"""What was received of a disk, noted chunk by chunk."""

from pathlib import Path

import pytest

from include.vms.archive import StagedVm
from include.vms.chunks import CHUNK_BYTES
from include.vms.received_notes import ReceivedNotes


@pytest.fixture
def staged(tmp_path: Path) -> StagedVm:
    """An empty staging folder."""
    found = StagedVm("maq1", tmp_path)
    found.folder.mkdir(parents=True)
    return found


def test_bytes_are_counted_over_all_tries(staged: StagedVm) -> None:
    """The last chunk may be short."""
    size = 4 * CHUNK_BYTES + 512
    for done, kinds in ((0, b"DC"), (2, b"VZC")):
        notes = ReceivedNotes(staged, "vda", size)
        assert notes.count() == done
        with notes.opened(done) as opened:
            opened.write(done, b"x" * 32 * len(kinds), kinds)
    counts = [notes.bytes_of(kinds) for kinds in (b"DSV", b"C", b"V", b"Z", b"S")]
    assert counts == [2 * CHUNK_BYTES, CHUNK_BYTES + 512, CHUNK_BYTES, CHUNK_BYTES, 0]
    assert notes.count() == 5


def test_what_a_power_cut_zeroed_is_received_again(staged: StagedVm) -> None:
    """In either of the two files."""
    notes = ReceivedNotes(staged, "vda", 4 * CHUNK_BYTES)
    with notes.opened(0) as opened:
        opened.write(0, b"x" * 96 + bytes(32), b"DDDD")
    assert notes.count() == 3
    staged.kinds("vda").write_bytes(b"DD\0\0")
    assert notes.count() == 2
    staged.kinds("vda").unlink()
    assert notes.count() == 0


def test_an_empty_disk_has_no_bytes(staged: StagedVm) -> None:
    """Nothing was noted."""
    notes = ReceivedNotes(staged, "vda", 0)
    assert (notes.count(), notes.bytes_of(b"DSCVZ")) == (0, 0)
