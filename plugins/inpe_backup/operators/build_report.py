"""The facts of a run, gathered into its report."""

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Context

from include import site_file
from include.daily_report import DailyRun, Doing
from include.errors import InvalidDayError
from include.ordinal_day import OrdinalDay
from include.pictures import day_maps
from include.plan import Verdict, Window
from include.record import Record
from include.report import Report
from inpe_backup.leavings import Leavings
from inpe_backup.operators.report_operator import ReportOperator
from inpe_backup.run_day import day_at


class BuildReportOperator(ReportOperator):
    """Write the daily report, whatever happened before.

    Args:
        window_task: the id of the task that leaves a ``Window``.
        plan_task: that of the one that leaves the list of ``Verdict``.
        space_task: that of the one that hands out the days to secure.
        day_tasks: those of the mapped tasks of one day; the last one leaves the ``Record``.
    """

    def __init__(
        self, *, window_task: str, plan_task: str, space_task: str, day_tasks: Sequence[str], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.window_task = window_task
        self.plan_task = plan_task
        self.space_task = space_task
        self.day_tasks = tuple(day_tasks)

    def report(self, context: Context, left: Leavings) -> Report:
        """Tell of the run's days, with a map of each that it secured."""
        vault = self.vault_if_usable()
        return day_maps.with_maps(self._run(context, left).report(vault), vault)

    def _run(self, context: Context, left: Leavings) -> DailyRun:
        run, window = context["dag_run"], left.result(self.window_task)
        return DailyRun(
            site=site_file.current(),
            run_id=run.run_id,
            own=self._day(context),
            started=run.start_date or run.run_after,
            dry_run=context["params"]["dry_run"],
            window=Window.model_validate(window) if window else None,
            verdicts=[Verdict.model_validate(verdict) for verdict in left.result(self.plan_task) or ()],
            doings=self._doings(left),
            failures=left.failures(sorted(self.upstream_task_ids)),
            run_url=context["ti"].log_url.split("/tasks/")[0],
        )

    def _day(self, context: Context) -> OrdinalDay:
        try:
            return self.own_day(context)
        except InvalidDayError:  # told as the first task's failure; the report still needs a place in time
            site = site_file.current()
            run_after, zone = context["dag_run"].run_after, site.institute.zone
            return day_at(run_after, zone=zone, lag_days=site.supim.lag_days)

    def _doings(self, left: Leavings) -> dict[OrdinalDay, Doing]:
        days = left.result(self.space_task) or ()
        return {OrdinalDay.parse(day): self._doing(left, index) for index, day in enumerate(days)}

    def _doing(self, left: Leavings, index: int) -> Doing:
        record = left.result(self.day_tasks[-1], index)
        failures = [] if record else left.failures(self.day_tasks, index)
        return Doing(
            record=record and Record.model_validate(record), failure=failures[0] if failures else None
        )
