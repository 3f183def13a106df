"""### Virtual machines, every week.

Images each machine of the KVM hosts: stopped, started again within seconds by its own host, and imaged while
it runs again; only what changed since last week crosses the network. The image is read back from the disk,
proven by SHA-256 and published; old generations go once their successors are proven. One machine of a host is
down at a time, and the next isn't stopped until the last is proven back.

**It never** leaves a machine off that ran (its host starts it, whatever becomes of this run), starts one that
was off, writes over an image, or removes a machine's newest one; a run that isn't good removes nothing.

#### By hand

**Trigger** images all machines **now**. With **dry run** it looks, mails what it would do and how long each
machine would be down, and touches nothing. Weeks can't be backfilled: a past instant of a machine is gone.

#### When it fails

The mail says what happened; so does the task's log, as its last line. Mend the cause, then clear the failed
task **with its downstream tasks**. A machine that this run has imaged already isn't stopped again.

* `Hold its disks`, **isn't proven to run**: **look at the machine now**. No other of its host was stopped
  after it.
* `Hold its disks`, **didn't shut down**: its guest ignored the power button and was left running; its host
  starts it again if it goes down late. Shut it down by hand once, or let the site file `destroy` such guests.
* `Hold its disks`, **can't be backed up**: the sentence says what of its disks can't be read.
* `List each host's machines`, **matches no machine**: `machines.hosts` in the site file. Other hosts'
  machines were imaged.
* `See that there is room`: the vault needs room, the message says how much. No machine was stopped.
* `Bring its image here`, **isn't frozen any more**: the host has let go of the disks; clear `Hold its disks`.
* `Judge the run` alone: it only repeats the report; the cause stands there.
"""

from airflow.sdk import DAG, task_group

from include import site_file
from inpe_backup import forms
from inpe_backup.dag_frame import NO_BACKFILL, at_its_turn, end_with, task_defaults
from inpe_backup.operators.build_weekly_report import BuildWeeklyReportOperator
from inpe_backup.operators.ensure_room import EnsureRoomOperator
from inpe_backup.operators.list_machines import ListMachinesOperator
from inpe_backup.operators.remove_old import RemoveOldOperator
from inpe_backup.operators.secure_machine import (
    FreezeMachineOperator,
    PublishImageOperator,
    PullImageOperator,
    ReleaseMachineOperator,
    VerifyImageOperator,
)

SITE = site_file.current()
STEPS = [
    f"secure_machine.{step}" for step in ("freeze", "pull_image", "verify_image", "publish_image", "release")
]

with DAG(
    dag_id="vm_weekly",
    dag_display_name="vm_weekly · Back up machines",
    schedule=at_its_turn(SITE, SITE.machines.schedule),  # no machine stops at once
    catchup=False,
    max_active_runs=1,
    allowed_run_types=NO_BACKFILL,
    doc_md=__doc__,
    tags=["backup", "machines"],
    params=forms.vm_weekly(),
    owner_links={SITE.institute.name: SITE.mail.link},
    default_args=task_defaults(SITE, SITE.machines.retry_delay_s),
):
    every = {
        "task_id": "list_machines",
        "task_display_name": "List each host's machines",
        "map_index_template": "{{ task.host }}",
    }
    machines = ListMachinesOperator.partial(**every).expand(
        host=[host.connection for host in SITE.machines.hosts]
    )
    room = EnsureRoomOperator(
        task_id="ensure_space",
        task_display_name="See that there is room",
        trigger_rule="all_done",
        list_task="list_machines",
    )
    remove = RemoveOldOperator(
        task_id="remove_old",
        task_display_name="Remove old images",
        trigger_rule="none_failed",
        list_task="list_machines",
        machines_task="ensure_space",
        machine_tasks=STEPS,
    )
    report = BuildWeeklyReportOperator(
        task_id="build_report",
        task_display_name="Write the report",
        trigger_rule="all_done",
        list_task="list_machines",
        machines_task="ensure_space",
        machine_tasks=STEPS,
        remove_task="remove_old",
    )

    @task_group(group_id="secure_machine", group_display_name="Secure each machine")
    def secure_machine(machine: dict[str, str]) -> None:
        """Freeze one machine, bring its image here, prove and publish it, and let go of it."""
        named = {"machine": machine, "map_index_template": "{{ task.machine['name'] }}"}
        freeze = FreezeMachineOperator(task_id="freeze", task_display_name="Hold its disks", **named)
        held = named | {"frozen": freeze.output}
        pull = PullImageOperator(task_id="pull_image", task_display_name="Bring its image here", **held)
        verify = VerifyImageOperator(task_id="verify_image", task_display_name="Prove it", **held)
        publish = PublishImageOperator(task_id="publish_image", task_display_name="Publish it", **held)
        release = ReleaseMachineOperator(task_id="release", task_display_name="Let go of it", **named)
        release.as_teardown(on_failure_fail_dagrun=True)
        freeze >> pull >> verify >> publish >> release >> [remove, report]

    machines >> room >> secure_machine.expand(machine=room.output) >> remove
    [machines, room, remove] >> report
    end_with(report, tell=["vault", "machines"])
