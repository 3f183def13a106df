"""What frames every DAG: the defaults of its tasks, and what follows its report."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator

from include.site_file import Site
from inpe_backup.operators.backup_operator import RETRY_WHAT_PASSES
from inpe_backup.operators.email_report import EmailReportOperator
from inpe_backup.operators.judge_run import JudgeRunOperator
from inpe_backup.operators.publish_facts import About, PublishFactsOperator


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
