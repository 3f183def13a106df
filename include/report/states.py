"""The words that a report is made of: its states, kinds and outcomes, and text from outside made visible."""

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator

from include.wording import visible


def _visible(value: object) -> object:
    return visible(value) if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_visible)]
"""One printable line, whatever came in."""


class State(StrEnum):
    """What is known. Not checked is never good news."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_CHECKED = "not checked"


class Kind(StrEnum):
    """What a run does."""

    DAYS = "days"  # brings them into the vault
    MACHINES = "machines"  # images them
    AUDIT = "audit"  # reads what is in the vault
    RESTORE = "restore"  # brings days or machines back
    DRILL = "drill"  # boots machines from their images


class Outcome(StrEnum):
    """What became of an item in this run: of a day, of a machine, or of a backup."""

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
    NOT_POSSIBLE = "can't be backed up"
    NOT_ATTEMPTED = "not attempted"
    NOT_ASKED = "not asked"  # a host: what it has isn't known
    EXCLUDED = "excluded"

    PROVEN_AGAIN = "proven again"
    DAMAGED = "DAMAGED"
    FETCHED_AGAIN = "fetched again"  # a damaged day, as a new revision
    WOULD_READ = "would be read"
    RESTORED = "restored"
    NOT_RESTORED = "not restored"
    WOULD_RESTORE = "would be restored"
    BOOTED = "booted"
    NOT_BOOTED = "did not boot"
    WOULD_BOOT = "would be booted"

    @property
    def wrote(self) -> bool:
        """Whether the vault holds something that it didn't hold before."""
        return self in (Outcome.COPIED, Outcome.NEW_REVISION, Outcome.IMAGED, Outcome.FETCHED_AGAIN)

    @property
    def done(self) -> bool:
        """Whether the run did what it is for."""
        return self.wrote or self in (Outcome.PROVEN_AGAIN, Outcome.RESTORED, Outcome.BOOTED)

    @property
    def planned(self) -> bool:
        """Whether a run that isn't dry would do it."""
        return self in (
            Outcome.WOULD_COPY,
            Outcome.WOULD_IMAGE,
            Outcome.WOULD_READ,
            Outcome.WOULD_RESTORE,
            Outcome.WOULD_BOOT,
        )

    @property
    def proven(self) -> bool:
        """Whether it's good news: in the vault, proven, or as proven where it was restored to."""
        return self.done or self is Outcome.ALREADY_SAFE


class Coverage(StrEnum):
    """How one day of the calendar stands in the vault."""

    SAFE = "safe"
    REVISED = "revised"
    MISSING = "missing"
    FAILED = "failed"
    NOT_DUE = "not due"
    WOULD_COPY = "would copy"


class WeekState(StrEnum):
    """What the vault holds of one machine of one week."""

    KEPT = "kept"
    MISSING = "missing"
    FAILED = "failed"
    WOULD_IMAGE = "would image"
    NOTHING = "nothing kept"
