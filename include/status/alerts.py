"""What requires action, most urgent first, and what somebody acknowledged; and the page's headline. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from include.scrub.plan import EVERY, LONGEST_RUN
from include.status.alert import AcknowledgedAlert, Alert, AlertAction, Urgency
from include.status.day_status import RECENT_DAYS, CalendarDay, DayState, Year, gaps
from include.status.first_backup import first_run, is_empty, is_filling
from include.status.forecast import Forecast
from include.status.run_alerts import of_gone_vault, of_runs
from include.status.view import VaultView
from include.status.vm_alerts import of_vms
from include.status.vm_status import VmState, VmStatus
from include.text import counted, size, span

SOON_DAYS = 60
"""Days before the vault is full at which an alert appears."""

SCRUB = "vault_scrub"
FIRST_SCRUB_WITHIN = EVERY + LONGEST_RUN
"""The age of the first backup by which a scrub has run, if it runs at all."""

_LISTED = 6


@dataclass(frozen=True)
class VaultStatus:
    """The status of a vault at one instant.

    Args:
        view: the published data.
        now: the instant.
        calendar: the vault's days, by year.
        vms: its VMs.
        forecast: of its space.
        paused: how many runs wait for each paused DAG; 0 for one that is missed only by its schedule.
        running: how many runs of each DAG are under way.
        without_worker: the DAG whose run found last that the vault's queue has no worker; empty: none did.
        alerts: what requires action, most urgent first.
        acknowledged: what would, but somebody acknowledged it.
    """

    view: VaultView
    now: datetime
    calendar: list[Year]
    vms: list[VmStatus]
    forecast: Forecast
    paused: Mapping[str, int] = field(default_factory=dict)
    running: Mapping[str, int] = field(default_factory=dict)
    without_worker: str = ""
    alerts: list[Alert] = field(init=False)
    acknowledged: list[AcknowledgedAlert] = field(init=False)

    def __post_init__(self) -> None:
        order = list(Urgency)
        alerts = sorted(_all_of(self), key=lambda alert: order.index(alert.urgency))
        by_key = self.view.acknowledged
        known = [AcknowledgedAlert(each, by_key[each.key].of(each)) for each in alerts if each.key in by_key]
        folded = [each for each in known if each.acknowledgement.holds(self.now)]
        gone = {each.alert.key for each in folded}
        object.__setattr__(self, "alerts", [alert for alert in alerts if alert.key not in gone])
        object.__setattr__(self, "acknowledged", folded)

    @property
    def urgency(self) -> Urgency:
        """The urgency of the most urgent alert; what isn't safe is never good, even if acknowledged."""
        if self.alerts:
            return self.alerts[0].urgency
        return Urgency.TO_DO if self.acknowledged or self.begins else Urgency.GOOD

    @property
    def begins(self) -> bool:
        """Whether nothing was backed up yet, or days are missing that the first runs are copying."""
        pending = self.days(*_PENDING)
        return is_empty(self.view) or (pending > 0 and is_filling(self.view, self.now, self.running))

    def days(self, *states: DayState) -> int:
        """Return how many days are in any of some states."""
        return sum(year.count(*states) for year in self.calendar)

    @property
    def headline(self) -> str:
        """Whether everything is safe, in one sentence."""
        if self.view.stale(self.now):
            return f"No status since {self.view.taken.astimezone(self.view.zone):%Y-%m-%d}"
        if self.view.gone:
            return "The vault can't be opened: nothing can be confirmed"
        if is_empty(self.view):
            return "Nothing has been backed up yet"
        unsafe_days = self.days(*_unsafe(self))
        unsafe_vms = sum(vm.state is not VmState.SAFE for vm in self.vms)
        counts = [counted(count, noun) for count, noun in ((unsafe_days, "day"), (unsafe_vms, "VM")) if count]
        if counts:
            verb = "is" if unsafe_days + unsafe_vms == 1 else "are"
            return f"{' and '.join(counts)} {verb} not safe"
        if self.begins:
            return "The first backup is under way"
        open_ends = self.alerts or self.acknowledged or self.days(DayState.LOST) or not self.vms
        return "All backups are safe" if open_ends else "Everything is safe"

    @property
    def summary(self) -> str:
        """How many days and VMs are safe, in two sentences; of a new vault also when its first run is."""
        if is_empty(self.view):
            return first_run(self.running, self.paused)
        before = [_WHEN_LAST_READ] if self.view.gone else []
        more = [_ON_ITS_WAY] if self.begins else []
        return " ".join([*before, self._safe_days, self._safe_vms, *more])

    @property
    def _safe_days(self) -> str:
        if not self.calendar:
            return "No day is in the vault yet."
        safe = self.days(*(state for state in DayState if state.safe))
        due = sum(len(year.days) for year in self.calendar) - self.days(DayState.NOT_DUE)
        return f"{safe:,} of {counted(due, 'day')} verified in the vault{self._lost}."

    @property
    def _safe_vms(self) -> str:
        if not self.vms:
            return "No VM has an image yet."
        safe = sum(vm.state is VmState.SAFE for vm in self.vms)
        return f"{safe:,} of {counted(len(self.vms), 'VM')} with a recent, verified image."

    @property
    def _lost(self) -> str:
        lost = self.days(DayState.LOST)
        return f"; {counted(lost, 'day')} not at the source" if lost else ""


