"""How an image was made and what of it was read, in sentences for the report, the page and the demo."""

from include.text import duration, size
from include.vms.record import VmRecord

_CLONED = {
    "cold": "Stopped for {down} while its disks were cloned, imaged from the clones.",
    "live": "Suspended for {down} while its disks were cloned, imaged from the clones.",
    "offline": "Imaged from clones of its disks, made while off.",
}
_NOT_CLONED = {
    "cold": "Stopped for {down}, imaged while running, over NBD{why}.",
    "live": "Imaged while running, over NBD{why}.",
    "copy": "Stopped for {down} while its disks were copied{why}.",
    "offline": "Imaged while off, over NBD{why}.",
}


def how_imaged(record: VmRecord) -> str:
    """Return how a VM was imaged, and for how long it was stopped, as a sentence."""
    sentences = _CLONED if record.cloned else _NOT_CLONED
    why = f" ({record.not_cloned})" if record.not_cloned else ""
    return sentences[record.method].format(down=duration(record.downtime_s), why=why)


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
