"""The facts of an audit, a restore or a drill, gathered into its report."""

from typing import Any

from airflow.sdk import Context

from include import site_file
from include.backups_report import BackupsRun
from include.report import Item, Kind, Report
from inpe_backup.leavings import Leavings
from inpe_backup.operators.report_operator import ReportOperator


class BuildBackupsReportOperator(ReportOperator):
    """Write the report, whatever happened before.

    Args:
        kind: an audit, a restore or a drill.
        plan_task: the id of the task that leaves what is to be done, a list of objects with a ``name``.
        item_task: that of the mapped task that leaves an ``Item`` for each of them.
    """

    def __init__(self, *, kind: Kind, plan_task: str, item_task: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind
        self.plan_task = plan_task
        self.item_task = item_task

    def report(self, context: Context, left: Leavings) -> Report:
        """Tell of each backup that was planned."""
        return self._run(context, left).report()

    def _run(self, context: Context, left: Leavings) -> BackupsRun:
        run = context["dag_run"]
        names = [one["name"] for one in left.result(self.plan_task) or ()]
        lost = {name: left.failures([self.item_task], index) for index, name in enumerate(names)}
        return BackupsRun(
            site=site_file.current(),
            kind=Kind(self.kind),
            started=run.start_date or run.run_after,
            dry_run=context["params"].get("dry_run", False),
            planned=names,
            items=self._items(left, names),
            lost={name: failures[0] for name, failures in lost.items() if failures},
            failures=left.failures_of_run(self.plan_task),
            run_url=context["ti"].log_url.split("/tasks/")[0],
        )

    def _items(self, left: Leavings, names: list[str]) -> dict[str, Item]:
        items = {name: left.result(self.item_task, index) for index, name in enumerate(names)}
        return {name: Item.model_validate(item) for name, item in items.items() if item}
