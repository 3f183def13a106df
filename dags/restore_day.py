"""### SUPIM days, brought back.

Restores days of the vault into a folder of the worker, or of another host: each is proven in the vault, sent,
hashed again where it arrived, and only then given its names, below year and day as at the source. The newest
revision that isn't known to be damaged is taken, unless another is named. It can be run again at any time:
what is there already, to the byte, is left as it is.

**It never** writes over another file, unless *overwrite* is ticked, and then says which; writes through a
link; restores into a vault; or changes anything in it.

#### By hand

*Trigger*, and fill in the form: a day, or a first and a last one; the folder that the years are to be in; and
for another host the name of its SSH connection, which must pin the host key. With *dry run* it proves the
days, looks at the target, says what would be sent or refused, and writes nothing.

#### When it fails

The mail says what happened; so does the task's log, as its last line. Other days went on. Mend the cause,
then clear the failed task **with its downstream tasks**. What was sent is kept there, and goes on.

* `plan`, *mistake*: the form; all that is wrong with it at once. Trigger anew.
* `plan`, *must pin*, or *another host key*: the connection.
* `restore_day`, *has something else under names of*: other files are there, nothing of the day was written.
  Name another folder, or tick *overwrite*.
* *is damaged*: the vault's copy; the sentence says which other revision is whole. Name it.
* *doesn't hold*: the vault never had that day, or that revision.
* *is full*, *are missing*, *read-only*, *can't be written*: the target.
* `verdict` alone: it only repeats the report; the cause stands there.
"""

from datetime import timedelta

from airflow.sdk import DAG, Param

from include import site_file
from include.report import Kind
from inpe_backup.operators.backup_operator import RETRY_WHAT_PASSES
from inpe_backup.operators.build_backups_report import BuildBackupsReportOperator
from inpe_backup.operators.email_report import EmailReportOperator
from inpe_backup.operators.judge_run import JudgeRunOperator
from inpe_backup.operators.plan_restore import PlanRestoreOperator
from inpe_backup.operators.publish_facts import PublishFactsOperator
from inpe_backup.operators.restore_day import RestoreDayOperator

SITE = site_file.current()
OPTIONAL = ["null", "string"]
A_DAY = "^[0-9]{4}-[0-9]{3}$"
A_FOLDER = r"^/[^*?\[\\]*$"

with DAG(
    dag_id="restore_day",
    schedule=None,
    catchup=False,
    max_active_runs=4,
    allowed_run_types=["manual"],  # type: ignore[list-item] # the enum isn't public
    doc_md=__doc__,
    tags=["backup", "restore", "supim"],
    params={
        "day": Param(type="string", title="Day", description="Or the first: 2026-268.", pattern=A_DAY),
        "last": Param(None, type=OPTIONAL, title="Last day", description="Of several.", pattern=A_DAY),
        "connection": Param(
            None, type=OPTIONAL, title="SSH connection", description="Where to; none: this worker."
        ),
        "folder": Param(
            type="string", title="Folder", description="There, for the years; absolute.", pattern=A_FOLDER
        ),
        "revision": Param(
            None, type=["null", "integer"], minimum=1, title="Revision", description="None: the newest."
        ),
        "pattern": Param("*", type="string", minLength=1, title="Files", description="Such as *.ctl*."),
        "overwrite": Param(
            default=False, type="boolean", title="Overwrite", description="Replace other files there."
        ),
        "dry_run": Param(default=False, type="boolean", title="Dry run", description="Write nothing."),
    },
    default_args={
        "queue": SITE.vault.queue or "default",
        "retries": 3,
        "retry_delay": timedelta(seconds=SITE.supim.retry_delay_s),
        "retry_policy": RETRY_WHAT_PASSES,
    },
):
    plan = PlanRestoreOperator(task_id="plan")
    days = RestoreDayOperator.partial(
        task_id="restore_day", map_index_template="{{ task.planned['name'] }}", max_active_tis_per_dag=1
    ).expand(planned=plan.output)
    report = BuildBackupsReportOperator(
        task_id="build_report",
        trigger_rule="all_done",
        kind=Kind.RESTORE,
        title="RESTORE",
        plan_task="plan",
        item_task="restore_day",
    )
    [plan, days] >> report
    # Leaves: mail and facts go out whatever happened, and the run is red when a day wasn't restored.
    EmailReportOperator(task_id="email_report", report=report.output)
    JudgeRunOperator(task_id="verdict", report=report.output)
    report >> PublishFactsOperator(task_id="publish_facts")
