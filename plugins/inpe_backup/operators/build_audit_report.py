"""The facts of an audit, gathered into its report."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from airflow.sdk import Context

from include.audit.due import Batch
from include.audit.report import Again, Audited, items, needs_person
from include.backups_report import BackupsRun
from include.failure import Failure
from include.ordinal_day import OrdinalDay
from include.pictures import day_maps
from include.plan import Verdict
from include.record import Record
from include.report import Item, Kind, Report
from inpe_backup.leavings import Leavings
from inpe_backup.operators.build_backups_report import BuildBackupsReportOperator


class BuildAuditReportOperator(BuildBackupsReportOperator):
    """Write the audit's report, whatever happened before.

    Args:
        plan_task: the id of the task that leaves a list of ``Batch``.
        audit_task: that of the mapped task that leaves an ``Audited`` for each of them.
        fetch_tasks: those that get damaged days ready to be fetched: the last but one leaves the list of
            ``Verdict``, the last one hands out the days.
        day_tasks: those of the mapped tasks of one day; the last one leaves the ``Record``.
    """

    def __init__(
        self,
        *,
        plan_task: str,
        audit_task: str,
        fetch_tasks: Sequence[str],
        day_tasks: Sequence[str],
        **kwargs: Any,
    ) -> None:
        super().__init__(kind=Kind.AUDIT, plan_task=plan_task, item_task=audit_task, **kwargs)
        self.fetch_tasks = tuple(fetch_tasks)
        self.day_tasks = tuple(day_tasks)

    def report(self, context: Context, left: Leavings) -> Report:
        """Tell of each backup that was read, with a map of each day that was fetched again."""
        return day_maps.with_maps(super().report(context, left), self.vault_if_usable())

    def _run(self, context: Context, left: Leavings) -> BackupsRun:
        run = super()._run(context, left)
        found = {name: left.result(self.item_task, index) for index, name in enumerate(run.planned)}
        audited = {name: Audited.model_validate(one) for name, one in found.items() if one}
        otherwise = _not(left.failures(self.fetch_tasks))
        planned = [Batch.model_validate(one) for one in left.result(self.plan_task) or ()]
        told = items(list(audited.values()), self._again(left), otherwise)
        silent = [name for name in run.planned if name not in audited]
        return replace(
            run,
            planned=[*(item.name for item in told), *silent],
            items={item.name: item for item in told},
            needs_person=needs_person(list(audited.values()), planned),
        )

    def _items(self, left: Leavings, names: list[str]) -> dict[str, Item]:  # noqa: ARG002 - made of more than these
        return {}

    def _again(self, left: Leavings) -> dict[OrdinalDay, Again]:
        verdicts = [Verdict.model_validate(one) for one in left.result(self.fetch_tasks[-2]) or ()]
        again = {one.day: Again(why=f"It can't be fetched again. {one.reason}") for one in verdicts}
        days = [OrdinalDay.parse(day) for day in left.result(self.fetch_tasks[-1]) or ()]
        again |= {day: self._fetched(left, index) for index, day in enumerate(days)}
        return again

    def _fetched(self, left: Leavings, index: int) -> Again:
        if record := left.result(self.day_tasks[-1], index):
            return Again(record=Record.model_validate(record))
        return _not(left.failures(self.day_tasks, index))


def _not(failures: Sequence[Failure]) -> Again:
    return Again(why=f"It can't be fetched again. {failures[0].message}") if failures else Again()
