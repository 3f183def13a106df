"""### SUPIM days, brought back.

Restores days of the vault into a folder of the worker, or of another host: each is proven in the vault, sent,
hashed again where it arrived, and only then given its names, below year and day as at the source. The newest
revision that isn't known to be damaged is taken, unless another is named. It can be run again at any time:
what is there already, to the byte, is left as it is.

**It never** writes over another file, unless **overwrite** is ticked, and then says which; writes through a
link; restores into a vault; or changes a backup in it. Damage that it finds is added to the proofs beside it.

#### By hand

**Trigger**, and fill in the form: a day, or a first and a last one; the folder that the years are to be in;
and for another host the name of its SSH connection, which must pin the host key. With **dry run** it proves
the days, looks at the target, says what would be sent or refused, and writes nothing.

#### When it fails

The mail says what happened; so does the task's log, as its last line. Other days went on. Mend the cause,
then clear the failed task **with its downstream tasks**. What was sent is kept there, and goes on.

* `Check the form and the target`, **mistake**: the form; all that is wrong with it at once. Trigger anew.
* `Check the form and the target`, **must pin**, or **another host key**: the connection.
* `Restore each day`, **has something else under names of**: other files are there, nothing of the day was
  written. Name another folder, or tick **overwrite**.
* **is damaged**: the vault's copy; the sentence says which other revision is whole. Name it.
* **doesn't hold**: the vault never had that day, or that revision.
* **is full**, **are missing**, **read-only**, **can't be written**: the target.
* `Judge the run` alone: it only repeats the report; the cause stands there.
"""

from airflow.sdk import DAG

from include import site_file
from include.report import Kind
from inpe_backup import forms
from inpe_backup.dag_frame import BY_HAND, end_with_report_of, task_defaults
from inpe_backup.operators.plan_restore import PlanRestoreOperator
from inpe_backup.operators.restore_day import RestoreDayOperator

SITE = site_file.current()

with DAG(
    dag_id="restore_day",
    dag_display_name="restore_day · Restore SUPIM days",
    schedule=None,
    catchup=False,
    max_active_runs=4,
    allowed_run_types=BY_HAND,
    doc_md=__doc__,
    tags=["backup", "restore", "supim"],
    params=forms.restore_day(SITE),
    owner_links={SITE.institute.name: SITE.mail.link},
    default_args=task_defaults(SITE, SITE.supim.retry_delay_s),
):
    plan = PlanRestoreOperator(task_id="plan", task_display_name="Check the form and the target")
    days = RestoreDayOperator.partial(
        task_id="restore_day",
        task_display_name="Restore each day",
        map_index_template="{{ task.planned['name'] }}",
        max_active_tis_per_dag=1,
    ).expand(planned=plan.output)
    end_with_report_of(plan, days, kind=Kind.RESTORE)
