"""The report item of a VM that was restored, or would be."""

from include.restore.vm import RestoredVm
from include.restore.vm_request import VmRestoreRequest
from include.results.item import Item
from include.results.states import Outcome, State
from include.text import counted, size
from include.vms.archive import PublishedVm
from include.vms.restore_models import DiskTarget, RestoreCheck


def item_name(request: VmRestoreRequest, generation: PublishedVm) -> str:
    """Return the item's name: ``maq1 2026-11-22T05-00-03Z``, or with `` as maq1-restored`` after it."""
    new_name = "" if request.in_place else f" as {request.restored_name}"
    return f"{request.vm} {generation.name}{new_name}"


def restored(request: VmRestoreRequest, generation: PublishedVm, done: RestoredVm) -> Item:
    """Return the item of a VM that was restored."""
    swapped, all_bytes = done.swapped, _bytes(generation)
    kept = f" Its old files are kept as {', '.join(swapped.kept)}." if swapped.kept else ""
    kept += f" Its old definition is in {swapped.definition}." if swapped.definition else ""
    how = "in place" if request.in_place else "beside the original, with its network links down"
    new_name = "" if request.in_place else f" as {request.restored_name}"
    return Item(
        name=item_name(request, generation),
        short_name=f"{request.vm}{new_name}",
        own=True,
        state=State.PASSED,
        outcome=Outcome.RESTORED,
        reason=f"{swapped.vm}, {how}. It is {swapped.state}.{kept}",
        size_bytes=all_bytes,
        sent_bytes=done.sent_bytes,
        seconds=done.seconds,
        verification=f"SHA-256 of {counted(done.chunks, 'chunk')} read back on the host equal to the vault's",
        warnings=done.warnings,
    )


def would_restore(request: VmRestoreRequest, generation: PublishedVm, found: RestoreCheck) -> Item:
    """Return the item of a dry run, which doesn't know yet how much of the disks differs."""
    disks = ", ".join(
        f"{place.name} to {place.path}{_over(place, keep_old=request.keep_old)}" for place in found.disks
    )
    what = f"{disks}. At most {size(_bytes(generation))} sent."
    if found.begun:
        what = "an earlier try was interrupted while it moved disks into place; this one would finish that."
    return Item(
        name=item_name(request, generation),
        own=True,
        state=State.NOT_CHECKED,
        outcome=Outcome.WOULD_RESTORE,
        reason=f"{request.restored_name}, {request.how}: {what}",
        size_bytes=_bytes(generation),
        warnings=found.warnings,
    )


def _over(place: DiskTarget, *, keep_old: bool) -> str:
    if place.direct:
        return " (a block device: incomplete until all of it is written)"
    if not place.base:
        return ""
    return " (the old disk would be kept)" if keep_old else " (the old disk would be overwritten)"


def _bytes(generation: PublishedVm) -> int:
    return sum(disk.bytes for disk in generation.record.disks)
