"""One alert: what is wrong, what the page offers to do about it, and by what it is recognised. Pure."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

_RECURS_WITHIN = timedelta(days=30)


class Urgency(StrEnum):
    """How urgent an alert is."""

    URGENT = "urgent"
    TO_DO = "to do"
    GOOD = "good"


class AlertAction(StrEnum):
    """What the page offers to do about an alert."""

    BACK_UP = "Back up"
    CHECK_SOURCE = "Check the source again"
    SHOW_RUN = "Show the run"
    SHOW_DAG = "Open the DAG"
    SHOW_VM = "Show the VM"
    BACK_UP_VMS = "Back up VMs"


@dataclass(frozen=True)
class Alert:
    """One problem that needs attention.

    Args:
        urgency: how urgent it is.
        sentence: what is wrong, and what helps.
        fact: what is wrong, without what changes by itself, such as an age: the same fact is the same alert.
        action: what the page offers; None: nothing.
        subject: the DAG or VM that the action is for.
        run: the run to show.
        first: the first day of a range, as ``2026-268``.
        last: its last day.
        vms: the names of the VMs to back up.
        recurs: whether the fact has no date, so that it may end and begin again as the same one.
    """

    urgency: Urgency
    sentence: str
    fact: str
    action: AlertAction | None = None
    subject: str = ""
    run: str = ""
    first: str = ""
    last: str = ""
    vms: tuple[str, ...] = ()
    recurs: bool = False

    @property
    def key(self) -> str:
        """Sixteen hexadecimal digits that stay the same until the fact or its urgency changes."""
        return hashlib.sha256(f"{self.urgency} {self.fact}".encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Acknowledgement:
    """Who acknowledged an alert.

    Args:
        by: the name of the user.
        when: when.
        until: until when it is folded away; None: until the fact changes.
    """

    by: str
    when: datetime
    until: datetime | None

    def holds(self, now: datetime) -> bool:
        """Whether the alert is still folded away."""
        return self.until is None or now < self.until

    def of(self, alert: Alert) -> "Acknowledgement":
        """Return what it means for an alert: one that recurs is never folded away for ever."""
        latest = self.when + _RECURS_WITHIN
        return replace(self, until=latest) if alert.recurs and self.holds(latest) else self


@dataclass(frozen=True)
class AcknowledgedAlert:
    """An alert that is folded away, and who acknowledged it."""

    alert: Alert
    acknowledgement: Acknowledgement
