"""### The vault, read again every week.

Reads what is in the vault so that every byte is proven again within `audit.proof_age_days`: each file of a
day, each chunk of an image, from the disk itself; the oldest proof first, at the lowest priority and at most
at `audit.rate_mb_s`. What is found is added to the proofs beside the backup. A day that is damaged is fetched
again from the source, as a new revision; a damaged image stays until a newer one is whole.

**It never** changes or removes a backup, and never keeps a day or a machine from being backed up meanwhile.
What it's just reading isn't removed by `vm_weekly`, which says so in its mail; its next good run removes it.

#### By hand

**Trigger** reads now what would be due within the week; with **dry run** it mails what that is, and reads
none. Without Airflow: `python -m include verify`.

#### When it fails

The mail leads with what is damaged; so does the task's log. `Read each backup again` itself fails only
where it can't read.

* `Judge the run`, **isn't what was published**: look at the vault's disk. A machine's next image is whole
  again.
* `Look at the source`, `Fetch each damaged day again`: the day can't be fetched again; as in `supim_daily`.
  The next audit tries it, too.
* **The folder … is missing**: nothing here removes one so. Whoever did by hand removes its `.proofs` as well.
* **The audit reads too slowly**: raise `audit.rate_mb_s` to what is named there, or let proofs grow older.
* `Read each backup again`, **holds no vault marker**: the backup disk isn't mounted.
* **can't be recorded**: the vault is read-only; what was read is proven, but the next audit reads it again.
"""

from airflow.sdk import DAG

from include import site_file
from inpe_backup import forms
from inpe_backup.dag_frame import NO_BACKFILL, at_its_turn, end_with, task_defaults
from inpe_backup.operators.audit_backups import AuditBackupsOperator
from inpe_backup.operators.build_audit_report import BuildAuditReportOperator
from inpe_backup.operators.find_damaged_days import FindDamagedDaysOperator
from inpe_backup.operators.plan_audit import PlanAuditOperator
from inpe_backup.secured_days import DAY_STEPS, secure_days

SITE = site_file.current()

with DAG(
    dag_id="audit_vault",
    dag_display_name="audit_vault · Audit the vault",
    schedule=at_its_turn(SITE, SITE.audit.schedule),
    catchup=False,
    max_active_runs=1,
    allowed_run_types=NO_BACKFILL,
    doc_md=__doc__,
    tags=["backup", "audit"],
    params=forms.audit_vault(),
    owner_links={SITE.institute.name: SITE.mail.link},
    default_args=task_defaults(SITE, SITE.supim.retry_delay_s),
):
    plan = PlanAuditOperator(task_id="plan", task_display_name="Choose what is due")
    # One at a time: the rate is the vault's, and a disk that seeks reads little.
    one = {
        "task_id": "audit",
        "task_display_name": "Read each backup again",
        "max_active_tis_per_dag": 1,
        "map_index_template": "{{ task.batch['name'] }}",
    }
    audit = AuditBackupsOperator.partial(**one).expand(batch=plan.output)
    damaged = FindDamagedDaysOperator(
        task_id="damaged_days",
        task_display_name="Find damaged days",
        trigger_rule="all_done",
        plan_task="plan",
        audit_task="audit",
    )
    fetched = secure_days(damaged, plan_task="plan_days", shown="Fetch each damaged day again")
    report = BuildAuditReportOperator(
        task_id="build_report",
        task_display_name="Write the report",
        trigger_rule="all_done",
        plan_task="plan",
        audit_task="audit",
        fetch_tasks=["damaged_days", "survey", "plan_days", "ensure_space"],
        day_tasks=DAY_STEPS,
    )
    audit >> damaged
    [plan, audit, damaged, *fetched] >> report
    end_with(report, tell=["vault", "days", "machines", "screens"])
