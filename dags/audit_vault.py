"""### The vault, read again every week.

Reads what is in the vault so that every byte is proven again within `audit.proof_age_days`: each file of a
day, each chunk of an image, from the disk itself; the oldest proof first, at the lowest priority and at most
at `audit.rate_mb_s`. What is found is added to the proofs beside the backup. A day that is damaged is fetched
again from the source, as a new revision; a damaged image stays until a newer one is whole.

**It never** changes or removes a backup, and never keeps a day or a machine from being backed up meanwhile.

#### By hand

*Trigger* reads now what would be due within the week; with *dry run* it mails what that is, and reads none.
Without Airflow: `python -m include verify`.

#### When it fails

The mail leads with what is damaged; so does the task's log. `audit` itself fails only where it can't read.

* `verdict`, *isn't what was published*: look at the vault's disk. A machine's next image is whole again.
* `survey`, `secure_day`: the day can't be fetched again; as in `supim_daily`. The next audit tries it, too.
* `audit`, *holds no vault marker*: the backup disk isn't mounted.
* *can't be recorded*: the vault is read-only; what was read is proven, but the next audit reads it again.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, Param, task_group

from include import site_file
from inpe_backup.operators.audit_backups import AuditBackupsOperator
from inpe_backup.operators.backup_operator import RETRY_WHAT_PASSES
from inpe_backup.operators.build_audit_report import BuildAuditReportOperator
from inpe_backup.operators.email_report import EmailReportOperator
from inpe_backup.operators.ensure_space import EnsureSpaceOperator
from inpe_backup.operators.find_damaged_days import FindDamagedDaysOperator
from inpe_backup.operators.judge_run import JudgeRunOperator
from inpe_backup.operators.plan_audit import PlanAuditOperator
from inpe_backup.operators.plan_days import PlanDaysOperator
from inpe_backup.operators.publish_facts import PublishFactsOperator
from inpe_backup.operators.secure_day import CopyDayOperator, PublishDayOperator, VerifyDayOperator
from inpe_backup.operators.survey_source import SurveySourceOperator

SITE = site_file.current()

with DAG(
    dag_id="audit_vault",
    schedule=CronTriggerTimetable(
        SITE.audit.schedule, timezone=SITE.institute.timezone, run_immediately=timedelta(0)
    ),
    catchup=False,
    max_active_runs=1,
    allowed_run_types=["scheduled", "manual"],  # type: ignore[list-item] # no backfill; the enum isn't public
    doc_md=__doc__,
    tags=["backup", "audit"],
    params={"dry_run": Param(default=False, type="boolean", title="Dry run", description="Read nothing.")},
    default_args={
        "queue": SITE.vault.queue or "default",
        "retries": 3,
        "retry_delay": timedelta(seconds=SITE.supim.retry_delay_s),
        "retry_policy": RETRY_WHAT_PASSES,
    },
):
    plan = PlanAuditOperator(task_id="plan")
    # One at a time: the rate is the vault's, and a disk that seeks reads little.
    one = {"task_id": "audit", "max_active_tis_per_dag": 1, "map_index_template": "{{ task.batch['name'] }}"}
    audit = AuditBackupsOperator.partial(**one).expand(batch=plan.output)
    damaged = FindDamagedDaysOperator(
        task_id="damaged_days", trigger_rule="all_done", plan_task="plan", audit_task="audit"
    )
    survey = SurveySourceOperator(task_id="survey", window=damaged.output)
    days = PlanDaysOperator(task_id="plan_days", window=damaged.output, looks=survey.output)
    space = EnsureSpaceOperator(task_id="ensure_space", verdicts=days.output)

    @task_group(group_id="secure_day")
    def secure_day(day: str) -> None:
        """Fetch one day again, prove it and publish it."""
        named = {"day": day, "map_index_template": "{{ task.day }}"}
        copy = CopyDayOperator(task_id="copy_day", max_active_tis_per_dag=1, **named)
        (
            copy
            >> VerifyDayOperator(task_id="verify_day", **named)
            >> PublishDayOperator(task_id="publish_day", **named)
        )

    report = BuildAuditReportOperator(
        task_id="build_report",
        trigger_rule="all_done",
        plan_task="plan",
        audit_task="audit",
        fetch_tasks=["damaged_days", "survey", "plan_days", "ensure_space"],
        day_tasks=["secure_day.copy_day", "secure_day.verify_day", "secure_day.publish_day"],
    )
    audit >> damaged
    [plan, audit, damaged, survey, days, space, secure_day.expand(day=space.output)] >> report
    # Leaves: mail and facts go out whatever happened, and the run is red when the backup or the mail failed.
    EmailReportOperator(task_id="email_report", report=report.output)
    JudgeRunOperator(task_id="verdict", report=report.output)
    report >> PublishFactsOperator(task_id="publish_facts", about=["vault", "days", "machines", "screens"])
