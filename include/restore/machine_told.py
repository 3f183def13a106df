"""What the report says of a machine that was restored, or would be."""

from collections.abc import Sequence

from include.machines.generation import PublishedGeneration
from include.machines.restore_facts import Place
from include.report import Item, Outcome, State
from include.restore.machine_restore import MachineRestored
from include.restore.machine_wish import MachineWish
from include.wording import counted, size


def item_name(wish: MachineWish, generation: PublishedGeneration) -> str:
    """Give what people call it: ``maq1 2026-11-22T05-00-03Z``, and what it becomes, if that is another."""
    becomes = "" if wish.in_place else f" as {wish.becomes}"
    return f"{wish.machine} {generation.name}{becomes}"


def restored(wish: MachineWish, generation: PublishedGeneration, done: MachineRestored) -> Item:
    """Say what was done."""
    swapped, all_bytes = done.swapped, _bytes(generation)
    kept = f" What it had is kept as {', '.join(swapped.kept)}." if swapped.kept else ""
    kept += f" Its old definition is {swapped.definition}." if swapped.definition else ""
    how = "in place" if wish.in_place else "beside itself, its network links down"
    return Item(
        name=item_name(wish, generation),
        own=True,
        state=State.PASSED,
        outcome=Outcome.RESTORED,
        reason=f"{swapped.machine}, {how}. It is {swapped.state}.{kept}",
        size_bytes=all_bytes,
        sent_bytes=done.sent_bytes,
        seconds=done.seconds,
        proof=f"SHA-256 of {counted(done.chunks, 'chunk')} read back at the host equal to the vault's",
        warnings=done.warnings,
    )


def would_restore(wish: MachineWish, generation: PublishedGeneration, places: Sequence[Place]) -> Item:
    """Say what would be done: how much differs isn't known before the old disks are read."""
    told = ", ".join(
        f"{place.name} to {place.path}{_over(place, keep_old=wish.keep_old)}" for place in places
    )
    return Item(
        name=item_name(wish, generation),
        own=True,
        state=State.NOT_CHECKED,
        outcome=Outcome.WOULD_RESTORE,
        reason=f"{wish.becomes}, {wish.how}: {told}. At most {size(_bytes(generation))} would be sent.",
        size_bytes=_bytes(generation),
    )


def _over(place: Place, *, keep_old: bool) -> str:
    if place.direct:
        return " (a block device: until all of it came, it holds neither the old nor the new)"
    if not place.base:
        return ""
    return " (what is there would be kept aside)" if keep_old else " (what is there would go)"


def _bytes(generation: PublishedGeneration) -> int:
    return sum(disk.bytes for disk in generation.record.disks)
