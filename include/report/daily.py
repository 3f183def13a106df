"""The report of a daily run: what was planned, what was done, and what the vault holds."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from include.config.site_file import Site
from include.days.archive import DayArchive
from include.days.first_day import first_day
from include.days.plan import DayAction, DayPlan, DayWindow
from include.days.published import PublishedDay
from include.days.record import DayRecord
from include.days.source import SourceState
from include.errors import NoSpaceError
from include.ordinal_day import OrdinalDay, window
from include.report import Report
from include.report.coverage import CALENDAR_DAYS, coverage, years
from include.report.day_item import DayCase, DayResult, never_checked
from include.report.overdue import scrub_overdue
from include.results.failure import Failure
from include.results.item import Item
from include.results.states import Kind
from include.results.tasks import Results, RunFacts, failures_of
from include.status.space import space_now
from include.vault.vault import Vault

UNFINISHED_AFTER_S = 2 * 24 * 3600.0
RECENT_DAYS = 366  # those of which a report looks whether a scrub has verified them


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
        first = self._first_day(published)
        covered = tuple(coverage(self.own, published, items, first)) if vault else ()
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
            years=years(covered, published, self._newest_due, first),
            space=space_now(vault, published.values(), self.site) if vault else None,
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

    def _first_day(self, published: Iterable[OrdinalDay]) -> OrdinalDay | None:
        at_source = [plan.day for plan in self.plans if plan.at_source.state is not SourceState.MISSING]
        return first_day([*published, *at_source], (plan.day for plan in self.plans))

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
                yield self._case(plan, published.get(plan.day)).item
        if self.own not in {plan.day for plan in self.plans}:
            yield never_checked(self.own, published.get(self.own))

    def _case(self, plan: DayPlan, published: PublishedDay | None) -> DayCase:
        return DayCase(
            plan=plan,
            own=plan.day == self.own,
            result=self.results.get(plan.day, DayResult()),
            published=published,
            run_id=self.run_id,
            started=self.started,
            dry_run=self.dry_run,
            run_failed=bool(self.failures),
            zone=self.site.institute.zone,
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


def _verification_command(published: Mapping[OrdinalDay, PublishedDay], own: OrdinalDay) -> str:
    shown = published.get(own) or published[max(published)]
    folder = shlex.quote(str(shown.year_folder))
    return f"cd {folder} && (cd {shown.name} && sha256sum -c --quiet ../{shown.name}.sha256)"
