"""What frames every DAG: when it may run, the defaults of its tasks, its report, and what follows that."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator, CronTriggerTimetable
from airflow.sdk.definitions.mappedoperator import MappedOperator

from include.report import Kind
from include.site_file import Site
from inpe_backup.operators.backup_operator import RETRY_WHAT_PASSES
from inpe_backup.operators.build_backups_report import BuildBackupsReportOperator
from inpe_backup.operators.email_report import EmailReportOperator
from inpe_backup.operators.judge_run import JudgeRunOperator
from inpe_backup.operators.publish_facts import About, PublishFactsOperator

# For ``allowed_run_types``, whose enum isn't public.
BY_HAND: Any = ["manual"]
NO_BACKFILL: Any = ["scheduled", "manual"]


def at_its_turn(site: Site, cron: str) -> CronTriggerTimetable:
    """Give a schedule on the institute's clock; a DAG that is switched on waits for its next turn."""
    return CronTriggerTimetable(cron, timezone=site.institute.timezone, run_immediately=timedelta(0))


def task_defaults(site: Site, retry_delay_s: float) -> dict[str, Any]:
    """Give the ``default_args``: whose tasks they are, where they run, and what is tried again."""
    return {
        "owner": site.institute.name,
        "queue": site.vault.queue or "default",
        "retries": 3,
        "retry_delay": timedelta(seconds=retry_delay_s),
        "retry_policy": RETRY_WHAT_PASSES,
    }


def end_with(report: BaseOperator, *, tell: Sequence[About] = (), plan_task: str | None = None) -> None:
    """Mail the report, judge the run by it, and tell the page, whatever happened before.

    Each is a leaf of its own: mail and facts go out, and the run is red when its work failed, or the mail.

    Args:
        report: the task that leaves it.
        tell: what the run may have changed in the vault, for the page.
        plan_task: of a daily run, the id of the task that leaves its plan.
    """
    EmailReportOperator(task_id="email_report", task_display_name="Mail the report", report=report.output)
    JudgeRunOperator(task_id="verdict", task_display_name="Judge the run", report=report.output)
    report >> PublishFactsOperator(
        task_id="publish_facts", task_display_name="Tell the page", about=tell, plan_task=plan_task
    )


def end_with_report_of(
    plan: BaseOperator, each: MappedOperator, *, kind: Kind, tell: Sequence[About] = ()
) -> None:
    """Report what became of each backup that was planned, and end with that.

    Args:
        plan: the task that leaves what is to be done, a list of objects with a ``name``.
        each: the mapped task that leaves an ``Item`` for each of them.
        kind: a restore or a drill.
        tell: see :func:`end_with`.
    """
    report = BuildBackupsReportOperator(
        task_id="build_report",
        task_display_name="Write the report",
        trigger_rule="all_done",
        kind=kind,
        plan_task=plan.task_id,
        item_task=each.task_id,
    )
    [plan, each] >> report
    end_with(report, tell=tell)