_PENDING = (DayState.AT_SOURCE, DayState.UNKNOWN)
_WHEN_LAST_READ = "When it was last read:"
_ON_ITS_WAY = "The rest is on its way."
_UNSAFE = (DayState.DAMAGED, DayState.FAILED, DayState.AT_SOURCE, DayState.UNKNOWN)
_REASONS = {
    DayState.DAMAGED: "damaged in the vault",
    DayState.FAILED: "not backed up: the last attempt failed",
    DayState.AT_SOURCE: "not in the vault, but the source still has {them}",
    DayState.UNKNOWN: "not in the vault, and never checked at the source",
}


def _unsafe(status: VaultStatus) -> Iterator[DayState]:
    """Return the states that aren't safe; what the first runs are about to copy is neither safe nor not."""
    pending = _PENDING if status.begins else ()
    return (state for state in _UNSAFE if state not in pending)


def _all_of(status: VaultStatus) -> Iterator[Alert]:
    yield from _of_view(status)
    yield from _of_days(status)
    yield from of_vms(status.vms, status.now)
    yield from _of_space(status)
    yield from of_runs(status.view, status.vms)


def _of_view(status: VaultStatus) -> Iterator[Alert]:
    if status.view.stale(status.now):
        old = counted(max(status.view.age(status.now).days, 1), "day")
        sentence = f"This status is {old} old."
        if not status.paused.get("vault_status"):
            sentence += " Run vault_status to read the vault again."
        fact = f"status of {status.view.taken}"
        yield Alert(Urgency.URGENT, sentence, fact, AlertAction.SHOW_DAG, "vault_status")
    yield from of_gone_vault(status.view)
    if dag := status.without_worker:
        sentence = (
            f"The vault's worker didn't answer the last run of {dag}. Nothing is backed up until it does."
        )
        yield Alert(Urgency.URGENT, sentence, "no worker", AlertAction.SHOW_DAG, dag, recurs=True)
    for dag, waiting in status.paused.items():
        if waiting or dag != SCRUB:
            fact = f"paused {dag}, runs wait: {waiting > 0}"
            yield Alert(Urgency.TO_DO, _paused(dag, waiting), fact, AlertAction.SHOW_DAG, dag, recurs=True)
    if not status.paused.get(SCRUB) and (sentence := _no_scrub(status)):
        fact = f"no scrub, paused: {SCRUB in status.paused}, has run: {status.view.scrubbed}"
        yield Alert(Urgency.TO_DO, sentence, fact, AlertAction.SHOW_DAG, SCRUB, recurs=True)


def _paused(dag: str, waiting: int) -> str:
    if not waiting:
        return f"{dag} is paused and does not run on its schedule."
    runs = "Its run waits" if waiting == 1 else f"Its {waiting:,} runs wait"
    return f"{dag} is paused. {runs} until you switch it on."


