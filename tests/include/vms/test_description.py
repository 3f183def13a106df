"""How an image was made, and what of it was read, in sentences."""

from typing import Any

import pytest

from include.vms.description import how_imaged, how_read
from tests.include.vms.sample_vms import record

ON_EXT4 = "vda: on ext4, not on XFS or Btrfs"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"method": "cold"}, "Stopped for 4.2 s, imaged while running, over NBD."),
        (
            {"method": "cold", "not_cloned": ON_EXT4},
            f"Stopped for 4.2 s, imaged while running, over NBD ({ON_EXT4}).",
        ),
        ({"method": "live"}, "Imaged while running, over NBD."),
        (
            {"method": "copy", "not_cloned": ON_EXT4},
            f"Stopped for 4.2 s while its disks were copied ({ON_EXT4}).",
        ),
        (
            {"method": "offline", "was": "off", "not_cloned": "vda: qcow2, not a raw file"},
            "Imaged while off, over NBD (vda: qcow2, not a raw file).",
        ),
        (
            {"method": "cold", "cloned": True},
            "Stopped for 4.2 s while its disks were cloned, imaged from the clones.",
        ),
        (
            {"method": "live", "cloned": True},
            "Suspended for 4.2 s while its disks were cloned, imaged from the clones.",
        ),
        (
            {"method": "offline", "was": "off", "cloned": True},
            "Imaged from clones of its disks, made while off.",
        ),
    ],
)
def test_it_says_how_the_snapshot_was_made(fields: dict[str, Any], expected: str) -> None:
    """And why its disks weren't cloned."""
    assert how_imaged(record(**fields)) == expected


COUNTS = {"read_bytes": 3_000_000, "reread_bytes": 1_000_000, "carried_bytes": 8_000_000}
CARRIED = (
    "Read: 3.0 MB, 1.0 MB of it to verify what hadn't changed; unread, as unchanged since "
    "2026-11-15T05-00-03Z: 8.0 MB. The clones kept for that took 4.1 kB on the host."
)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({}, ""),
        ({"read_bytes": 3_000_000}, "Read: 3.0 MB."),
        ({**COUNTS, "exclusive_bytes": 4096}, CARRIED),
        (
            {"read_bytes": 3_000_000, "doubt": "the reference was touched"},
            "Read: 3.0 MB. vda was read whole: the reference was touched.",
        ),
    ],
)
def test_it_says_what_was_read(counts: dict[str, object], expected: str) -> None:
    """What was carried over unread, and what of it was read all the same; or why all was."""
    [disk, *_] = record().model_dump()["disks"]
    assert how_read(record(disks=[{**disk, **counts}], base="2026-11-15T05-00-03Z")) == expected
