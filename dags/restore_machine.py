"""### A machine, brought back from the vault.

Restores a generation of a machine to its KVM host, or to another one: **beside**, as a new machine of another
name, UUID and MAC address, off, with its network links down; or **in place**, as what it was. Only the chunks
that differ from what lies there are sent; each is proven in the vault before, and on the host's disk after.

**It never** touches a machine that runs, writes over a disk or a file that isn't the machine's own, or
changes anything of the machine before all of it is proven at the host. In place, the old disks are kept aside
as `….before-restore-<date>`, unless *keep the old disks* is off; remove them when you need them no more.

#### By hand

Only by hand: *Trigger*, name the machine. With *dry run* it says what it would write, and where, and what
stands in its way. In place, shut the machine down first, and type its name once more as *confirm*.

#### When it fails

The mail says what happened; so does the task's log, as its last line. Mend the cause, then clear
`restore_machine` **with its downstream tasks**: it goes on where it was, and sends nothing twice.

* *is restored in place only while it's off*: shut it down, or restore it beside itself.
* *is damaged*: the vault's image isn't what was backed up; the sentence names a good one. Nothing is touched.
* *GB are needed for the new disks*: they are written beside the old ones. Make room, or name a folder.
* *is there already*: a machine or a file of that name. Choose another one; nothing is written over.
* *was cut off at the step*: **don't start the machine**. The sentence says of each disk which state it holds,
  each of them complete; clear the task, and the host finishes what it began.
* *can't be started*: it's restored. See `virsh start` at the host: another host may lack its network or CPU.
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
from inpe_backup.operators.plan_machine_restore import PlanMachineRestoreOperator
from inpe_backup.operators.publish_facts import PublishFactsOperator
from inpe_backup.operators.restore_machine import RestoreMachineOperator

SITE = site_file.current()
TEXT = ["null", "string"]
NAME = "[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(-[0-9]{2}){2}Z"

with DAG(
    dag_id="restore_machine",
    schedule=None,
    catchup=False,
    max_active_runs=1,
    allowed_run_types=["manual"],  # type: ignore[list-item] # the enum isn't public
    doc_md=__doc__,
    tags=["backup", "machines", "restore"],
    params={
        "machine": Param(type="string", minLength=1, title="Machine", description="Its name in the vault."),
        "generation": Param(
            None,
            type=TEXT,
            pattern=f"^{NAME}$",
            title="Generation",
            description="Such as 2026-11-22T05-00-03Z; empty: the newest that isn't known to be damaged.",
        ),
        "host": Param(None, type=TEXT, title="Host", description="Its connection; empty: where it was."),
        "how": Param(
            "beside", enum=["beside", "in place"], title="How", description="A new machine, or the old."
        ),
        "new_name": Param(
            None, type=TEXT, title="New name", description="Beside; empty: with -restored added."
        ),
        "folder": Param(
            None, type=TEXT, title="Folder", description="On the host; empty: where its disks were."
        ),
        "start": Param(default=False, type="boolean", title="Start it", description="Once it's restored."),
        "keep_old": Param(
            default=True, type="boolean", title="Keep the old disks", description="In place: kept aside."
        ),
        "confirm": Param(None, type=TEXT, title="Confirm", description="In place: type the machine's name."),
        "dry_run": Param(default=False, type="boolean", title="Dry run", description="Touch nothing."),
    },
    default_args={
        "queue": SITE.vault.queue or "default",
        "retries": 3,
        "retry_delay": timedelta(seconds=SITE.machines.retry_delay_s),
        "retry_policy": RETRY_WHAT_PASSES,
    },
):
    plan = PlanMachineRestoreOperator(task_id="plan_restore")
    restore = RestoreMachineOperator.partial(
        task_id="restore_machine", map_index_template="{{ task.planned['name'] }}"
    ).expand(planned=plan.output)
    report = BuildBackupsReportOperator(
        task_id="build_report",
        trigger_rule="all_done",
        kind=Kind.RESTORE,
        title="RESTORE",
        plan_task="plan_restore",
        item_task="restore_machine",
    )
    [plan, restore] >> report
    # Leaves: mail and facts go out whatever happened, and the run is red when the machine isn't back.
    EmailReportOperator(task_id="email_report", report=report.output)
    JudgeRunOperator(task_id="verdict", report=report.output)
    report >> PublishFactsOperator(task_id="publish_facts")
