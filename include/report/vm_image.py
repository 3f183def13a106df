"""One VM's image in a report: how consistent it is, how it was verified, what it lacks."""

from collections.abc import Iterable
from datetime import tzinfo
from typing import Any

from include.text import zoned
from include.vms.left_out import LeftOut
from include.vms.record import VmRecord

_CONSISTENCY = {
    "by itself": "the guest had shut down.",
    "destroyed": "crash-consistent, because the VM was powered off by force.",
    "not stopped": "at least crash-consistent, because the VM kept running.",
    "suspended": "at least crash-consistent, because the VM was suspended, not shut down.",
    "saved": "crash-consistent, because the VM was off with saved memory, which the image lacks.",
}
_OFF = "the VM was off, and nothing wrote to its disks meanwhile."


def image_fields(record: VmRecord, zone: tzinfo) -> dict[str, Any]:
    """Return what an item shows of an image: fields of ``Item``, with times in a zone."""
    verification = record.verifications[-1]
    spent = sum(step.seconds for step in record.steps) + record.transfer_seconds + verification.seconds
    return {
        "size_bytes": record.bytes,
        "sent_bytes": sum(disk.sent_bytes for disk in record.disks),
        "seconds": spent,
        "verification": f"{verification.how}, {zoned(verification.when.astimezone(zone))}",
        "evidence": _evidence(record),
        "left_out": descriptions(record.left_out),
    }


def descriptions(left_out: Iterable[LeftOut]) -> tuple[str, ...]:
    """Return what an image lacks, each in a sentence."""
    return tuple(one.description for one in left_out)


def _evidence(record: VmRecord) -> str:
    """Return how consistent an image is; unclean file systems are among the record's warnings instead."""
    was_off = record.was == "off" and record.stopped != "saved"
    how = _OFF if was_off else _CONSISTENCY[record.stopped]
    found = [(disk.name, one) for disk in record.disks for one in disk.filesystems]
    if not found:
        return f"{how} No file system was found in the image."
    return " ".join([how, *(f"{disk}, {one.description}" for disk, one in found if one.clean is not False)])
