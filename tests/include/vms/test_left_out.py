"""What an image lacks, as people read it."""

import pytest

from include.vms.left_out import LeftOut, not_restored

CDROM = {"kind": "cdrom", "name": "hda", "where": "/isos/a.iso"}
KEY = {"kind": "tpm_key", "where": "6dd3e4a5", "reason": "Keep it yourself."}


@pytest.mark.parametrize(
    ("fields", "description"),
    [
        (CDROM, "CD-ROM hda (/isos/a.iso)."),
        (KEY, "key of its TPM (6dd3e4a5). Keep it yourself."),
        ({"kind": "pci", "where": "0000:3b:00.1"}, "PCI device of the host (0000:3b:00.1)."),
        ({"kind": "shared_memory", "name": "shm0"}, "shared memory shm0."),
    ],
)
def test_each_is_described_by_its_kind_name_and_place(fields: dict[str, str], description: str) -> None:
    """And why, if the kind doesn't say it."""
    assert LeftOut.model_validate(fields).description == description


def test_a_restore_warns_once_of_all_that_it_doesnt_bring_back() -> None:
    """Not at all if there is nothing."""
    found = [LeftOut.model_validate(fields) for fields in (CDROM, KEY)]
    assert not_restored(found) == [
        "Not in the image, so not restored: CD-ROM hda (/isos/a.iso); key of its TPM (6dd3e4a5)."
    ]
    assert not_restored([]) == []
