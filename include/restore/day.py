"""One day brought back: proven in the vault, sent, proven where it arrived, and only then named.

It can be killed at any moment and done again: what has arrived is kept beside the day, and goes on.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from include.errors import DayNotProvenError, PassingError, TargetOccupiedError
from include.listing import Listing, differing, named
from include.ordinal_day import OrdinalDay
from include.report import Item, Outcome, State
from include.restore.decision import Action, Step, decide, paths
from include.restore.request import RestoreRequest
from include.restore.target import Seen, Target
from include.restore.wanted import EVERYTHING, Chosen, choose, prove
from include.vault import PublishedDay, Vault
from include.wording import counted

MOST_NAMED = 10


@dataclass(frozen=True)
class DayRestore:
    """One day on its way from the vault to a folder.

    Args:
        vault: where from. Damage that is found there is added to its proofs; nothing else is written, so
            that one that is mounted read-only will do.
        target: where to.
        asked: what a person asked for.
        day: the day, one of those.
        reserve_bytes: room that the vault's own disk keeps free.
        run: who restores it.
        say: told how it goes, a line at a time.
    """

    vault: Vault
    target: Target
    asked: RestoreRequest
    day: OrdinalDay
    reserve_bytes: int
    run: str
    say: Callable[[str], None]

    def restore(self) -> Item:
        """Bring it back, or see what that would do; gives what came of it, for the report.

        Raises:
            NotInVaultError: the vault doesn't hold it, or no file that matches.
            DayNotProvenError: the vault's copy is damaged; says which other revision is whole.
            TargetOccupiedError: other files have the names, and may not be overwritten; nothing was written.
            TargetError: the target is full, read-only, or a vault.
            SourceRefusedError: key or host key.
            PassingError: another try may help.
        """
        started = time.monotonic()
        chosen = choose(self.day, self._revisions, self.asked.revision)
        wanted = self._proven(chosen.published)
        self.say(f"{self.day}: {counted(len(wanted.files), 'file')} of {chosen.published.folder} proven.")
        with self.target:
            seen = self.target.survey(self.day, wanted)
            seen.require_usable(self._told)
            steps = decide(wanted, seen.listing, overwrite=self.asked.overwrite)
            self._require_allowed(steps)
            seen.require_room(steps, self._reserve(seen), self._told)
            if not self.asked.dry_run:
                self._send(chosen.published, wanted, seen, steps)
        return self._item(chosen, wanted, steps, seconds=round(time.monotonic() - started, 3))

    def _proven(self, published: PublishedDay) -> Listing:
        try:
            return prove(published, self.asked.pattern, self._revisions)
        except DayNotProvenError as damaged:
            if not self.asked.dry_run and (told := published.proofs.note_damage(damaged.found, self.run)):
                self.say(told)
            raise

    def _send(self, published: PublishedDay, wanted: Listing, seen: Seen, steps: list[Step]) -> None:
        coming = Listing(tuple(step.entry for step in steps if step.moves))
        if coming.entries or seen.facts["left"]:
            arrived = self.target.receive(seen, published.folder, steps, self.say)
            self._require_arrived(coming, arrived)
            self.target.publish(steps)
            self._tell(steps, Action.OVERWRITE)
        there = self.target.survey(self.day, wanted).listing
        if wrong := differing(wanted.content, there.content):
            raise PassingError(
                f"{self.day} isn't restored: at {self._told}, {named(wrong)} isn't what the vault has. "
                "Does somebody write there? The next try looks again."
            )

    def _require_arrived(self, coming: Listing, arrived: Listing) -> None:
        if wrong := [path for path in coming.content if coming.content[path] != arrived.content.get(path)]:
            self.target.discard([entry.path for entry in coming.entries if entry.kind != "folder"])
            raise PassingError(
                f"{self.day} isn't restored: {named(wrong)} arrived at {self._told} other than it was sent. "
                "Nothing of it was given its name; the next try sends it again."
            )

    def _require_allowed(self, steps: list[Step]) -> None:
        refused = self._tell(steps, Action.REFUSE)
        if not refused:
            return
        reasons = {step.reason for step in refused}
        why = reasons.pop() if len(reasons) == 1 else "is another there"
        raise TargetOccupiedError(
            f"{self._told} has something else under names of {self.day}: "
            f"{named(paths(refused, Action.REFUSE), MOST_NAMED)} {why}. Nothing was written. Name an empty "
            "folder, or have files overwritten; a folder, or what stands in its place, never is."
        )

    def _tell(self, steps: list[Step], action: Action) -> list[Step]:
        """Name every path about which something was decided; gives the steps."""
        told = [step for step in steps if step.action is action]
        for step in told:
            self.say(f"{self.day}: {named([step.entry.path])} {step.reason}.")
        return told

    def _reserve(self, seen: Seen) -> int:
        here = self.target.door.connection is None
        return self.reserve_bytes if here and seen.facts["device"] == self.vault.root.stat().st_dev else 0

    def _item(self, chosen: Chosen, wanted: Listing, steps: list[Step], seconds: float) -> Item:
        moved = Listing(tuple(step.entry for step in steps if step.moves))
        replaced = paths(steps, Action.OVERWRITE)
        would = "would be " if self.asked.dry_run else ""
        some = f" Only what matches {self.asked.pattern}." if self.asked.pattern != EVERYTHING else ""
        sent = counted(len(moved.files), "file")
        left = len(wanted.files) - len(moved.files)
        overwritten = f"{counted(len(replaced), 'other file')} {would}overwritten there: "
        warnings = [overwritten + named(replaced, MOST_NAMED) + "."] if replaced else []
        proof = f"SHA-256 of {counted(len(wanted.files), 'file')} equal in the vault and at {self._told}"
        return Item(
            name=str(self.day),
            own=True,
            state=State.NOT_CHECKED if self.asked.dry_run else State.PASSED,
            outcome=Outcome.WOULD_RESTORE if self.asked.dry_run else Outcome.RESTORED,
            reason=f"To {self._told}: {sent} {would}sent, {left:,} there already.{some}",
            size_bytes=moved.bytes,
            files=len(moved.files),
            seconds=seconds,
            proof=None if self.asked.dry_run else proof,
            revision=chosen.published.revision,
            warnings=(*chosen.warnings, *warnings),
        )

    @cached_property
    def _revisions(self) -> list[PublishedDay]:
        return self.vault.revisions(self.day)

    @property
    def _told(self) -> str:
        return self.target.told
