"""How the backups stand, published as asset events: the page in the web UI is made of them."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from airflow.sdk import Context

from include import site_file
from include.errors import VaultError
from include.facts import Facts
from include.plan import Verdict
from include.report import Report
from inpe_backup.assets import BACKUP_FACTS, facts_of
from inpe_backup.leavings import Leavings
from inpe_backup.operators.backup_operator import BackupOperator

About = Literal["vault", "days", "machines", "screens"]
"""What is read of a vault."""
_LOOK_BACK = 20  # events in which the id of a vault that can't be opened is looked for


class PublishFactsOperator(BackupOperator):
    """Publish what a vault holds, which it only reads, and what the run did, whatever happened before.

    Airflow takes events of a task that succeeds alone. So where the vault can't be opened, and the run has
    something to tell, it logs that as an error, tells of the run, and leaves it to the verdict to be red.

    Args:
        about: what to read of the vault.
        report_task: the id of the task that leaves the ``Report``; None: there is none.
        plan_task: that of the one that leaves the list of ``Verdict``; its days' years are read alone.
    """

    def __init__(
        self,
        *,
        about: Sequence[About] = (),
        report_task: str | None = "build_report",
        plan_task: str | None = None,
        **kwargs: Any,
    ) -> None:
        ours = {"outlets": [BACKUP_FACTS], "inlets": [BACKUP_FACTS]}
        super().__init__(**{"trigger_rule": "all_done", **kwargs, **ours})
        self.about = tuple(about)
        self.report_task = report_task
        self.plan_task = plan_task

    def work(self, context: Context) -> None:
        """Publish.

        Raises:
            VaultError: it can't be opened, and nothing else is told, or nobody knows of which vault.
        """
        taken, left = datetime.now(UTC), Leavings(context)
        verdicts, report = self._verdicts(left), self._report(left)
        told = list(_of_run(context, verdicts, report))
        try:
            vault, parts = self._read(taken, _years(verdicts, report))
        except VaultError as unusable:
            if not told or not (known := _known(context)):
                raise
            self.log.error("%s", unusable)  # noqa: TRY400 - the run's other tasks failed by it, too
            vault, parts = known, []
        for key, part in [*parts, *told]:
            said = _said(vault, taken, part)
            context["outlet_events"][BACKUP_FACTS].add(facts_of(vault, key), extra=said)
            self.log.info("Told: %s.", key)

    def _read(self, taken: datetime, years: set[int]) -> tuple[str, list[tuple[str, Facts]]]:
        from include.standing.reading import Reading  # noqa: PLC0415 - the DAG file is read without it

        vault = self.vault()
        parts = Reading(vault, site_file.current(), taken).parts(self.about, years) if self.about else ()
        return vault.id, list(parts)

    def _verdicts(self, left: Leavings) -> list[Verdict]:
        found = left.result(self.plan_task) if self.plan_task else None
        return [Verdict.model_validate(one) for one in found or ()]

    def _report(self, left: Leavings) -> Report | None:
        found = left.result(self.report_task) if self.report_task else None
        return Report.model_validate(found) if found else None


def _of_run(
    context: Context, verdicts: Sequence[Verdict], report: Report | None
) -> Iterator[tuple[str, Facts]]:
    from include.standing import runs  # noqa: PLC0415 - the DAG file is read without it

    if verdicts:
        yield runs.SOURCE, runs.source_part(verdicts)
    if report:
        run = context["dag_run"].run_id
        yield runs.RUNS, runs.run_part(report, dag=context["dag"].dag_id, run=run)


def _years(verdicts: Sequence[Verdict], report: Report | None) -> set[int]:
    """Give the years of the days that a daily run is about; none of any other run."""
    years = {verdict.day.year for verdict in verdicts}
    return years | ({report.day.year} if report and report.day else set())


def _said(vault: str, taken: datetime, part: Facts) -> dict[str, Any]:
    from include.standing.facts import Published  # noqa: PLC0415 - the DAG file is read without it

    path = site_file.current().vault.path
    said = Published.model_validate({"vault": vault, "path": path, "taken": taken, "part": part})
    return said.model_dump(mode="json")


def _known(context: Context) -> str | None:
    """Give the id that the vault had when its facts were published last."""
    path = site_file.current().vault.path
    events = context["inlet_events"][BACKUP_FACTS].ascending(ascending=False).limit(_LOOK_BACK)
    said = (event.extra or {} for event in events)
    return next((str(one["vault"]) for one in said if one.get("path") == path), None)
