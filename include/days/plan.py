"""The plan of a run: its days, and what is done about each and why, before anything is changed."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from include.days.manifest_totals import ManifestTotals
from include.days.source import SourceDay, SourceState
from include.models import Day, Model
from include.ordinal_day import OrdinalDay, window
from include.vault.free_space import SpaceNeed

SCRIPT_LOOK_BACK = 2  # the scripts before this project checked the two days before the target again


class DayAction(StrEnum):
    """What a run does about a day."""

    COPY = "copy"
    REVISE = "revise"  # the source differs from the published revision, or that is damaged
    WAIT = "wait"
    NOTHING = "nothing"  # it is safe
    GIVE_UP = "give up"  # it isn't safe, and this run can't change that

    @property
    def backs_up(self) -> bool:
        """Whether the day goes through copy, verify and publish."""
        return self in (DayAction.COPY, DayAction.REVISE, DayAction.WAIT)


class DayWindow(Model):
    """The days of a run.

    Args:
        own: the run's own day.
        responsible_for: the days that must be safe for the run to succeed, oldest first.
        missing: older days that the vault lacks; they are copied if the source still has them.
    """

    own: Day
    responsible_for: tuple[Day, ...]
    missing: tuple[Day, ...] = ()

    @property
    def days(self) -> list[OrdinalDay]:
        """All days of the run, oldest first."""
        return sorted({*self.responsible_for, *self.missing})


def days_of_run(
    own: OrdinalDay, *, scheduled: bool, lookback_days: int, published: Iterable[OrdinalDay]
) -> DayWindow:
    """Choose the days of a run.

    A scheduled run is responsible for its own day and the two before it, and looks for missing days further
    back. Any other run is about one day only.

    Args:
        own: the run's own day.
        scheduled: whether the schedule started the run.
        lookback_days: how far back a scheduled run looks for missing days.
        published: the days that the vault has undamaged.
    """
    if not scheduled:
        return DayWindow(own=own, responsible_for=(own,))
    recent = window(own, 1 + SCRIPT_LOOK_BACK)
    safe = {*published, *recent}
    missing = tuple(day for day in window(own, 1 + lookback_days) if day not in safe)
    return DayWindow(own=own, responsible_for=tuple(recent), missing=missing)


class DayPlan(Model):
    """The plan for one day.

    Args:
        day: the day.
        action: what to do.
        reason: why, as a sentence.
        at_source: the survey of the day.
    """

    day: Day
    action: DayAction
    reason: str
    at_source: SourceDay

    def space_need(self, copied: ManifestTotals) -> SpaceNeed:
        """Return what the vault must have free for the day, besides what is in staging already."""
        need_bytes = self.at_source.disk_bytes - copied.disk_bytes
        need_files = self.at_source.files - copied.entries
        return SpaceNeed(str(self.day), max(need_bytes, 0), max(need_files, 0))


def by_urgency(plans: Iterable[DayPlan], own: OrdinalDay) -> list[DayPlan]:
    """Return the plans of the days to back up: the run's own day first, then newest first."""
    backed_up = [plan for plan in plans if plan.action.backs_up]
    return sorted(backed_up, key=lambda plan: (plan.day == own, plan.day), reverse=True)


def decide(
    run: DayWindow,
    surveyed: Mapping[OrdinalDay, SourceDay],
    published: Mapping[OrdinalDay, str],
    damaged: Mapping[OrdinalDay, str] = MappingProxyType({}),
) -> list[DayPlan]:
    """Plan each day of a run, oldest first.

    Args:
        run: the run's days.
        surveyed: the survey of each day at the source.
        published: the fingerprint of each day's newest published revision.
        damaged: the damage of that revision, for the days where it is damaged.
    """
    return [
        _day_plan(surveyed[day], published.get(day), damaged.get(day), own=day == run.own) for day in run.days
    ]


def _day_plan(at_source: SourceDay, fingerprint: str | None, damage: str | None, *, own: bool) -> DayPlan:
    if damage:
        action, reason = _plan_damaged(at_source, damage, own=own)
    elif fingerprint is None:
        action, reason = _plan_missing(at_source, own=own)
    else:
        action, reason = _plan_published(at_source, changed=at_source.fingerprint != fingerprint)
    return DayPlan(day=at_source.day, action=action, reason=reason, at_source=at_source)


def _plan_missing(at_source: SourceDay, *, own: bool) -> tuple[DayAction, str]:
    if at_source.state is SourceState.COMPLETE:
        return DayAction.COPY, "The source had it and the vault didn't."
    if own and at_source.state is not SourceState.UNUSABLE:
        return DayAction.WAIT, at_source.reason
    return DayAction.GIVE_UP, at_source.reason


def _plan_damaged(at_source: SourceDay, damage: str, *, own: bool) -> tuple[DayAction, str]:
    action, reason = _plan_missing(at_source, own=own)
    if action is DayAction.COPY:
        return DayAction.REVISE, f"The copy in the vault is damaged. {damage}"
    return action, f"The copy in the vault is damaged. {damage} {reason}"


def _plan_published(at_source: SourceDay, *, changed: bool) -> tuple[DayAction, str]:
    if at_source.state is SourceState.MISSING:
        return DayAction.NOTHING, "The vault has it; the source doesn't have it any more."
    if not changed:
        return DayAction.NOTHING, "The vault has it, as it is at the source."
    if at_source.state is SourceState.COMPLETE:
        return DayAction.REVISE, "At the source it differs from the copy in the vault."
    return (
        DayAction.NOTHING,
        f"The vault has it; the source's copy now differs and can't be copied. {at_source.reason}",
    )
