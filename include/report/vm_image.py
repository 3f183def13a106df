"""One VM's image in a report: how it was made, how consistent it is, how it was verified, what it lacks."""

from collections.abc import Iterable
from datetime import tzinfo
from typing import Any

from include.text import duration, size, zoned
from include.vms.left_out import LeftOut
from include.vms.record import VmRecord

_IMAGED = {
    "cold": "Stopped for {down}, imaged while running.",
    "live": "Imaged while running.",
    "copy": "Stopped for {down} while its disks were copied.",
    "offline": "Imaged while off.",
}
_CLONED = {
    **_IMAGED,
    "cold": "Stopped for {down} while its disks were cloned, imaged from the clones.",
    "live": "Suspended for {down} while its disks were cloned, imaged from the clones.",
    "offline": "Imaged from clones of its disks, made while off.",
}
_CONSISTENCY = {
    "by itself": "the guest had shut down.",
    "destroyed": "crash-consistent, because the VM was powered off by force.",
    "not stopped": "crash-consistent, because the VM kept running.",
    "suspended": "crash-consistent, because the VM was suspended, not shut down.",
    "saved": "crash-consistent, because the VM was off with saved memory, which the image lacks.",
}
_OFF = "the VM was off, and nothing wrote to its disks meanwhile."


def how_imaged(record: VmRecord) -> str:
    """Return how a VM was imaged, and for how long it was stopped, as a sentence."""
    sentences = _CLONED if record.cloned else _IMAGED
    return sentences[record.method].format(down=duration(record.downtime_s))


def how_read(record: VmRecord) -> str:
    """Return how much of a VM's disks was read, carried over and read again, in sentences."""
    read, carried, reread = (
        sum(getattr(disk, what) for disk in record.disks)
        for what in ("read_bytes", "carried_bytes", "reread_bytes")
    )
    first = f"Read: {size(read)}"
    first += f", {size(reread)} of it to verify what hadn't changed" if reread else ""
    first += f"; unread, as unchanged since {record.base}: {size(carried)}" if carried else ""
    sentences = [first] if read or carried else []
    if kept := sum(disk.exclusive_bytes for disk in record.disks):
        sentences.append(f"The clones kept for that took {size(kept)} on the host")
    sentences += [f"{disk.name} was read whole: {disk.doubt}" for disk in record.disks if disk.doubt]
    return " ".join(f"{sentence}." for sentence in sentences)


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