def _no_scrub(status: VaultStatus) -> str:
    """Return why backups aren't read again, as promised, and what to do; empty if they are."""
    view, oldest = status.view, status.view.oldest_verification
    if SCRUB in status.paused and (view.days or view.vms):
        days = counted(round(view.rules.max_age_days), "day")
        return f"{SCRUB} is paused: no backup is verified again within {days}. Switch it on."
    if oldest and oldest < status.now - FIRST_SCRUB_WITHIN and not view.scrubbed:
        return f"{SCRUB} has never run: no backup was verified again since it was made. Trigger it."
    return _overdue(view)


def _overdue(view: VaultView) -> str:
    """Return what no scrub had verified in time when the vault was read; empty if nothing."""
    before = view.taken - timedelta(days=view.rules.max_age_days)
    images = [image for vm in view.vms.values() for image in vm.generations]
    late = (
        (sum(one.verified < before and not one.damage for one in found), noun)
        for found, noun in ((view.days.values(), "day"), (images, "VM image"))
    )
    counts = " and ".join(counted(count, noun) for count, noun in late if count)
    limit = counted(round(view.rules.max_age_days), "day")
    advice = f"{SCRUB} failed, or couldn't keep up. Look at its last run."
    return f"{counts} not verified within {limit}: {advice}" if counts else ""


def _of_days(status: VaultStatus) -> Iterator[Alert]:
    for state in _unsafe(status):
        found = gaps(status.calendar, state)
        yield from (_gap(first, last, count) for first, last, count in found[:_LISTED])
        older_ones = found[_LISTED:]
        if more := sum(count for _, _, count in older_ones):
            older, reason = counted(more, "older day"), _REASONS[state].format(them=_them(more))
            sentence = f"{older} {'is' if more == 1 else 'are'} {reason}; see the calendar."
            days = " ".join(f"{first.day} {last.day}" for first, last, _ in older_ones)
            yield Alert(Urgency.TO_DO, sentence, f"older days {state} {days}")
    yield from _of_lost_days(status)


def _of_lost_days(status: VaultStatus) -> Iterator[Alert]:
    today = status.view.today(status.now).date
    for first, last, count in gaps(status.calendar, DayState.LOST):
        if (today - last.day.date).days <= RECENT_DAYS:
            days = _range(first, last, count)
            sentence = f"{days} not at the source. If the simulation finished late, check the source again."
            fact = f"lost {first.day} {last.day}"
            named = str(first.day), str(last.day)
            yield Alert(Urgency.TO_DO, sentence, fact, AlertAction.CHECK_SOURCE, "", "", *named)


def _gap(first: CalendarDay, last: CalendarDay, count: int) -> Alert:
    reason, left = _REASONS[first.state].format(them=_them(count)), first.days_left
    urgent = first.state in (DayState.DAMAGED, DayState.FAILED) or (left is not None and left < RECENT_DAYS)
    sentence = f"{_range(first, last, count)} {reason}.{_deletion(left, count)}"
    urgency = Urgency.URGENT if urgent else Urgency.TO_DO
    fact, days = f"{first.state} {first.day} {last.day}", (str(first.day), str(last.day))
    return Alert(urgency, sentence, fact, AlertAction.BACK_UP, "", "", *days)


def _deletion(days_left: int | None, count: int) -> str:
    if days_left is None:
        return ""
    when = f"in {counted(days_left, 'day')}" if days_left else "today"
    return f" The source deletes {'it' if count == 1 else 'the first'} {when}."


def _them(count: int) -> str:
    return "it" if count == 1 else "them"


def _range(first: CalendarDay, last: CalendarDay, count: int) -> str:
    return f"{first.day} is" if count == 1 else f"{first.day} to {last.day} ({counted(count, 'day')}) are"


def _of_space(status: VaultStatus) -> Iterator[Alert]:
    left, reserve = status.forecast.days_left, size(status.forecast.space.reserve_bytes)
    if left is None or left >= SOON_DAYS:
        return
    if left:
        sentence = f"The vault reaches its reserve of {reserve} in {span(left)}. Add space."
    else:
        sentence = f"The vault has reached its reserve of {reserve}: nothing more is copied. Add space."
    urgency = Urgency.URGENT if left < RECENT_DAYS else Urgency.TO_DO
    yield Alert(urgency, sentence, f"space {left > 0}", recurs=True)
