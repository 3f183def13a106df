"""Removal of the generations that retention doesn't keep: the only code that removes a published backup.

It removes whole generations that this vault published, and refuses anything else. The folder is renamed into
staging, after which it isn't a generation any more; then it is deleted. The vault is locked exclusively
meanwhile: nothing is copied, and no transfer reads an older generation. A generation that a scrub is reading
stays until the next run. One that a person protects is never removed: that is checked again right before.
"""

import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from include.config.vms import KeepRules
from include.errors import BackupError, ProtectedError, RescheduleError, VaultError
from include.models import Model
from include.names import named
from include.vault.clock import is_ahead
from include.vault.files import sync
from include.vault.locks import locked_existing
from include.vault.vault import Vault
from include.vms.archive import PublishedVm, VmArchive, instant_of, to_the_second
from include.vms.published import removal_folder
from include.vms.record import VmRecord
from include.vms.retention import RetentionDecision, RetentionFacts, decide, next_to_remove


class RemovedGeneration(Model):
    """The removal of one generation that retention doesn't keep.

    Args:
        vm: the VM's name.
        instant: of the generation.
        reason: why it isn't kept.
        bytes: what it occupied on the disk; other generations may share some of it.
        refused: why it wasn't removed; None if it was.
    """

    vm: str
    instant: datetime
    reason: str
    bytes: int = 0
    refused: str | None = None


def due_removals(
    vault: Vault, made: Sequence[VmRecord], keep: KeepRules, *, boot_tests: AbstractSet[str] = frozenset()
) -> list[RemovedGeneration]:
    """Return what :func:`apply_retention` would remove; remove nothing.

    Args:
        vault: the vault.
        made: what the run published. VMs without a new generation lose nothing.
        keep: how many are kept.
        boot_tests: the VMs that are boot-tested: theirs go only once a newer generation has booted.
    """
    generations = VmArchive(vault)
    return [
        RemovedGeneration(vm=record.vm, instant=decision.instant, reason=decision.reason)
        for record in made
        for decision in decisions(
            generations,
            record.vm,
            keep,
            {to_the_second(record.instant)},
            boot_tests=record.vm in boot_tests,
        )
        if not decision.keep
    ]


def removals_after(
    vault: Vault, vms: Iterable[str], keep: KeepRules, coming: datetime, *, boot_tests: AbstractSet[str]
) -> list[RemovedGeneration]:
    """Return what :func:`apply_retention` would remove after a run that images these VMs.

    Args:
        vault: the vault.
        vms: their names.
        keep: how many are kept.
        coming: the instant of their new generations.
        boot_tests: those that are boot-tested.
    """
    retained = {vm: Retained.of(VmArchive(vault).of(vm), boot_tests=vm in boot_tests) for vm in vms}
    return [
        RemovedGeneration(vm=vm, instant=decision.instant, reason=decision.reason)
        for vm, found in retained.items()
        for decision in found.next_to_remove(keep, coming.astimezone(UTC))
    ]


def decisions(
    generations: VmArchive,
    vm: str,
    keep: KeepRules,
    made: AbstractSet[datetime],
    *,
    boot_tests: bool = False,
) -> list[RetentionDecision]:
    """Decide about a VM's generations, oldest first; about none while one just made is missing or damaged.

    A generation whose record can't be read counts as unverified and is left for a person to look at.
    """
    found = Retained.of(generations.of(vm), boot_tests=boot_tests)
    if not made <= found.generations.keys() - found.facts.damaged.keys():
        return []
    decided = decide(sorted(found.generations), keep, made, found.facts)
    return [found.as_named(decision) for decision in decided]


@dataclass(frozen=True)
class Retained:
    """What retention has to know of a VM's generations.

    Args:
        generations: those with a readable record, by their dates; those that only have dates in the future
            are left out: a person must look at them.
        facts: which are damaged or suspect, have booted, or are protected, by their dates.
    """

    generations: Mapping[datetime, PublishedVm]
    facts: RetentionFacts

    @classmethod
    def of(cls, generations: Iterable[PublishedVm], *, boot_tests: bool) -> "Retained":
        """Read the records and verification logs."""
        readable = [generation for generation in generations if generation.readable_record]
        dated = {generation.dated: generation for generation in readable}
        dated = {date: generation for date, generation in dated.items() if not is_ahead(date)}
        damaged = {date: why for date, generation in dated.items() if (why := generation.suspect)}
        booted = {date for date, generation in dated.items() if has_booted(generation)}
        protected = {date: is_set.reason for date, one in dated.items() if (is_set := one.protection)}
        return cls(dated, RetentionFacts(damaged, booted if boot_tests else None, protected))

    def next_to_remove(self, keep: KeepRules, coming: datetime) -> list[RetentionDecision]:
        """Return what goes once a generation of an instant to come is verified, oldest first."""
        decisions = next_to_remove(self.generations.keys(), keep, coming, self.facts)
        return [self.as_named(decision) for decision in decisions]

    def as_named(self, decision: RetentionDecision) -> RetentionDecision:
        """Return a decision with the instant by which its generation is named."""
        instant = self.generations[decision.instant].instant
        return decision.model_copy(update={"instant": instant})


