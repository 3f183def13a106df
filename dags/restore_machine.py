"""### A machine, brought back from the vault.

Restores a generation of a machine to its KVM host, or to another one: **beside**, as a new machine of another
name, UUID and MAC address, off, with its network links down; or **in place**, as what it was. Only the chunks
that differ from what lies there are sent; each is proven in the vault before, and on the host's disk after.

**It never** touches a machine that runs, writes over a disk or a file that isn't the machine's own, or
changes anything of the machine before all of it is proven at the host. In place, the old disks are kept aside
as `….before-restore-<date>`, unless **keep the old disks** is off; remove them when you need them no more.

#### By hand

Only by hand: **Trigger**, name the machine. With **dry run** it says what it would write, and where, and what
stands in its way. In place, shut the machine down first, and type its name once more as **confirm**.

#### When it fails

The mail says what happened; so does the task's log, as its last line. Mend the cause, then clear
`Restore the machine` **with its downstream tasks**: it goes on where it was, and sends nothing twice.

* **is restored in place only while it's off**: shut it down, or restore it beside itself.
* **is damaged**: the vault's image isn't what was backed up; the sentence names a good one. Nothing is
  touched.
* **GB are needed for the new disks**: they are written beside the old ones. Make room, or name a folder.
* **is there already**: a machine or a file of that name. Choose another one; nothing is written over.
* **was cut off at the step**: **don't start the machine**. The sentence says of each disk which state it
  holds, each of them complete; clear the task, and the host finishes what it began.
* **can't be started**: it's restored. See `virsh start` at the host: another host may lack its network or
  CPU.
* `Judge the run` alone: it only repeats the report; the cause stands there.
"""

from airflow.sdk import DAG

from include import site_file
from include.report import Kind
from inpe_backup import forms
from inpe_backup.dag_frame import BY_HAND, end_with_report_of, task_defaults
from inpe_backup.operators.plan_machine_restore import PlanMachineRestoreOperator
from inpe_backup.operators.restore_machine import RestoreMachineOperator

SITE = site_file.current()

with DAG(
    dag_id="restore_machine",
    dag_display_name="restore_machine · Restore a machine",
    schedule=None,
    catchup=False,
    max_active_runs=1,
    allowed_run_types=BY_HAND,
    doc_md=__doc__,
    tags=["backup", "machines", "restore"],
    params=forms.restore_machine(SITE),
    owner_links={SITE.institute.name: SITE.mail.link},
    default_args=task_defaults(SITE, SITE.machines.retry_delay_s),
):
    plan = PlanMachineRestoreOperator(
        task_id="plan_restore", task_display_name="Check the form, choose the image"
    )
    restore = RestoreMachineOperator.partial(
        task_id="restore_machine",
        task_display_name="Restore the machine",
        map_index_template="{{ task.planned['name'] }}",
    ).expand(planned=plan.output)
    end_with_report_of(plan, restore, kind=Kind.RESTORE)
