"""Which generation of a machine is restored: the one that is named, or the newest good one."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from include.errors import VaultError
from include.listing import named
from include.machines.generation import PublishedGeneration
from include.names import shown
from include.vault import Vault


class Choice(NamedTuple):
    """A generation, and why it's that one, as a sentence."""

    generation: PublishedGeneration
    reason: str


def choose(machine: str, generations: Sequence[PublishedGeneration], wanted: str | None) -> Choice:
    """Choose a generation.

    Args:
        machine: its name, for messages.
        generations: those that are published, oldest first.
        wanted: the name of one; None: the newest that no audit found damaged.

    Raises:
        VaultError: there is none, or it's damaged: says what is wrong with it, and which other one is good.
    """
    if not generations:
        raise VaultError(f"The vault holds no generation of {shown(machine)}.")
    good = [one for one in generations if not one.proofs.damaged]
    if wanted is None:
        return _newest(machine, generations, good)
    for one in generations:
        if one.name == wanted:
            return _named(machine, one, good)
    raise VaultError(
        f"The vault holds no generation {shown(wanted)} of {machine}, only "
        f"{named(one.name for one in generations)}."
    )


def other_good(generation: PublishedGeneration, generations: Sequence[PublishedGeneration]) -> str:
    """Say which generation could be taken instead of one that is damaged."""
    good = [one.name for one in generations if one != generation and not one.proofs.damaged]
    return (
        f"The newest other one not known to be damaged is {good[-1]}."
        if good
        else "There is no other good one."
    )


@contextmanager
def kept_meanwhile(vault: Vault, generation: PublishedGeneration) -> Iterator[None]:
    """Keep a generation from being removed, and every other restore of its machine off, for a block.

    Raises:
        NotYetError: another restore is at the machine, or something is being removed.
        VaultError: it was removed just now.
    """
    staging = vault.root / ".staging" / "restore" / "vm" / generation.folder.parent.name / "data"
    with ExitStack() as held:
        if not os.statvfs(vault.root).f_flag & os.ST_RDONLY:  # nobody can remove anything where it's that
            held.enter_context(vault.hold_staging(staging, generation.machine))
        if not generation.record_file.exists():
            raise VaultError(f"{generation.folder} isn't in the vault any more: it was removed just now.")
        yield


def _newest(
    machine: str, generations: Sequence[PublishedGeneration], good: Sequence[PublishedGeneration]
) -> Choice:
    if not good:
        raise VaultError(f"All generations of {machine} are damaged. {_what_is_wrong(generations[-1])}")
    newer = len([one for one in generations if one > good[-1]])
    reason = "It is the newest." if not newer else f"It is the newest good one; {newer} newer are damaged."
    return Choice(good[-1], reason)


def _named(machine: str, one: PublishedGeneration, good: Sequence[PublishedGeneration]) -> Choice:
    if one in good:
        return Choice(one, "It was asked for.")
    raise VaultError(f"{machine} {one.name} is damaged. {_what_is_wrong(one)} {other_good(one, good)}")


def _what_is_wrong(one: PublishedGeneration) -> str:
    found = one.proofs.damaged
    return f"An audit of {found.when:%Y-%m-%d} found: {found.how}" if found else ""
