"""The report of a daily run: what was planned, what was done, and what the vault holds."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from include.config.site_file import Site
from include.days.archive import DayArchive
from include.days.plan import DayAction, DayPlan, DayWindow
from include.days.published import PublishedDay
from include.days.record import DayRecord, RevisionCause
from include.days.source import SourceState
from include.errors import (
    DayIncompleteError,
    DayMissingError,
    DayUnusableError,
    NoSpaceError,
    NotSettledError,
)
from include.models import Model
from include.ordinal_day import OrdinalDay, window
from include.report import Report
from include.report.causes import cause
from include.report.coverage import CALENDAR_DAYS, coverage, years
from include.report.overdue import scrub_overdue
from include.results.failure import Failure
from include.results.item import Item
from include.results.states import Kind, Outcome, State
from include.results.task_labels import task_label
from include.results.tasks import Results, RunFacts, failures_of
from include.status.space import space_now
from include.vault.vault import Vault

UNFINISHED_AFTER_S = 2 * 24 * 3600.0
RECENT_DAYS = 366  # those of which a report looks whether a scrub has verified them


class DayResult(Model):
    """What the tasks of one day left.

    Args:
        record: of the published day; None: it wasn't published.
        failure: why it wasn't published, if known.
    """

    record: DayRecord | None = None
    failure: Failure | None = None


def build(site: Site, run: RunFacts, results: Results, vault: Vault | None) -> Report:
    """Build the report of a daily run from what its tasks left; see ``build.py``."""
    if run.day is None:
        return _without_day(site, run, failures_of(results, "choose_days"))
    window, days = results.result("choose_days"), results.result("check_free_space") or ()
    copied = {OrdinalDay.parse(day): _day_result(results, index, day) for index, day in enumerate(days)}
    return DailyRun(
        site=site,
        run_id=run.run_id,
        own=run.day,
        started=run.started,
        dry_run=run.dry_run,
        window=DayWindow.model_validate(window) if window else None,
        plans=[DayPlan.model_validate(plan) for plan in results.result("plan_days") or ()],
        results=copied | no_space(results),
        failures=results.failures("choose_days", "survey_source", "plan_days", "check_free_space"),
        run_url=run.url,
    ).report(vault)


def _without_day(site: Site, run: RunFacts, failures: Sequence[Failure]) -> Report:
    """Return the report of a run that was given no valid day: it was about none."""
    return Report(
        kind=Kind.DAYS,
        title="SUPIM",
        institute=site.institute.name,
        timezone=site.institute.timezone,
        dry_run=run.dry_run,
        started=run.started,
        finished=datetime.now(UTC),
        needs_action=tuple(failure.message for failure in failures),
        archive=site.vault.path,
        run_url=run.url,
    )


def no_space(results: Results) -> dict[OrdinalDay, DayResult]:
    """Return the days that the vault has no space for."""
    refused = results.refused("check_free_space")
    return {OrdinalDay.parse(day): DayResult(failure=_no_space(reason)) for day, reason in refused.items()}


def _no_space(reason: str) -> Failure:
    return Failure(task="check_free_space", error=NoSpaceError.__name__, message=reason)


def _day_result(results: Results, index: int, day: str) -> DayResult:
    record = results.result("publish_day", index)
    if record and record["day"] != day:
        return DayResult()  # check_free_space was cleared without the tasks after it, and left other days
    failures = [] if record else results.failures("copy_day", "verify_day", "publish_day", index=index)
    return DayResult(
        record=record and DayRecord.model_validate(record), failure=failures[0] if failures else None
    )


@dataclass(frozen=True)
class DailyRun:
    """All that is known of a run when its report is built; failed tasks leave gaps.

    Args:
        site: the site file.
        run_id: the run's id.
        own: the run's own day.
        started: when it began.
        dry_run: whether it only planned.
        window: the run's days; None: they weren't chosen.
        plans: the plans for its days.
        results: what the tasks of each day that was to be backed up left.
        failures: of tasks that work for the whole run.
        run_url: the run's page in the web UI.
    """

    site: Site
    run_id: str
    own: OrdinalDay
    started: datetime
    dry_run: bool
    window: DayWindow | None
    plans: list[DayPlan]
    results: Mapping[OrdinalDay, DayResult]
    failures: list[Failure]
    run_url: str | None = None

    def report(self, vault: Vault | None) -> Report:
        """Return the report; without a vault it leaves out coverage and space."""
        published = {found.day: found for found in DayArchive(vault).published()} if vault else {}
        items = tuple(self._items(published))
        in_calendar = (published[day] for day in window(self.own, CALENDAR_DAYS) if day in published)
        known_states = (*self._lasting_gaps(), *_damaged(in_calendar), *self._scrub_overdue(published))
        covered = tuple(coverage(self.own, published, items)) if vault else ()
        return Report(
            kind=Kind.DAYS,
            title="SUPIM",
            institute=self.site.institute.name,
            timezone=self.site.institute.timezone,
            day=self.own,
            dry_run=self.dry_run,
            started=self.started,
            finished=datetime.now(UTC),
            items=items,
            coverage=covered,
            years=years(covered, published, self._newest_due),
            space=space_now(vault, published.values(), self.site.vault.reserve) if vault else None,
            needs_action=(
                *(failure.message for failure in self.failures),
                *known_states,
                *(_unfinished(vault) if vault else ()),
            ),
            known_states=known_states,
            archive=self.site.vault.path,
            verification_command=_verification_command(published, self.own) if published else None,
            run_url=self.run_url,
        )

    def _scrub_overdue(self, published: Mapping[OrdinalDay, PublishedDay]) -> list[str]:
        """Return what no scrub has verified in time; only a scheduled run looks, once a day."""
        if not self.window or len(self.window.responsible_for) == 1:
            return []
        recent = window(self.own, RECENT_DAYS)
        return scrub_overdue((published[day] for day in recent if day in published), self.site, self.started)

    @property
    def _newest_due(self) -> OrdinalDay:
        today = OrdinalDay.of(datetime.now(self.site.institute.zone))
        return max(today - self.site.supim.lag_days, self.own)

    def _items(self, published: Mapping[OrdinalDay, PublishedDay]) -> Iterable[Item]:
        for plan in self.plans:
            if not self._is_old_gap(plan):
                yield self._item(plan, published.get(plan.day))
        if self.own not in {plan.day for plan in self.plans}:
            reason = "The run failed before it checked this day."
            yield Item(
                name=str(self.own), own=True, state=State.FAILED, outcome=Outcome.FAILED, reason=reason
            )

    def _lasting_gaps(self) -> list[str]:
        return [
            f"{plan.day} isn't in the vault and can't be copied. {plan.reason}"
            for plan in self.plans
            if self._is_old_gap(plan) and plan.at_source.state is not SourceState.MISSING
        ]

    def _is_old_gap(self, plan: DayPlan) -> bool:
        responsible_for = self.window.responsible_for if self.window else (self.own,)
        return plan.action is DayAction.GIVE_UP and plan.day not in responsible_for

    def _item(self, plan: DayPlan, published: PublishedDay | None) -> Item:
        own, result = plan.day == self.own, self.results.get(plan.day, DayResult())
        record = result.record or (None if result.failure else self._published_by_run(published))
        if plan.action is DayAction.NOTHING:
            return _safe(plan, published.readable_record if published else None, own=own)
        if record and record.run != self.run_id:  # another run published it first
            return _safe(plan, record, own=own)
        if record:
            return _copied(plan, record, own=own)
        return self._not_copied(plan, result.failure, own=own)

    def _published_by_run(self, published: PublishedDay | None) -> DayRecord | None:
        """Return the record of what this run published: a task may have been killed after publishing."""
        record = published.readable_record if published and not published.damage else None
        ours = record and record.run == self.run_id and record.verifications[-1].when >= self.started
        return record if ours else None

    def _not_copied(self, plan: DayPlan, failure: Failure | None, *, own: bool) -> Item:
        state, outcome, reason = State.FAILED, _UNCOPIED[plan.at_source.state], plan.reason
        phrase = None
        if failure:
            outcome, reason = _FAILED.get(failure.error, Outcome.FAILED), failure.message
            phrase = cause(failure, Kind.DAYS) if outcome is Outcome.FAILED else None
        elif self.dry_run and plan.at_source.state is SourceState.COMPLETE:
            state, outcome = State.NOT_CHECKED, Outcome.WOULD_COPY
        elif self.dry_run and plan.action is DayAction.WAIT:
            reason += " A real run waits for it."
        elif plan.action.backs_up:
            outcome, reason = Outcome.FAILED, self._no_result()
        size = plan.at_source.bytes or None
        return Item(
            name=str(plan.day),
            own=own,
            state=state,
            outcome=outcome,
            reason=reason,
            cause=phrase,
            size_bytes=size,
        )

    def _no_result(self) -> str:
        if self.failures:
            return "Not started: an earlier task of the run failed."
        return (
            "Its tasks left no result; they were killed or never started. Check their logs, then clear "
            f"{task_label('copy_day')}."
        )


def _damaged(published: Iterable[PublishedDay]) -> list[str]:
    advice = "The next run that finds the day at the source copies it again."
    damaged = [found for found in published if found.damage]
    days = {found: f"{found.day}: " if found.verification_log.damaged else "" for found in damaged}
    return [f"{days[found]}{found.damage} {advice}" for found in damaged]


def _unfinished(vault: Vault) -> list[str]:
    return [
        f"{staged.folder} holds an unfinished copy that no run has resumed. Back up {staged.day} again, or "
        "remove the folder."
        for staged in DayArchive(vault).left_staged(UNFINISHED_AFTER_S)
    ]


def _safe(plan: DayPlan, record: DayRecord | None, *, own: bool) -> Item:
    return Item(
        name=str(plan.day),
        own=own,
        state=State.PASSED,
        outcome=Outcome.ALREADY_SAFE,
        reason=plan.reason if plan.action is DayAction.NOTHING else "Already in the vault.",
        files=record.files if record else None,
        size_bytes=record.bytes if record else None,
        verification=_verification(record) if record else None,
        revision=record.revision if record else 1,
        revision_cause=record.cause if record else None,
    )


def _copied(plan: DayPlan, record: DayRecord, *, own: bool) -> Item:
    return Item(
        name=str(plan.day),
        own=own,
        state=State.PASSED,
        outcome=_outcome(record.cause),
        reason="The day became complete while the run waited."
        if plan.action is DayAction.WAIT
        else plan.reason,
        files=record.files,
        size_bytes=record.bytes,
        seconds=record.copy_seconds + record.verifications[-1].seconds,
        verification=_verification(record),
        revision=record.revision,
        revision_cause=record.cause,
        warnings=tuple(record.warnings),
    )


def _outcome(cause: RevisionCause) -> Outcome:
    if cause.repairs:
        return Outcome.FETCHED_AGAIN
    return Outcome.COPIED if cause is RevisionCause.FIRST else Outcome.NEW_REVISION


def _verification(record: DayRecord) -> str:
    return f"{record.verifications[-1].how}, {record.verifications[-1].when:%Y-%m-%d %H:%M} UTC"


def _verification_command(published: Mapping[OrdinalDay, PublishedDay], own: OrdinalDay) -> str:
    shown = published.get(own) or published[max(published)]
    folder = shlex.quote(str(shown.year_folder))
    return f"cd {folder} && (cd {shown.name} && sha256sum -c --quiet ../{shown.name}.sha256)"


_UNCOPIED = {
    SourceState.COMPLETE: Outcome.FAILED,
    SourceState.MISSING: Outcome.MISSING,
    SourceState.INCOMPLETE: Outcome.INCOMPLETE,
    SourceState.UNUSABLE: Outcome.UNREADABLE,
}

_FAILED = {
    DayMissingError.__name__: Outcome.MISSING,
    DayIncompleteError.__name__: Outcome.INCOMPLETE,
    DayUnusableError.__name__: Outcome.UNREADABLE,
    NotSettledError.__name__: Outcome.NOT_SETTLED,
}
