"""Choose the generation of a VM to restore, and lock it meanwhile."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from include.errors import NotInVaultError, VaultError
from include.names import named, shown
from include.vault.vault import Vault
from include.vms.archive import PublishedVm


class ChosenGeneration(NamedTuple):
    """The generation to restore, and why, as a sentence."""

    generation: PublishedVm
    reason: str


def choose(vm: str, generations: Sequence[PublishedVm], requested: str | None) -> ChosenGeneration:
    """Choose the requested generation; without one, the newest that is neither damaged nor of the future.

    Args:
        vm: the VM's name, for messages.
        generations: all published generations, oldest first, before them those dated in the future.
        requested: a generation's name, or None.

    Raises:
        NotInVaultError: there is none.
        VaultError: it is damaged; the message names an undamaged one, if there is one.
    """
    if not generations:
        raise NotInVaultError(
            f"The vault holds no generation of {shown(vm)}. Nothing was restored.", about=shown(vm)
        )
    undamaged = [generation for generation in generations if not generation.verification_log.damaged]
    if requested is None:
        return _newest(vm, generations, undamaged)
    for generation in generations:
        if generation.name == requested:
            return _named(vm, generation, undamaged)
    raise NotInVaultError(
        f"The vault holds no generation {shown(requested)} of {vm}, only "
        f"{named(generation.name for generation in generations)}.",
        about=f"{vm} {shown(requested)}",
    )


def other_undamaged(generation: PublishedVm, generations: Sequence[PublishedVm]) -> str:
    """Return a sentence that names an undamaged generation to restore instead of a damaged one."""
    others = [one.name for one in generations if one != generation and not one.verification_log.damaged]
    return f"The newest undamaged generation is {others[-1]}." if others else "No generation is undamaged."


@contextmanager
def locked(vault: Vault, generation: PublishedVm) -> Iterator[None]:
    """Lock a generation against removal, and its VM against other restores, for a block.

    Raises:
        RescheduleError: the VM is being restored by another run, or a backup is being removed.
        VaultError: the generation has been removed.
    """
    staging = vault.root / ".staging" / "restore" / "vm" / generation.folder.parent.name / "data"
    with ExitStack() as locks:
        if not os.statvfs(vault.root).f_flag & os.ST_RDONLY:  # nothing can be removed from a read-only vault
            locks.enter_context(vault.lock_staging(staging, generation.vm))
        if not generation.record_file.exists():
            raise VaultError(
                f"{generation.folder} has been removed from the vault. Restore another generation."
            )
        yield


def _newest(
    vm: str, generations: Sequence[PublishedVm], undamaged: Sequence[PublishedVm]
) -> ChosenGeneration:
    if not undamaged:
        raise VaultError(f"All generations of {vm} are damaged. {_damage(generations[-1])}")
    chosen = undamaged[-1]
    if chosen.is_ahead:
        raise VaultError(
            f"The only undamaged generation of {vm} is dated in the future: {chosen.name}. A clock was "
            "wrong, so its age isn't known. Nothing was restored. Name it to restore it."
        )
    damaged = len([each for each in generations if each > chosen and not each.is_ahead])
    ahead = len([each for each in generations if each.is_ahead])
    passed_over = [f"newer and damaged: {damaged}"] * bool(damaged) + [
        f"dated in the future: {ahead}"
    ] * bool(ahead)
    reason = (
        f"It is the newest undamaged one ({', '.join(passed_over)})." if passed_over else "It is the newest."
    )
    return ChosenGeneration(chosen, reason)


def _named(vm: str, generation: PublishedVm, undamaged: Sequence[PublishedVm]) -> ChosenGeneration:
    if generation in undamaged:
        ahead = " It is dated in the future: a clock was wrong." if generation.is_ahead else ""
        return ChosenGeneration(generation, f"It was requested.{ahead}")
    other = other_undamaged(generation, undamaged)
    raise VaultError(f"{vm} {generation.name} is damaged. {_damage(generation)} {other}")


def _damage(generation: PublishedVm) -> str:
    return generation.verification_log.damage or ""
