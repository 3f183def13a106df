"""Restore one day: verify it in the vault, send it, verify it at the target, then give the files their names.

A restore that is killed at any moment resumes: what has arrived stays in a staging folder beside the day.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from include.days.archive import DayArchive
from include.days.manifest import Manifest, content, differing
from include.days.manifest import paths as paths_of
from include.days.manifest_builder import manifest_with
from include.days.published import PublishedDay
from include.errors import DayNotVerifiedError, TargetOccupiedError, TransientError
from include.names import named
from include.ordinal_day import OrdinalDay
from include.restore.day_request import DayRestoreRequest
from include.restore.plan import RestoreAction, RestoreStep, decide, paths
from include.restore.selection import EVERYTHING, ChosenRevision, choose, verify
from include.restore.target import RestoreTarget, TargetDay
from include.results.item import Item
from include.results.states import Outcome, State
from include.text import counted
from include.vault.vault import Vault

MOST_NAMED = 10


@dataclass(frozen=True)
class DayRestore:
    """The restore of one day from the vault to a folder.

    Args:
        vault: the vault. Only damage is recorded in it, so a vault that is mounted read-only will do.
        target: the folder to restore to.
        request: the parameters of the restore.
        day: the day, one of ``request.days``.
        reserve_bytes: the space to leave free if the target is on the vault's disk.
        run: the run's name, for the verification log.
        log: called with lines of progress.
    """

    vault: Vault
    target: RestoreTarget
    request: DayRestoreRequest
    day: OrdinalDay
    reserve_bytes: int
    run: str
    log: Callable[[str], None]

    def restore(self) -> Item:
        """Restore the day, or only plan that in a dry run; return an item for the report.

        Raises:
            NotInVaultError: the vault doesn't hold the day, or no file that matches.
            DayNotVerifiedError: the vault's copy is damaged; the message names an intact revision.
            TargetOccupiedError: different files have the names, and overwriting is off; nothing was written.
            TargetError: the target is full, read-only, or a vault.
            SourceRefusedError: the target's host refused the key, or its host key differs.
            TransientError: a retry may succeed.
        """
        started = time.monotonic()
        chosen = choose(self.day, self._revisions, self.request.revision)
        selected = self._verified(chosen.published)
        self.log(
            f"{self.day}: {counted(selected.totals.files, 'file')} of {chosen.published.folder} verified."
        )
        with self.target:
            at_target = self.target.survey(self.day, selected)
            at_target.require_usable(self.target.name)
            steps = decide(selected, at_target.manifest, overwrite=self.request.overwrite)
            self._require_allowed(steps)
            at_target.require_space(steps, self._reserve(at_target), self.target.name)
            if not self.request.dry_run:
                self._send(chosen.published, selected, at_target, steps)
        return self._item(chosen, selected, steps, seconds=round(time.monotonic() - started, 3))

    def _verified(self, published: PublishedDay) -> Manifest:
        try:
            return verify(published, self.request.pattern, self._revisions)
        except DayNotVerifiedError as damaged:
            if not self.request.dry_run and (
                warning := published.verification_log.record_damage(damaged.found, self.run, by="restore")
            ):
                self.log(warning)
            raise

    def _send(
        self, published: PublishedDay, selected: Manifest, at_target: TargetDay, steps: list[RestoreStep]
    ) -> None:
        sent = manifest_with(step.entry for step in steps if step.writes)
        if sent.totals.entries or at_target.state.left:
            arrived = self.target.receive(at_target, published.folder, steps, self.log)
            self._require_arrived(sent, arrived)
            self.target.publish(steps)
            self._log_steps(steps, RestoreAction.OVERWRITE)
        restored = self.target.survey(self.day, selected).manifest
        if wrong := list(paths_of(differing(selected, restored, content))):
            raise TransientError(
                f"{self.day} isn't restored: {named(wrong)} at {self.target.name} differs from the vault. "
                "Another program may be writing there. A retry checks it again."
            )

    def _require_arrived(self, sent: Manifest, arrived: Manifest) -> None:
        if wrong := [ours.path for ours, _ in differing(sent, arrived, content) if ours]:
            self.target.discard([entry.path for entry in sent if entry.kind != "folder"])
            raise TransientError(
                f"{self.day} isn't restored: checksum mismatch of {named(wrong)} at {self.target.name}. "
                "The day's folder wasn't changed. A retry sends it again."
            )

    def _require_allowed(self, steps: list[RestoreStep]) -> None:
        refused = self._log_steps(steps, RestoreAction.REFUSE)
        if not refused:
            return
        reasons = {step.reason for step in refused}
        reason = reasons.pop() if len(reasons) == 1 else "differs there"
        raise TargetOccupiedError(
            f"{self.target.name} has something else under names of {self.day}: "
            f"{named(paths(refused, RestoreAction.REFUSE), MOST_NAMED)} {reason}. Nothing was written. Name "
            "an empty folder, or switch overwriting on; it never replaces a folder or something by a folder."
        )

    def _log_steps(self, steps: list[RestoreStep], action: RestoreAction) -> list[RestoreStep]:
        """Log every step with an action, and return these steps."""
        matching = [step for step in steps if step.action is action]
        for step in matching:
            self.log(f"{self.day}: {named([step.entry.path])} {step.reason}.")
        return matching

    def _reserve(self, at_target: TargetDay) -> int:
        same_disk = self.target.is_local and at_target.state.device == self.vault.root.stat().st_dev
        return self.reserve_bytes if same_disk else 0

    def _item(
        self, chosen: ChosenRevision, selected: Manifest, steps: list[RestoreStep], seconds: float
    ) -> Item:
        moved = manifest_with(step.entry for step in steps if step.writes).totals
        replaced = paths(steps, RestoreAction.OVERWRITE)
        would = "would be " if self.request.dry_run else ""
        only = f" Only files that match {self.request.pattern}." if self.request.pattern != EVERYTHING else ""
        sent = counted(moved.files, "file")
        left = selected.totals.files - moved.files
        overwritten = f"{counted(len(replaced), 'different file')} {would}overwritten there: "
        warnings = [overwritten + named(replaced, MOST_NAMED) + "."] if replaced else []
        equal = counted(selected.totals.files, "file")
        verification = f"SHA-256 of {equal} equal in the vault and at {self.target.name}"
        return Item(
            name=str(self.day),
            own=True,
            state=State.NOT_CHECKED if self.request.dry_run else State.PASSED,
            outcome=Outcome.WOULD_RESTORE if self.request.dry_run else Outcome.RESTORED,
            reason=f"To {self.target.name}: {sent} {would}sent, {left:,} there already.{only}",
            size_bytes=moved.bytes,
            files=moved.files,
            seconds=seconds,
            verification=None if self.request.dry_run else verification,
            revision=chosen.published.revision,
            warnings=(*chosen.warnings, *warnings),
        )

    @cached_property
    def _revisions(self) -> list[PublishedDay]:
        return DayArchive(self.vault).revisions(self.day)
