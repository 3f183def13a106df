"""### Restore a VM.

Restores a generation of a VM to its KVM host, or to another one: **beside** the original, as a new VM with
its own name, UUID and MAC address, off, its network links down; or **in place**, as it was. Only chunks that
differ from what the host has are sent. Each is verified in the vault first, and on the host's disk
afterwards.

**It never** touches a running VM, overwrites a disk or file that isn't the VM's own, or changes the VM before
everything is verified on the host. In place, the old disks stay as `….before-restore-<date>`, unless **keep
the old disks** is off; remove them when you no longer need them.

#### By hand

**Trigger** with the VM's name. With **dry run** it mails what it would write, where, and what is in the way.
To restore in place, shut the VM down first, and type its name again as **confirm**.

#### When it fails

The mail and the first red line of the task's log say what happened. Fix the cause, then clear `Restore VM`
**with its downstream tasks**: it resumes, and sends nothing twice.

* **in place only while it's off**: shut the VM down, or restore beside it.
* **is damaged**: the vault's image; the message names an undamaged one, if there is one. The VM wasn't
  touched.
* **Not enough space**: the new disks are written beside the old ones. Free space, or name another folder.
* **is a backing file of**: other VMs are clones of this one. Restore it under a new name.
* **isn't where restores may write**: the host keeps no disks there. Name a folder.
* **exists already**, **already has a VM**: the name is taken. Choose another one; nothing is overwritten.
* **was interrupted at the step**: **don't start the VM**. The message gives the state of each disk; each is
  complete. Clear the task, and the host finishes what it began.
* **doesn't start**: it's restored all the same. Try `virsh start` on the host: another host may lack its
  network or CPU.
* **Left out of the definition**, **network link … is down**: another host may have written that. Check it,
  and add it by hand.
* `Check result` alone: it only repeats the report; the cause is there.
"""

from airflow.sdk import DAG

from include.config import site_file
from include.results.states import Kind
from inpe_backup import params
from inpe_backup.dag_defaults import add_report_tasks, by_hand, default_args
from inpe_backup.operators.report.build_report import BuildReportOperator
from inpe_backup.operators.restore.plan_vm_restore import PlanVmRestoreOperator
from inpe_backup.operators.restore.restore_vm import RestoreVmOperator

SITE = site_file.current()

with DAG(
    dag_id="vm_restore",
    dag_display_name="vm_restore · Restore a VM",
    schedule=None,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["backup", "vms", "restore"],
    params=params.vm_restore(SITE),
    default_args=default_args(SITE, SITE.vms.retry_delay_s),
    **by_hand(SITE),
):
    plan = PlanVmRestoreOperator(task_id="plan_restore", task_display_name="Plan restore")
    restore = RestoreVmOperator.partial(
        task_id="restore_vm",
        task_display_name="Restore VM",
        map_index_template="{{ task.planned['name'] }}",
    ).expand(planned=plan.output)
    report = BuildReportOperator(
        task_id="build_report",
        task_display_name="Build report",
        kind=Kind.RESTORE,
        tasks={"plan": "plan_restore", "item": "restore_vm"},
    )
    plan >> restore >> report
    plan >> report
    add_report_tasks(report, refresh=[], look_for_damage=True)
