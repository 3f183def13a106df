"""### SUPIM days, every day.

Copies the day's simulation from the cluster over SSH, verifies it by SHA-256 at both ends and by its own
GrADS descriptors, and publishes it in the vault under its year and Julian day. A scheduled run also checks
the two days before its own, and copies older days that are missing and that the source still has. A run of
the past, by backfill or by hand, backs up its own day only. Switched on, it begins at once with the newest
day that is due.

**It never** overwrites a published day (a changed day becomes a revision beside it), changes anything at the
source, or removes anything.

#### By hand

**Trigger** with the day as partition key (Advanced Options), such as `2026-268`, or in the field **day**,
there also as a date; the run then carries it as its key. A day that the calendar lacks is refused.
**Backfill** any range of dates; it ignores **day**. With **dry run** it mails its plan and changes nothing.

#### When it fails

The mail and the first red line of the task's log say what happened. Fix the cause, then clear the failed
task **with its downstream tasks**, so that the report is built again. What is copied already is kept.

* `Survey source` or `Copy day`, **can't be reached**: the network or the cluster. It was retried three times.
* **refuses the connection's key**, **another host key**: the connection `supim_cluster`.
* **has no folder**, **time steps are complete**: the simulation didn't finish. Run it, then clear.
* `Check free space`: the vault needs more; the message says how much.
* **holds no vault marker**: the backup disk isn't mounted.
* `Check result` alone: it only repeats the report; the cause is there.
"""

from datetime import UTC, datetime

from airflow.sdk import DAG, task_group

from include.config import site_file
from include.results.states import Kind
from inpe_backup import params
from inpe_backup.dag_defaults import add_monitoring, default_args
from inpe_backup.operators.days.check_free_space import CheckFreeSpaceForDaysOperator
from inpe_backup.operators.days.choose_days import ChooseDaysOperator
from inpe_backup.operators.days.copy_day import CopyDayOperator
from inpe_backup.operators.days.plan_days import PlanDaysOperator
from inpe_backup.operators.days.publish_day import PublishDayOperator
from inpe_backup.operators.days.survey_source import SurveySourceOperator
from inpe_backup.operators.days.verify_day import VerifyDayOperator
from inpe_backup.operators.report.build_report import BuildReportOperator
from inpe_backup.operators.report.check_result import CheckResultOperator
from inpe_backup.operators.report.email_report import EmailReportOperator
from inpe_backup.operators.vault.refresh_status import RefreshStatusOperator
from inpe_backup.timetable import OrdinalDayTimetable

SITE = site_file.current()
CLUSTER = SITE.supim.source.ssh_conn_id

with DAG(
    dag_id="supim_daily",
    dag_display_name="supim_daily · Back up SUPIM days",
    schedule=OrdinalDayTimetable(
        SITE.supim.schedule, timezone=SITE.institute.timezone, lag_days=SITE.supim.lag_days
    ),
    start_date=datetime(2016, 1, 1, tzinfo=UTC),  # in the past: switched on, the newest day due runs at once
    catchup=False,
    max_active_runs=4,  # a run may wait for its day while others work; days are locked, not runs
    doc_md=__doc__,
    tags=["backup", "supim"],
    params=params.supim_daily(SITE),
    owner_links={SITE.institute.name: SITE.mail.link},
    default_args=default_args(SITE, SITE.supim.retry_delay_s),
) as dag:
    choose = ChooseDaysOperator(task_id="choose_days", task_display_name="Choose days")
    survey = SurveySourceOperator(
        task_id="survey_source", task_display_name="Survey source", ssh_conn_id=CLUSTER, window=choose.output
    )
    plan = PlanDaysOperator(
        task_id="plan_days", task_display_name="Plan days", window=choose.output, source_days=survey.output
    )
    space = CheckFreeSpaceForDaysOperator(
        task_id="check_free_space", task_display_name="Check free space", plans=plan.output
    )

    @task_group(group_id="back_up_day", group_display_name="Back up each day")
    def back_up_day(day: str) -> None:
        """Copy one day, verify it and publish it."""
        shared = {"day": day, "map_index_template": "{{ task.day }}"}
        copy = CopyDayOperator(
            task_id="copy_day",
            task_display_name="Copy day",
            ssh_conn_id=CLUSTER,
            max_active_tis_per_dag=1,
            **shared,
        )
        verify = VerifyDayOperator(
            task_id="verify_day", task_display_name="Verify day", ssh_conn_id=CLUSTER, **shared
        )
        publish = PublishDayOperator(task_id="publish_day", task_display_name="Publish day", **shared)
        copy >> verify >> publish

    report = BuildReportOperator(
        task_id="build_report",
        task_display_name="Build report",
        kind=Kind.DAYS,
        tasks={step: f"back_up_day.{step}" for step in ("copy_day", "verify_day", "publish_day")},
    )
    email = EmailReportOperator(
        task_id="email_report", task_display_name="Email report", report=report.output
    )
    result = CheckResultOperator(
        task_id="check_result", task_display_name="Check result", report=report.output
    )
    status = RefreshStatusOperator(
        task_id="refresh_status",
        task_display_name="Update status page",
        parts=["vault", "days"],
        plan_task="plan_days",
    )

    days = back_up_day.expand(day=space.output)
    choose >> survey >> plan >> space >> days >> report >> email
    [choose, survey, plan, space] >> report >> [result, status]
    add_monitoring(dag, SITE)
