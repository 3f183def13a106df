"""Removing what retention gave up: the only code that ever removes a published backup.

It removes whole generations that this vault published, and refuses everything else. First the folder is
renamed into staging, by which it stops counting; then it's deleted. The vault's lock is held alone
meanwhile: nobody copies, and nobody reads an older generation for a transfer. What an audit reads just then
stays until the next run.
"""

import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path

from include.errors import BackupError, NotYetError, VaultError
from include.facts import Facts
from include.listing import named
from include.locks import kept
from include.machines.generation import (
    Generations,
    PublishedGeneration,
    instant_of,
    to_the_second,
)
from include.machines.machine_record import MachineRecord
from include.machines.published_generation import given_up_in
from include.machines.retention import Keep, Kept, decide
from include.publication import sync
from include.vault import Vault


class Removed(Facts):
    """What became of one generation that retention gave up.

    Args:
        machine: whose.
        instant: which.
        reason: why it was given up.
        bytes: what it took on the disk; other generations may share some of it.
        refused: why it isn't gone, None when it is.
    """

    machine: str
    instant: datetime
    reason: str
    bytes: int = 0
    refused: str | None = None


def given_up(
    vault: Vault, made: Sequence[MachineRecord], keep: Keep, *, drills: AbstractSet[str] = frozenset()
) -> list[Removed]:
    """Say what :func:`remove_old` would remove; removes nothing.

    Args:
        vault: where.
        made: what the run published. Machines without a new generation lose nothing.
        keep: how many stay.
        drills: the machines of which one goes only once they have booted from a newer one that stays.
    """
    generations = Generations(vault)
    return [
        Removed(machine=record.machine, instant=verdict.instant, reason=verdict.reason)
        for record in made
        for verdict in verdicts(
            generations,
            record.machine,
            keep,
            {to_the_second(record.instant)},
            drills=record.machine in drills,
        )
        if not verdict.keep
    ]


def verdicts(
    generations: Generations,
    machine: str,
    keep: Keep,
    untouchable: AbstractSet[datetime],
    *,
    drills: bool = False,
) -> list[Kept]:
    """Decide about a machine's generations, oldest first; about none while an untouchable one isn't whole.

    Where it's drilled, one goes only once it has booted from a newer one that stays. One whose record can't
    be read is proven to nobody: it counts for nothing, and is left to a person.
    """
    readable = [generation for generation in generations.of(machine) if generation.readable_record]
    found = {generation.instant for generation in readable}
    damaged = {generation.instant for generation in readable if generation.damage}
    drilled = {generation.instant for generation in readable if has_booted(generation)} if drills else None
    return (
        decide(sorted(found), keep, untouchable, damaged, drilled) if untouchable <= found - damaged else []
    )


def has_booted(generation: PublishedGeneration) -> bool:
    """Tell whether a machine has booted from it, the last time that it was tried."""
    drill = generation.proofs.last("drill")
    return drill is not None and drill.result == "passed"


def remove_old(
    vault: Vault, made: Sequence[MachineRecord], keep: Keep, *, drills: AbstractSet[str] = frozenset()
) -> list[Removed]:
    """Remove what :func:`given_up` says, of the same. For a run's end, and never for a run that failed.

    Raises:
        NotYetError: something is being copied.
        VaultUnmarkedError: the vault is no vault any more.
    """
    with vault.hold_alone("Removing old generations"):
        Vault.open(vault.root)
        left = list(_left(vault))
        old = [
            (one, partial(remove, _generation(vault, one)))
            for one in given_up(vault, made, keep, drills=drills)
        ]
        done = [_removed(one, removing) for one, removing in left + old]
        with suppress(OSError):  # not there, or what couldn't be deleted is in it
            given_up_in(vault.root).rmdir()
        return done


def _generation(vault: Vault, one: Removed) -> PublishedGeneration:
    return PublishedGeneration(one.machine, one.instant, vault.root)


def _removed(one: Removed, removing: Callable[[], int]) -> Removed:
    try:
        return one.model_copy(update={"bytes": removing()})
    except (BackupError, OSError) as refused:
        return one.model_copy(update={"refused": str(refused)})


def remove(generation: PublishedGeneration) -> int:
    """Remove one generation, and give what it took; the caller holds the vault alone.

    Raises:
        VaultError: it isn't a generation that this vault published, or somebody reads it; nothing was
            touched.
    """
    _require_ours(generation)
    with _read_by_nobody(generation):
        aside = generation.given_up
        aside.parent.mkdir(parents=True, exist_ok=True)
        generation.folder.chmod(0o700)  # a folder that can't be written can't be moved
        generation.folder.rename(aside)
        sync(aside.parent)
        return _delete(aside, generation)


@contextmanager
def _read_by_nobody(generation: PublishedGeneration) -> Iterator[None]:
    with ExitStack() as held:
        try:
            held.enter_context(kept(generation.folder, fcntl.LOCK_EX, generation.name))
        except NotYetError:  # for hours, maybe: the run's report can't wait for that
            raise VaultError(
                "It is being read just now, by an audit or a person. The next good run removes it."
            ) from None
        yield


def _delete(aside: Path, generation: PublishedGeneration) -> int:
    size = sum(file.lstat().st_blocks * 512 for file in aside.iterdir())
    for beside in ("proofs", "png"):  # what was found of it, and the picture that a drill took
        generation.folder.with_name(f"{generation.name}.{beside}").unlink(missing_ok=True)
    shutil.rmtree(aside)
    return size


def _require_ours(generation: PublishedGeneration) -> None:
    folder, root = generation.folder, generation.vault_root
    if folder.resolve() != root.resolve() / folder.relative_to(root):
        raise VaultError(f"{folder} leads out of the vault through a link. It wasn't removed.")
    record = generation.record
    if (record.machine, to_the_second(record.instant)) != (generation.machine, generation.instant):
        raise VaultError(f"{folder} holds another generation's record. It wasn't removed.")
    strangers = {path.name for path in folder.iterdir()} - record.names
    strangers |= {path.name for path in folder.iterdir() if not _is_our_file(path)}
    if strangers or not _is_ours(folder, root):
        told = f": {named(sorted(strangers))}" if strangers else ""
        raise VaultError(f"{folder} isn't as it was published{told}. Look at it; it wasn't removed.")


def _is_our_file(path: Path) -> bool:
    status = path.lstat()
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()


def _is_ours(folder: Path, root: Path) -> bool:
    status = folder.lstat()
    same_file_system = status.st_dev == root.stat().st_dev
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and same_file_system


def _left(vault: Vault) -> Iterator[tuple[Removed, Callable[[], int]]]:
    """Give what a removal that was cut off had renamed already, and how to delete it."""
    folder = given_up_in(vault.root)
    if folder.resolve() != vault.root.resolve() / folder.relative_to(vault.root):
        raise VaultError(f"{folder} leads out of the vault through a link. Remove the link.")
    for aside in sorted(folder.iterdir()) if folder.exists() else []:
        name, _, machine = aside.name.partition(" ")
        if instant := instant_of(name):
            reason = "It was given up before, and removing it was cut off."
            gone = PublishedGeneration(machine, instant, vault.root)
            yield Removed(machine=machine, instant=instant, reason=reason), partial(_delete, aside, gone)
