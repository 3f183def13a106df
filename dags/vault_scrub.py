"""### Scrub the vault, every week.

Checks the names, kinds and sizes of all files of all backups each time, and reads at once what differs.
Reads backups again, so that every byte is verified at least once in `scrub.max_age_days`: each file of a day
and each chunk of an image, from the disk itself, the oldest verification first, at the lowest priority and at
most `scrub.max_read_mb_s`. The result is recorded beside each backup. A damaged day is
fetched again from the source, as a new revision; a damaged image stays until a newer one is verified.

**It never** changes or removes a backup, and never delays the backup of a day or a VM. If `vm_weekly` is to
remove a generation that is being read, it skips it, mentions that in its mail, and removes it in its next
good run.

#### By hand

**Trigger** reads now everything that is due before the next scrub, or the backup that you name (`all` is one
of the names). With **dry run** it mails what that is, and reads nothing. Without Airflow:
`bin/inpe-backup verify`, and `verify --quick` for names and sizes only.

#### When it fails

The mail begins with what is damaged; so does the log of `Check result`. `Scrub backups` itself fails only
where it can't read. Fix the cause, then clear the failed task **with its downstream tasks**.

* `Check result`, **no longer matches**: check the vault's disk (`dmesg`, `smartctl`), then back up
  damaged VMs again: trigger `vm_weekly`.
* `Survey source`, or a task of `Fetch each damaged day again`: the day can't be fetched; see `supim_daily`.
  The next scrub tries it again.
* **is missing.**: no DAG removes a folder this way. If a person did, remove its `.verifications` too.
* **too slowly**: raise `scrub.max_read_mb_s` to the rate in the message, or raise `scrub.max_age_days`.
* `Scrub backups`, **holds no vault marker**: the backup disk isn't mounted.
* **can't be recorded**: the vault is read-only. The backup was verified, but the next scrub reads it again.
"""

from airflow.sdk import DAG, task_group

from include.config import site_file
from include.results.states import Kind
from inpe_backup import params
from inpe_backup.dag_defaults import NO_BACKFILL, add_report_tasks, cron_schedule, default_args
from inpe_backup.operators.days.check_free_space import CheckFreeSpaceForDaysOperator
from inpe_backup.operators.days.copy_day import CopyDayOperator
from inpe_backup.operators.days.plan_days import PlanDaysOperator
from inpe_backup.operators.days.publish_day import PublishDayOperator
from inpe_backup.operators.days.survey_source import SurveySourceOperator
from inpe_backup.operators.days.verify_day import VerifyDayOperator
from inpe_backup.operators.report.build_report import BuildReportOperator
from inpe_backup.operators.vault.find_damaged_days import FindDamagedDaysOperator
from inpe_backup.operators.vault.plan_scrub import PlanScrubOperator
from inpe_backup.operators.vault.scrub_backups import ScrubBackupsOperator

SITE = site_file.current()
CLUSTER = SITE.supim.source.ssh_conn_id

with DAG(
    dag_id="vault_scrub",
    dag_display_name="vault_scrub · Scrub the vault",
    schedule=cron_schedule(SITE, SITE.scrub.schedule),
    catchup=False,
    max_active_runs=1,
    allowed_run_types=NO_BACKFILL,
    doc_md=__doc__,
    tags=["backup", "scrub"],
    params=params.vault_scrub(),
    owner_links={SITE.institute.name: SITE.mail.link},
    default_args=default_args(SITE, SITE.supim.retry_delay_s),
):
    plan = PlanScrubOperator(task_id="plan_scrub", task_display_name="Plan scrub")
    scrub = ScrubBackupsOperator.partial(
        task_id="scrub_backups",
        task_display_name="Scrub backups",
        max_active_tis_per_dag=1,  # max_read_mb_s is for the whole vault, and parallel reads make a disk seek
        map_index_template="{{ task.batch['name'] }}",
    ).expand(batch=plan.output)
    damaged = FindDamagedDaysOperator(
        task_id="find_damaged_days",
        task_display_name="Find damaged days",
        trigger_rule="all_done",
        plan_task="plan_scrub",
        scrub_task="scrub_backups",
    )
    survey = SurveySourceOperator(
        task_id="survey_source", task_display_name="Survey source", ssh_conn_id=CLUSTER, window=damaged.output
    )
    days = PlanDaysOperator(
        task_id="plan_days", task_display_name="Plan days", window=damaged.output, source_days=survey.output
    )
    space = CheckFreeSpaceForDaysOperator(
        task_id="check_free_space", task_display_name="Check free space", plans=days.output
    )

    @task_group(group_id="fetch_day", group_display_name="Fetch each damaged day again")
    def fetch_day(day: str) -> None:
        """Copy one damaged day, verify it and publish it as a new revision."""
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
        kind=Kind.SCRUB,
        tasks={step: f"fetch_day.{step}" for step in ("copy_day", "verify_day", "publish_day")},
    )
    plan >> scrub >> damaged >> survey >> days >> space >> fetch_day.expand(day=space.output) >> report
    [plan, scrub, damaged, survey, days, space] >> report
    add_report_tasks(report, refresh=["vault", "days", "vms", "screens"])
