"""The terms that reports use: states, kinds of runs, outcomes; and text from outside, made visible."""

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator

from include.text import visible


def _visible(value: object) -> object:
    return visible(value) if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_visible)]
"""One printable line, whatever the input."""


class State(StrEnum):
    """The state of an item. Not checked is never good news."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_CHECKED = "not checked"


class Kind(StrEnum):
    """What a run does."""

    DAYS = "days"  # backs up SUPIM days
    VMS = "vms"  # images VMs
    SCRUB = "scrub"  # reads and verifies the vault
    RESTORE = "restore"  # restores days or VMs
    BOOT_TEST = "boot_test"  # boots VMs from their images
    BACKFILL = "backfill"  # backs up many SUPIM days, each in a run of its own


class Outcome(StrEnum):
    """What became of a day, a VM or a backup in this run."""

    COPIED = "copied"
    NEW_REVISION = "new revision"
    ALREADY_SAFE = "already safe"
    MISSING = "missing"
    INCOMPLETE = "incomplete"
    UNREADABLE = "unreadable"
    NOT_SETTLED = "not settled"
    FAILED = "failed"
    WOULD_COPY = "would copy"
    NOT_CHECKED = "not checked"

    IMAGED = "imaged"
    WOULD_IMAGE = "would image"
    NOT_IMAGED = "not imaged"
    NOT_STOPPED = "not stopped"
    NOT_BACK = "NOT BACK"
    FROZEN = "FROZEN"  # a VM that runs, and isn't seen to be thawed
    NOT_POSSIBLE = "can't be backed up"
    NOT_ATTEMPTED = "not attempted"
    TOO_LATE = "too late"  # the run may stop no VM any more
    NOT_LISTED = "not listed"  # a host: its VMs are unknown
    EXCLUDED = "excluded"

    VERIFIED_AGAIN = "verified again"
    DAMAGED = "DAMAGED"
    REPLACED = "replaced"  # damaged as it was before, and a newer version is intact
    FETCHED_AGAIN = "fetched again"  # a damaged day, copied again as a new revision
    WOULD_READ = "would be read"
    NOT_READ = "not read"  # verified before, and of the published names and sizes
    RESTORED = "restored"
    NOT_RESTORED = "not restored"
    WOULD_RESTORE = "would be restored"
    BOOTED = "booted"
    NOT_BOOTED = "did not boot"
    WOULD_BOOT = "would be booted"

    @property
    def is_alarm(self) -> bool:
        """Whether somebody must see to the VM at once: it is down, or its writes may hang."""
        return self in (Outcome.NOT_BACK, Outcome.FROZEN)

    @property
    def wrote(self) -> bool:
        """Whether the run wrote a new backup into the vault."""
        return self in (Outcome.COPIED, Outcome.NEW_REVISION, Outcome.IMAGED, Outcome.FETCHED_AGAIN)

    @property
    def done(self) -> bool:
        """Whether the run did its work on the item."""
        return self.wrote or self in (Outcome.VERIFIED_AGAIN, Outcome.RESTORED, Outcome.BOOTED)

    @property
    def planned(self) -> bool:
        """Whether a real run would do it; only a dry run has this outcome."""
        return self in (
            Outcome.WOULD_COPY,
            Outcome.WOULD_IMAGE,
            Outcome.WOULD_READ,
            Outcome.WOULD_RESTORE,
            Outcome.WOULD_BOOT,
        )

    @property
    def verified(self) -> bool:
        """Whether the item is safe: a verified backup is in the vault, or was restored or booted."""
        return self.done or self in (Outcome.ALREADY_SAFE, Outcome.NOT_READ, Outcome.REPLACED)


class Coverage(StrEnum):
    """The status of one calendar day in the vault."""

    SAFE = "safe"
    REVISED = "revised"
    MISSING = "missing"
    FAILED = "failed"
    NOT_DUE = "not due"
    WOULD_COPY = "would copy"


class WeekState(StrEnum):
    """What the vault holds of one VM for one week."""

    KEPT = "kept"
    MISSING = "missing"
    FAILED = "failed"
    WOULD_IMAGE = "would image"
    NOTHING = "none"
