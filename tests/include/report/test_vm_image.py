"""A VM's image in the report: how it was made, how consistent it is, and what it lacks."""

from pathlib import Path

import pytest

from include.results.states import Outcome
from include.vault.vault import Vault
from include.vms.left_out import LeftOut
from tests.include.report.weekly_runs import done, item, made, of_maq1, planned, reported


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def test_the_reason_says_how_a_vm_was_imaged_and_read(vault: Vault) -> None:
    """And what its health check found."""
    [disk, *_] = made().model_dump()["disks"]
    record = made(not_cloned="vda: qcow2, not a raw file", disks=[{**disk, "read_bytes": 3_000_000}])
    assert item(of_maq1(vault, done(record=record))).reason == (
        "Stopped for 4.2 s, imaged while running, over NBD (vda: qcow2, not a raw file). It runs. "
        "Read: 3.0 MB."
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "the guest had shut down."),
        ({"stopped": "destroyed"}, "crash-consistent, because the VM was powered off by force."),
        (
            {"stopped": "not stopped", "method": "live"},
            "at least crash-consistent, because the VM kept running.",
        ),
        (
            {"stopped": "suspended", "method": "live"},
            "at least crash-consistent, because the VM was suspended, not shut down.",
        ),
        (
            {"stopped": "saved", "method": "offline", "was": "off"},
            "crash-consistent, because the VM was off with saved memory, which the image lacks.",
        ),
        (
            {"stopped": "not stopped", "method": "offline", "was": "off"},
            "the VM was off, and nothing wrote to its disks meanwhile.",
        ),
    ],
)
def test_the_evidence_says_how_consistent_an_image_is(
    vault: Vault, fields: dict[str, object], expected: str
) -> None:
    """It depends on how the VM went down."""
    assert (
        item(of_maq1(vault, done(record=made(**fields)))).evidence
        == f"{expected} No file system was found in the image."
    )


def test_a_file_system_is_reported_once(vault: Vault) -> None:
    """Unclean ones are warnings in the record; the others are evidence."""
    kinds = {"cleanly unmounted.": True, "not checked.": None, "not cleanly unmounted.": False}
    found = [
        {"place": "disk", "kind": "x", "clean": clean, "description": text} for text, clean in kinds.items()
    ]
    [disk, *_] = made().model_dump()["disks"]
    warnings = ["vda, not cleanly unmounted."]
    image = item(of_maq1(vault, done(record=made(disks=[{**disk, "filesystems": found}], warnings=warnings))))
    assert image.evidence == "the guest had shut down. vda, cleanly unmounted. vda, not checked."
    assert image.warnings == ("vda, not cleanly unmounted.",)


def test_what_an_image_lacks_is_named(vault: Vault) -> None:
    """By the record of an image; by the plan in a dry run."""
    tpm = LeftOut(kind="tpm", where="/dev/tpm0", reason="It is the host's own.")
    cdrom = LeftOut(kind="cdrom", name="hda", where="/a.iso")
    named = ("TPM state (/dev/tpm0). It is the host's own.", "CD-ROM hda (/a.iso).")
    assert item(of_maq1(vault, done(record=made(left_out=(tpm, cdrom))))).left_out == named
    found = item(reported(vault, planned(left_out=(tpm, cdrom)), dry_run=True))
    assert (found.outcome, found.left_out) == (Outcome.WOULD_IMAGE, named)
