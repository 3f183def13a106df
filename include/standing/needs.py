"""What needs a person, most urgent first, each with its step; and the page's first sentence. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from include.standing.coverage import RECENT_DAYS, DayStanding, DayState, Year, gaps
from include.standing.fleet import JudgedMachine, MachineState
from include.standing.room import Forecast
from include.standing.view import VaultView
from include.wording import counted, size, span

SOON_DAYS = 60
_NAMED = 6


class Urgency(StrEnum):
    """How bad it is."""

    LOOK_NOW = "look now"
    TO_DO = "to do"
    GOOD = "good"


class Action(StrEnum):
    """What the page offers to do about it."""

    BACK_UP = "Back up"
    LOOK = "Look for them again"
    SHOW_RUN = "Show the run"
    SHOW_DAG = "Open the DAG"
    SHOW_MACHINE = "Show the machine"


@dataclass(frozen=True)
class Need:
    """One thing to do.

    Args:
        urgency: how bad it is.
        sentence: what is wrong, and what helps.
        action: what is offered; None: nothing that the page could do.
        subject: for which: a DAG, a machine.
        run: the run to show.
        first: the first of the days, and ``last`` the last.
    """

    urgency: Urgency
    sentence: str
    action: Action | None = None
    subject: str = ""
    run: str = ""
    first: str = ""
    last: str = ""


@dataclass(frozen=True)
class Standing:
    """All that is known of a vault, judged.

    Args:
        view: the facts.
        now: the instant of judgement.
        calendar: its days.
        machines: its machines.
        forecast: of its room.
        switched_off: DAGs that don't run by themselves.
    """

    view: VaultView
    now: datetime
    calendar: list[Year]
    machines: list[JudgedMachine]
    forecast: Forecast
    switched_off: Sequence[str] = ()
    needs: list[Need] = field(init=False)

    def __post_init__(self) -> None:
        found = [*_of_view(self), *_of_days(self), *_of_machines(self), *_of_room(self), *_of_runs(self)]
        order = list(Urgency)
        object.__setattr__(self, "needs", sorted(found, key=lambda need: order.index(need.urgency)))

    @property
    def urgency(self) -> Urgency:
        """The worst of it."""
        return self.needs[0].urgency if self.needs else Urgency.GOOD

    def days(self, *states: DayState) -> int:
        """Give how many days are in some states."""
        return sum(year.count(*states) for year in self.calendar)

    @property
    def headline(self) -> str:
        """Say whether all is safe, in one sentence."""
        if self.view.stale(self.now):
            return f"Nothing is known since {self.view.taken.astimezone(self.view.zone):%Y-%m-%d}"
        missing = self.days(*_WANTED)
        bad = [machine for machine in self.machines if machine.state is not MachineState.SAFE]
        parts = [counted(missing, "day")] * (missing > 0) + [counted(len(bad), "machine")] * bool(bad)
        if parts:
            verb = "is" if missing + len(bad) == 1 else "are"
            return f"{' and '.join(parts)} {verb} not safe"
        return "Everything known is safe" if self.needs or self.days(DayState.LOST) else "Everything is safe"

    @property
    def summary(self) -> str:
        """Say how much there is, in one sentence."""
        safe = self.days(*(state for state in DayState if state.safe))
        due = sum(len(year.days) for year in self.calendar) - self.days(DayState.NOT_DUE)
        lost = self.days(DayState.LOST)
        gone = (
            f"; {counted(lost, 'day')} lost: the source did not have {'it' if lost == 1 else 'them'}"
            if lost
            else ""
        )
        good = sum(machine.state is MachineState.SAFE for machine in self.machines)
        told = f"{safe:,} of {counted(due, 'day')} proven in the vault{gone}"
        return f"{told}. {good:,} of {counted(len(self.machines), 'machine')} with a new, proven image."


_WANTED = (DayState.DAMAGED, DayState.FAILED, DayState.AT_SOURCE, DayState.UNKNOWN)
_SAYS = {
    DayState.DAMAGED: "damaged in the vault",
    DayState.FAILED: "not copied by the last run that tried",
    DayState.AT_SOURCE: "not in the vault, and the source still has {it}",
    DayState.UNKNOWN: "not in the vault, and nobody asked the source",
}


def _of_view(known: Standing) -> Iterator[Need]:
    if known.view.stale(known.now):
        old = counted(max(known.view.age(known.now).days, 1), "day")
        told = f"What is shown here is {old} old. Run publish_facts, which reads the vault anew."
        yield Need(Urgency.LOOK_NOW, told, Action.SHOW_DAG, "publish_facts")
    for dag in known.switched_off:
        yield Need(Urgency.TO_DO, f"{dag} is switched off: nothing runs by itself.", Action.SHOW_DAG, dag)


def _of_days(known: Standing) -> Iterator[Need]:
    for state in _WANTED:
        found = gaps(known.calendar, state)
        yield from (_gap(first, last, count) for first, last, count in found[:_NAMED])
        if more := sum(count for _, _, count in found[_NAMED:]):
            says = _SAYS[state].format(it="them")
            yield Need(Urgency.TO_DO, f"{counted(more, 'older day')} {says}; the calendar shows them.")
    today = known.view.today(known.now).date
    for first, last, count in gaps(known.calendar, DayState.LOST):
        if (today - last.day.date).days <= RECENT_DAYS:
            told = f"{_named(first, last, count)} not at the source. If the simulation ran late, look again."
            yield Need(Urgency.TO_DO, told, Action.LOOK, first=str(first.day), last=str(last.day))


def _gap(first: DayStanding, last: DayStanding, count: int) -> Need:
    says = _SAYS[first.state].format(it="it" if count == 1 else "them")
    left = first.days_left
    hurry = left is not None and left < RECENT_DAYS
    when = "today" if left == 0 else f"in {counted(left or 0, 'day')}"
    until = "" if left is None else f" The source drops {'it' if count == 1 else 'the first'} {when}."
    urgent = hurry or first.state in (DayState.DAMAGED, DayState.FAILED)
    told = f"{_named(first, last, count)} {says}.{until}"
    about = {"first": str(first.day), "last": str(last.day)}
    return Need(Urgency.LOOK_NOW if urgent else Urgency.TO_DO, told, Action.BACK_UP, **about)


def _named(first: DayStanding, last: DayStanding, count: int) -> str:
    return f"{first.day} is" if count == 1 else f"{first.day} to {last.day} ({counted(count, 'day')}) are"


def _of_machines(known: Standing) -> Iterator[Need]:
    wrong: Mapping[tuple[Urgency, str], list[JudgedMachine]] = defaultdict(list)
    for machine in known.machines:
        for kind in _troubles(machine):
            wrong[kind].append(machine)
    for (urgency, says), machines in wrong.items():
        names = [machine.part.name for machine in machines]
        if len(names) == 1:
            yield Need(urgency, f"{names[0]} {says}", Action.SHOW_MACHINE, names[0])
        else:
            yield Need(urgency, f"{_list(names)}: each {says}", Action.SHOW_DAG, "vm_weekly")


def _troubles(machine: JudgedMachine) -> Iterator[tuple[Urgency, str]]:
    if machine.state is MachineState.DAMAGED:
        yield Urgency.LOOK_NOW, "has a damaged newest image; the next weekly run makes a new one."
    if machine.state is MachineState.EMPTY:
        yield Urgency.LOOK_NOW, "has no image at all."
    if machine.state is MachineState.LATE:
        yield Urgency.TO_DO, "wasn't imaged by the last weekly run."
    if machine.drill_failed:
        yield Urgency.LOOK_NOW, "did not boot from its image in the last drill."
    if machine.over_budget:
        yield Urgency.TO_DO, "was down for longer than its budget in the last run."


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _of_room(known: Standing) -> Iterator[Need]:
    left = known.forecast.days_left
    if left is not None and left < SOON_DAYS:
        reserve = size(known.forecast.space.reserve_bytes)
        told = (
            f"The vault has room for {span(left)} beside its reserve of {reserve}. Add space."
            if left
            else (
                f"The vault has no room beside its reserve of {reserve}: nothing more is copied. Add space."
            )
        )
        yield Need(Urgency.LOOK_NOW if left < RECENT_DAYS else Urgency.TO_DO, told)


def _of_runs(known: Standing) -> Iterator[Need]:
    told: set[str] = set()
    for run in known.view.runs:
        if run.dag in told or run.dry_run:
            continue
        told.add(run.dag)
        if not run.good:
            says = f"The last run of {run.dag} did not end well: {run.line}."
            yield Need(Urgency.TO_DO, says, Action.SHOW_RUN, run.dag, run.run)
        for sentence in run.needs_person:
            yield Need(Urgency.TO_DO, sentence, Action.SHOW_RUN, run.dag, run.run)
