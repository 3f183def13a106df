"""### SUPIM, every day.

Secures the day's simulation: copied from the cluster over SSH, proven by SHA-256 at both ends and by its own
descriptors, published in the vault under its year and day. A scheduled run also looks again at the two days
before its own, and closes older gaps that the source can still fill. A run of the past, by backfill or by
hand, secures its own day only. Switched on, it begins at once with the newest day that is due.

**It never** writes over a published day (a changed day becomes a revision beside it), changes anything at
the source, or removes anything.

#### By hand

*Trigger* with the day as partition key (Advanced Options), such as `2026-268`, or in the field *day*.
*Backfill* any range of dates. With *dry run* it looks, plans, mails what it would do, and changes nothing.

#### When it fails

The mail says what happened; so does the task's log, as its last line. Mend the cause, then clear the failed
task **with its downstream tasks**, so that the report is written again. What is copied already is kept.

* `survey` or `copy_day`, *can't be reached*: the network or the cluster. It was tried again three times.
* *refuses the connection's key*, *another host key*: the connection `supim_cluster`.
* *is missing*, *time steps are complete*: the simulation didn't finish. Run it, then clear.
* `ensure_space`: the vault needs room, the message says how much.
* *holds no vault marker*: the backup disk isn't mounted.
* `verdict` alone: it only repeats the report; the cause stands there.
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param, task_group

from include import site_file
from inpe_backup.operators.backup_operator import RETRY_WHAT_PASSES
from inpe_backup.operators.build_report import BuildReportOperator
from inpe_backup.operators.choose_days import ChooseDaysOperator
from inpe_backup.operators.email_report import EmailReportOperator
from inpe_backup.operators.ensure_space import EnsureSpaceOperator
from inpe_backup.operators.judge_run import JudgeRunOperator
from inpe_backup.operators.plan_days import PlanDaysOperator
from inpe_backup.operators.publish_facts import PublishFactsOperator
from inpe_backup.operators.secure_day import CopyDayOperator, PublishDayOperator, VerifyDayOperator
from inpe_backup.operators.survey_source import SurveySourceOperator
from inpe_backup.timetable import OrdinalDayTimetable

SITE = site_file.current()

with DAG(
    dag_id="supim_daily",
    schedule=OrdinalDayTimetable(
        SITE.supim.schedule, timezone=SITE.institute.timezone, lag_days=SITE.supim.lag_days
    ),
    start_date=datetime(2016, 1, 1, tzinfo=UTC),  # long past: switched on, the newest day due runs at once
    catchup=False,
    max_active_runs=4,  # a run that waits for its day keeps no other from running; days are locked, not runs
    doc_md=__doc__,
    tags=["backup", "supim"],
    params={
        "dry_run": Param(
            default=False, type="boolean", title="Dry run", description="Look and plan; change nothing."
        ),
        "day": Param(
            default=None,
            type=["null", "string"],
            pattern="^[0-9]{4}-[0-9]{3}$",
            title="Day",
            description="Year and day of the year, such as 2026-268, where no partition key is given.",
        ),
    },
    default_args={
        "queue": SITE.vault.queue or "default",
        "retries": 3,
        "retry_delay": timedelta(seconds=SITE.supim.retry_delay_s),
        "retry_policy": RETRY_WHAT_PASSES,
    },
):
    window = ChooseDaysOperator(task_id="julian_window")
    survey = SurveySourceOperator(task_id="survey", window=window.output)
    plan = PlanDaysOperator(task_id="plan", window=window.output, looks=survey.output)
    space = EnsureSpaceOperator(task_id="ensure_space", verdicts=plan.output)

    @task_group(group_id="secure_day")
    def secure_day(day: str) -> None:
        """Copy, prove and publish one day."""
        named = {"day": day, "map_index_template": "{{ task.day }}"}
        copy = CopyDayOperator(task_id="copy_day", max_active_tis_per_dag=1, **named)
        (
            copy
            >> VerifyDayOperator(task_id="verify_day", **named)
            >> PublishDayOperator(task_id="publish_day", **named)
        )

    report = BuildReportOperator(
        task_id="build_report",
        trigger_rule="all_done",
        window_task=window.task_id,
        plan_task=plan.task_id,
        space_task=space.task_id,
        day_tasks=["secure_day.copy_day", "secure_day.verify_day", "secure_day.publish_day"],
    )
    [window, survey, plan, space, secure_day.expand(day=space.output)] >> report
    # Leaves: mail and facts go out whatever happened, and the run is red when the backup or the mail failed.
    EmailReportOperator(task_id="email_report", report=report.output)
    JudgeRunOperator(task_id="verdict", report=report.output)
    report >> PublishFactsOperator(task_id="publish_facts", about=["vault", "days"], plan_task="plan")
