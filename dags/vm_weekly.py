"""### VMs, every week.

Images each VM of the KVM hosts: stopped, started again within seconds by its own host, and imaged while it
runs again; only what changed since last week crosses the network. The image is read back from the disk,
verified by SHA-256 and published; old generations are removed once their successors are verified. One VM of a
host is down at a time; the next isn't stopped until the previous one runs again and its backup has ended.
**It never** leaves a VM off that was running (a watchdog on the host restarts it, whatever happens to this
run), starts one that was off, overwrites an image, or removes a VM's newest one. A failed run removes none.

#### By hand

**Trigger** images all VMs **now**, or those in the field **VMs**: names or patterns, such as `web*`, one in a
line. With **dry run** it mails what it would do and remove, and how long each VM would be down, and touches
nothing. VM backups can't be backfilled.

#### When it fails

The mail and the first red line of the task's log say what happened. Fix the cause, then clear the failed
task **with its downstream tasks**. A VM that this run has imaged already isn't stopped again.

* `Stop, snapshot, start`, **no sign of**, **can't be started**: **look at the VM now**; no other is stopped.
* `Stop, snapshot, start`, **didn't shut down**: its guest ignored the power button and was left running; its
  host starts it again if it goes down late. Shut it down by hand once, or set `on_timeout: destroy`.
* `Stop, snapshot, start`, **can't be backed up**: the message says why, such as a disk that can't be read.
* `List VMs`, **matches no VM**: `vms.hosts` in the site file. Other hosts' VMs are imaged.
* `Check free space`: the vault needs more, as the message says, or **VMs** names none. No VM was stopped.
* `Transfer image`, **No backup of this VM is open**, **was started**: clear `Stop, snapshot, start`.
* `Check result` alone: it only repeats the report; the cause is there.
"""

from airflow.sdk import DAG, task_group

from include.config import site_file
from include.results.states import Kind
from inpe_backup import params
from inpe_backup.dag_defaults import NO_BACKFILL, add_monitoring, cron_schedule, default_args
from inpe_backup.operators.report.build_report import BuildReportOperator
from inpe_backup.operators.report.check_result import CheckResultOperator
from inpe_backup.operators.report.email_report import EmailReportOperator
from inpe_backup.operators.vault.refresh_status import RefreshStatusOperator
from inpe_backup.operators.vms.apply_retention import ApplyRetentionOperator
from inpe_backup.operators.vms.begin_backup import BeginBackupOperator
from inpe_backup.operators.vms.check_free_space import CheckFreeSpaceForVmsOperator
from inpe_backup.operators.vms.end_backup import EndBackupOperator
from inpe_backup.operators.vms.list_vms import ListVmsOperator
from inpe_backup.operators.vms.publish_image import PublishImageOperator
from inpe_backup.operators.vms.transfer_image import TransferImageOperator
from inpe_backup.operators.vms.verify_image import VerifyImageOperator

SITE = site_file.current()
STEPS = ("begin_backup", "transfer_image", "verify_image", "publish_image", "end_backup")

with DAG(
    dag_id="vm_weekly",
    dag_display_name="vm_weekly · Back up VMs",
    schedule=cron_schedule(SITE, SITE.vms.schedule),  # switched on, it stops no VM at once
    catchup=False,
    max_active_runs=1,
    allowed_run_types=NO_BACKFILL,
    doc_md=__doc__,
    tags=["backup", "vms"],
    params=params.vm_weekly(),
    owner_links={SITE.institute.name: SITE.mail.link},
    default_args=default_args(SITE, SITE.vms.retry_delay_s),
) as dag:
    list_vms = ListVmsOperator.partial(
        task_id="list_vms", task_display_name="List VMs", map_index_template="{{ task.ssh_conn_id }}"
    ).expand(ssh_conn_id=[host.ssh_conn_id for host in SITE.vms.hosts])
    space = CheckFreeSpaceForVmsOperator(
        task_id="check_free_space",
        task_display_name="Check free space",
        trigger_rule="all_done",  # a host that can't be reached doesn't stop the backup of other hosts' VMs
        list_task="list_vms",
    )
    retention = ApplyRetentionOperator(
        task_id="apply_retention",
        task_display_name="Apply retention",
        trigger_rule="none_failed",
        list_task="list_vms",
        vms_task="check_free_space",
        publish_task="back_up_vm.publish_image",
    )
    report = BuildReportOperator(
        task_id="build_report",
        task_display_name="Build report",
        kind=Kind.VMS,
        tasks={step: f"back_up_vm.{step}" for step in STEPS},
    )

    @task_group(group_id="back_up_vm", group_display_name="Back up each VM")
    def back_up_vm(ssh_conn_id: str, vm: dict[str, str]) -> None:
        """Begin one VM's backup on its host, transfer its image, verify and publish it, end the backup."""
        shared = {"ssh_conn_id": ssh_conn_id, "vm": vm, "map_index_template": "{{ task.vm['name'] }}"}
        begin = BeginBackupOperator(
            task_id="begin_backup", task_display_name="Stop, snapshot, start", end_task="end_backup", **shared
        )
        image = shared | {"begun": begin.output}
        transfer = TransferImageOperator(
            task_id="transfer_image", task_display_name="Transfer image", **image
        )
        verify = VerifyImageOperator(task_id="verify_image", task_display_name="Verify image", **image)
        publish = PublishImageOperator(task_id="publish_image", task_display_name="Publish image", **image)
        end = EndBackupOperator(task_id="end_backup", task_display_name="End backup job", **shared)
        begin >> transfer >> verify >> publish >> end.as_teardown(on_failure_fail_dagrun=True)
        end >> [retention, report]  # a task after a group doesn't wait for the group's teardown

    email = EmailReportOperator(
        task_id="email_report", task_display_name="Email report", report=report.output
    )
    result = CheckResultOperator(
        task_id="check_result", task_display_name="Check result", report=report.output
    )
    status = RefreshStatusOperator(
        task_id="refresh_status", task_display_name="Update status page", parts=["vault", "vms"]
    )

    vms = back_up_vm.expand_kwargs(space.output)
    list_vms >> space >> vms >> retention >> report >> email
    [list_vms, space, vms] >> report >> [result, status]
    add_monitoring(dag, SITE)
