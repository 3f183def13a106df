"""### Restore SUPIM days.

Restores days from the vault into a folder of the worker or of another host. Each day is verified in the
vault, sent, hashed again where it arrived, and only then put in place under its year and Julian day, as at
the source. The newest revision that isn't known to be damaged is taken, unless you name another. You can
repeat a restore at any time: files that are there already, byte for byte, aren't sent again.

**It never** overwrites another file, unless **overwrite** is on (the mail then lists them), writes through a
link, restores into a vault, or changes a backup. Damage that it finds is recorded beside the backup.

#### By hand

**Trigger** with a day, or a first and a last one, and the folder that is to hold the years; for another host
also its SSH connection, which must pin the host key. With **dry run** it verifies the days, checks the
target, mails what it would send or refuse, and writes nothing.

#### When it fails

The mail and the first red line of the task's log say what happened. The other days are restored. Fix the
cause, then clear the failed task **with its downstream tasks**. What is sent already isn't sent again.

* `Plan restore`, **The form has**: fields that don't fit together; the message lists them. Trigger again.
* `Plan restore`, **must pin the server's host key**, **another host key**: correct the connection.
* `Restore day`, **has something else under names of**: other files are in the way; nothing of that day was
  written. Name another folder, or switch **overwrite** on.
* `Restore day`, **is damaged**: the vault's copy; the message names an intact revision, if there is one.
* `Restore day`, **The vault doesn't hold**: the vault has no such day; **holds no revision**: no such
  revision.
* `Restore day`, **is full**, **short**, **read-only**, **can't be written**: see to the target's disk.
* `Check result` alone: it only repeats the report; the cause is there.
"""

from airflow.sdk import DAG

from include.config import site_file
from include.results.states import Kind
from inpe_backup import params
from inpe_backup.dag_defaults import add_report_tasks, by_hand, default_args
from inpe_backup.operators.report.build_report import BuildReportOperator
from inpe_backup.operators.restore.plan_day_restore import PlanDayRestoreOperator
from inpe_backup.operators.restore.restore_day import RestoreDayOperator

SITE = site_file.current()

with DAG(
    dag_id="supim_restore",
    dag_display_name="supim_restore · Restore SUPIM days",
    schedule=None,
    max_active_runs=4,
    doc_md=__doc__,
    tags=["backup", "restore", "supim"],
    params=params.supim_restore(SITE),
    default_args=default_args(SITE, SITE.supim.retry_delay_s),
    **by_hand(SITE),
):
    plan = PlanDayRestoreOperator(task_id="plan_restore", task_display_name="Plan restore")
    restore = RestoreDayOperator.partial(
        task_id="restore_day",
        task_display_name="Restore day",
        map_index_template="{{ task.planned['name'] }}",
        max_active_tis_per_dag=1,
    ).expand(planned=plan.output)
    report = BuildReportOperator(
        task_id="build_report",
        task_display_name="Build report",
        kind=Kind.RESTORE,
        tasks={"plan": "plan_restore", "item": "restore_day"},
    )
    plan >> restore >> report
    plan >> report
    add_report_tasks(report, refresh=[], look_for_damage=True)
