"""What a run does about each day, and why: decided before anything is touched."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from include.facts import Day, Facts
from include.ordinal_day import OrdinalDay, window
from include.source import Look, State

SCRIPT_LOOK_BACK = 2  # the replaced scripts looked at the two days before the target again


class Action(StrEnum):
    """What is to be done about a day."""

    COPY = "copy"
    REVISE = "revise"  # the source differs from what is published
    WAIT = "wait"
    NOTHING = "nothing"  # it is safe
    GIVE_UP = "give up"  # it isn't safe, and this run can't make it so

    @property
    def takes_work(self) -> bool:
        """Whether the day goes through copy, verify and publish."""
        return self in (Action.COPY, Action.REVISE, Action.WAIT)


class Window(Facts):
    """The days that a run is about.

    Args:
        own: the run's own day.
        answers_for: the days that must be safe for the run to be green, oldest first.
        gaps: older days that the vault lacks; closed where the source still has them.
    """

    own: Day
    answers_for: tuple[Day, ...]
    gaps: tuple[Day, ...] = ()

    @property
    def days(self) -> list[OrdinalDay]:
        """All of them, oldest first."""
        return sorted({*self.answers_for, *self.gaps})


def days_of_run(
    own: OrdinalDay, *, scheduled: bool, look_back: int, published: Iterable[OrdinalDay]
) -> Window:
    """Choose the days of a run.

    A scheduled run answers for its own day and the two before it, and looks for gaps further back. Any
    other run was asked for one day, and does that.
    """
    if not scheduled:
        return Window(own=own, answers_for=(own,))
    recent = window(own, 1 + SCRIPT_LOOK_BACK)
    safe = set(published)
    older = (day for day in window(own, 1 + max(look_back, SCRIPT_LOOK_BACK)) if day not in recent)
    gaps = tuple(day for day in older if day not in safe)
    return Window(own=own, answers_for=tuple(recent), gaps=gaps)


class Verdict(Facts):
    """What is to be done about one day.

    Args:
        day: the day.
        action: what to do.
        reason: why, as a sentence.
        seen: what it was decided on.
    """

    day: Day
    action: Action
    reason: str
    seen: Look


def decide(
    run: Window,
    looks: Mapping[OrdinalDay, Look],
    published: Mapping[OrdinalDay, str],
    damaged: Mapping[OrdinalDay, str] = MappingProxyType({}),
) -> list[Verdict]:
    """Decide about each day of a run, oldest first.

    Args:
        run: the run's days.
        looks: what the source holds of them.
        published: the fingerprint of each day's newest published revision.
        damaged: what is wrong with that revision, of the days where something is.
    """
    return [
        _verdict(looks[day], published.get(day), damaged.get(day), own=day == run.own) for day in run.days
    ]


def _verdict(seen: Look, fingerprint: str | None, damage: str | None, *, own: bool) -> Verdict:
    if damage:
        action, reason = _of_damaged(seen, damage, own=own)
    elif fingerprint is None:
        action, reason = _of_lacking(seen, own=own)
    else:
        action, reason = _of_published(seen, changed=seen.fingerprint != fingerprint)
    return Verdict(day=seen.day, action=action, reason=reason, seen=seen)


def _of_lacking(seen: Look, *, own: bool) -> tuple[Action, str]:
    if seen.state is State.COMPLETE:
        return Action.COPY, "It was at the source and not yet in the vault."
    if own and seen.state is not State.UNUSABLE:
        return Action.WAIT, seen.reason
    return Action.GIVE_UP, seen.reason


def _of_damaged(seen: Look, damage: str, *, own: bool) -> tuple[Action, str]:
    """Have it again: a copy that isn't whole is none."""
    action, reason = _of_lacking(seen, own=own)
    if action is Action.COPY:
        return Action.REVISE, f"The copy in the vault isn't whole. {damage}"
    return action, f"The copy in the vault isn't whole. {damage} {reason}"


def _of_published(seen: Look, *, changed: bool) -> tuple[Action, str]:
    if seen.state is State.MISSING:
        return Action.NOTHING, "The vault has it; the source doesn't have it any more."
    if not changed:
        return Action.NOTHING, "The vault has it, as it is at the source."
    if seen.state is State.COMPLETE:
        return Action.REVISE, "At the source it differs from the copy in the vault."
    return (
        Action.NOTHING,
        f"The vault has it; what the source has now differs and can't be copied. {seen.reason}",
    )