def has_booted(generation: PublishedVm) -> bool:
    """Check whether its last boot test passed."""
    boot_test = generation.verification_log.last("boot_test")
    return boot_test is not None and boot_test.result == "passed"


def apply_retention(
    vault: Vault, made: Sequence[VmRecord], keep: KeepRules, *, boot_tests: AbstractSet[str] = frozenset()
) -> list[RemovedGeneration]:
    """Remove what :func:`due_removals` returns for the same arguments; to be called only after a good run.

    Raises:
        RescheduleError: something is being copied.
        VaultUnmarkedError: the vault has lost its marker.
    """
    with vault.lock_vault("Removing old generations"):
        Vault.open(vault.root)
        interrupted = list(_interrupted(vault))
        due = [
            (removal, partial(remove, PublishedVm(removal.vm, removal.instant, vault.root)))
            for removal in due_removals(vault, made, keep, boot_tests=boot_tests)
        ]
        done = list(filter(None, (_removed(removal, action) for removal, action in interrupted + due)))
        with suppress(OSError):  # it doesn't exist, or contains what couldn't be deleted
            removal_folder(vault.root).rmdir()
        return done


def _removed(removal: RemovedGeneration, action: Callable[[], int]) -> RemovedGeneration | None:
    try:
        return removal.model_copy(update={"bytes": action()})
    except ProtectedError:  # by a person, meanwhile: as if it had been before
        return None
    except (BackupError, OSError) as refused:
        return removal.model_copy(update={"refused": str(refused)})


def remove(generation: PublishedVm) -> int:
    """Remove one generation, and return the bytes it occupied; the caller has locked the vault exclusively.

    Raises:
        VaultError: it isn't a generation that this vault published, or it is being read; nothing was changed.
        ProtectedError: a person protects it; nothing was changed.
    """
    _require_ours(generation)
    with _locked(generation):
        if protection := generation.protection:
            raise ProtectedError(f"{generation.vm} {generation.name} is {protection.reason}.")
        aside = generation.removal_path
        aside.parent.mkdir(parents=True, exist_ok=True)
        generation.folder.chmod(0o700)  # a read-only folder can't be moved
        generation.folder.rename(aside)
        sync(aside.parent)
        return _delete(aside, generation)


@contextmanager
def _locked(generation: PublishedVm) -> Iterator[None]:
    with ExitStack() as lock:
        try:
            lock.enter_context(locked_existing(generation.folder, fcntl.LOCK_EX, generation.name))
        except RescheduleError:  # this may take hours: too long for the run's report
            raise VaultError(
                "It is being read, by a scrub or a person. The next good run removes it."
            ) from None
        yield


def _delete(aside: Path, generation: PublishedVm) -> int:
    size = sum(file.lstat().st_blocks * 512 for file in aside.iterdir())
    for beside in ("verifications", "png"):  # its log, and the screenshot of its boot test
        generation.folder.with_name(f"{generation.name}.{beside}").unlink(missing_ok=True)
    shutil.rmtree(aside)
    return size


def _require_ours(generation: PublishedVm) -> None:
    folder, root = generation.folder, generation.vault_root
    if folder.resolve() != root.resolve() / folder.relative_to(root):
        raise VaultError(f"{folder} leads out of the vault through a link. It wasn't removed.")
    record = generation.record
    if (record.vm, to_the_second(record.instant)) != (generation.vm, generation.instant):
        raise VaultError(f"{folder} contains the record of another generation. It wasn't removed.")
    strangers = {path.name for path in folder.iterdir()} - record.names
    strangers |= {path.name for path in folder.iterdir() if not _is_our_file(path)}
    if strangers or not _is_ours(folder, root):
        names = f": {named(sorted(strangers))}" if strangers else ""
        raise VaultError(f"{folder} isn't as it was published{names}. It wasn't removed. Check the folder.")


def _is_our_file(path: Path) -> bool:
    status = path.lstat()
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()


def _is_ours(folder: Path, root: Path) -> bool:
    status = folder.lstat()
    same_file_system = status.st_dev == root.stat().st_dev
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and same_file_system


def _interrupted(vault: Vault) -> Iterator[tuple[RemovedGeneration, Callable[[], int]]]:
    """Yield what an interrupted removal had renamed already, and the function that deletes it."""
    folder = removal_folder(vault.root)
    if folder.resolve() != vault.root.resolve() / folder.relative_to(vault.root):
        raise VaultError(f"{folder} leads out of the vault through a link. Remove the link.")
    for aside in sorted(folder.iterdir()) if folder.exists() else []:
        name, _, vm = aside.name.partition(" ")
        if instant := instant_of(name):
            reason = "Its removal by an earlier run was interrupted."
            removal = RemovedGeneration(vm=vm, instant=instant, reason=reason)
            yield removal, partial(_delete, aside, PublishedVm(vm, instant, vault.root))
