"""Publish the status of the backups as asset events, for the page in Airflow's web UI."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from include.config import site_file
from include.days.plan import DayPlan
from include.errors import VaultError
from include.models import Model
from include.report import Report
from inpe_backup import choices
from inpe_backup.alarm import settle
from inpe_backup.assets import BACKUP_STATUS, status_asset
from inpe_backup.only_logged import only_logged
from inpe_backup.operators.backup_operator import BackupOperator
from inpe_backup.xcom import TaskResults

if TYPE_CHECKING:
    from include.status.snapshot import PartName

_LAST_EVENTS = 20  # events searched for the id of a vault that can't be opened


class RefreshStatusOperator(BackupOperator):
    """Read a vault's status and publish it with the run's, whatever happened before.

    Behind a report its errors are only logged: the page isn't the backup. It isn't a teardown, because
    Airflow ends a run that somebody marks as failed as a success if it waits for a teardown.

    Airflow only keeps the events of a task that succeeds. So if the vault can't be opened, but there is a run
    to publish, the task logs the error, publishes the run and succeeds; ``check_result`` turns the run red.

    Args:
        parts: what to read of the vault.
        report_task: the id of the task that returns the ``Report``; None: there is none.
        plan_task: the id of the task that returns the list of ``DayPlan``; only its days' years are read.
        look_for_damage: whether the run may have found damage in the vault that no task has mailed.
    """

    def __init__(
        self,
        *,
        parts: "Sequence[PartName]" = (),
        report_task: str | None = "build_report",
        plan_task: str | None = None,
        look_for_damage: bool = False,
        **kwargs: Any,
    ) -> None:
        assets = {"outlets": [BACKUP_STATUS], "inlets": [BACKUP_STATUS]}
        super().__init__(**{"trigger_rule": "all_done", **kwargs, **assets})
        self.parts = tuple(parts)
        self.report_task = report_task
        self.plan_task = plan_task
        self.look_for_damage = look_for_damage

    def work(self, context: Context) -> None:
        """Publish the status.

        Raises:
            VaultError: the vault can't be opened, and there is no report.
        """
        if self.report_task is None:
            self._publish(context)
            return
        with only_logged(self.log, "The page shows this run after the next one, or after vault_status."):
            self._publish(context)

    def _publish(self, context: Context) -> None:
        from include.status.parts import DaysPart, VmsPart  # noqa: PLC0415 - the DAG file is read without it

        taken, results = datetime.now(UTC), TaskResults(context)
        plans, report = self._plans(results), self._report(results)
        gone = ""
        try:
            vault, vault_parts = self._read(taken, _years(plans, report))
            settle(context, self.log, self.vault(), look_for_damage=self.look_for_damage)
        except VaultError as error:
            if not (plans or report) or not (known := _known_vault(context)):
                raise
            self.log.error("%s", error)  # noqa: TRY400 - the run's other tasks failed of it, too
            vault, vault_parts, gone = known, [], str(error)
        for key, part in [*vault_parts, *_run_parts(context, plans, report, gone)]:
            extra = _extra(vault, taken, part)
            context["outlet_events"][BACKUP_STATUS].add(status_asset(key), extra=extra)
            self.log.info("Published %s.", key)
            if isinstance(part, VmsPart):
                choices.publish(part.vms)
        choices.publish_days(part for _, part in vault_parts if isinstance(part, DaysPart))

    def _read(self, taken: datetime, years: set[int]) -> tuple[str, list[tuple[str, Model]]]:
        from include.status.snapshot import VaultSnapshot  # noqa: PLC0415 - the DAG file is read without it

        vault = self.vault()
        read = VaultSnapshot(vault, site_file.current(), taken).parts(self.parts, years) if self.parts else ()
        return vault.id, list(read)

    def _plans(self, results: TaskResults) -> list[DayPlan]:
        plans = results.result(self.plan_task) if self.plan_task else None
        return [DayPlan.model_validate(plan) for plan in plans or ()]

    def _report(self, results: TaskResults) -> Report | None:
        report = results.result(self.report_task) if self.report_task else None
        return Report.model_validate(report) if report else None


def _run_parts(
    context: Context, plans: Sequence[DayPlan], report: Report | None, vault_gone: str
) -> Iterator[tuple[str, Model]]:
    from include.report import run_part  # noqa: PLC0415 - the DAG file is read without it

    if plans:
        yield run_part.SOURCE, run_part.source_part(plans)
    if report:
        run = context["dag_run"]
        facts = {"dag": context["dag"].dag_id, "run": run.run_id, "vault_gone": vault_gone}
        part = run_part.run_part(report, **facts, by_hand=run.run_type == "manual")
        yield run_part.RUNS, part


def _years(plans: Sequence[DayPlan], report: Report | None) -> set[int]:
    """Return the years of a daily run's days; none for any other run."""
    years = {plan.day.year for plan in plans}
    return years | ({report.day.year} if report and report.day else set())


def _extra(vault: str, taken: datetime, part: Model) -> dict[str, Any]:
    from include.status.parts import PublishedPart  # noqa: PLC0415 - the DAG file is read without it

    path = site_file.current().vault.path
    published = PublishedPart.model_validate({"vault": vault, "path": path, "taken": taken, "part": part})
    return published.model_dump(mode="json")


def _known_vault(context: Context) -> str | None:
    """Return the id that the vault had when its status was last published."""
    path = site_file.current().vault.path
    events = context["inlet_events"][BACKUP_STATUS].ascending(ascending=False).limit(_LAST_EVENTS)
    extras = (event.extra or {} for event in events)
    return next((str(extra["vault"]) for extra in extras if extra.get("path") == path), None)
