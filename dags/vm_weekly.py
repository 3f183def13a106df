"""### Virtual machines, every week.

Images each machine of the KVM hosts: stopped, started again within seconds by its own host, and imaged while
it runs again; only what changed since last week crosses the network. The image is read back from the disk,
proven by SHA-256 and published; old generations go once their successors are proven. One machine of a host is
down at a time, and the next isn't stopped until the last is proven back.

**It never** leaves a machine off that ran (its host starts it, whatever becomes of this run), starts one that
was off, writes over an image, or removes a machine's newest one; a run that isn't good removes nothing.

#### By hand

*Trigger* images all machines **now**. With *dry run* it looks, mails what it would do and how long each
machine would be down, and touches nothing. Weeks can't be backfilled: a past instant of a machine is gone.

#### When it fails

The mail says what happened; so does the task's log, as its last line. Mend the cause, then clear the failed
task **with its downstream tasks**. A machine that this run has imaged already isn't stopped again.

* `freeze`, *isn't proven to run*: **look at the machine now**. No other of its host was stopped after it.
* `freeze`, *didn't shut down*: its guest ignored the power button and was left running; its host starts it
  again if it goes down late. Shut it down by hand once, or let the site file `destroy` such guests.
* `freeze`, *can't be backed up*: the sentence says what of its disks can't be read.
* `list_machines`, *matches no machine*: `machines.hosts` in the site file. Other hosts' machines were imaged.
* `ensure_space`: the vault needs room, the message says how much. No machine was stopped.
* `pull_image`, *isn't frozen any more*: the host has let go of the disks; clear `freeze`.
* `verdict` alone: it only repeats the report; the cause stands there.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, Param, task_group

from include import site_file
from inpe_backup.operators.backup_operator import RETRY_WHAT_PASSES
from inpe_backup.operators.build_weekly_report import BuildWeeklyReportOperator
from inpe_backup.operators.email_report import EmailReportOperator
from inpe_backup.operators.ensure_room import EnsureRoomOperator
from inpe_backup.operators.judge_run import JudgeRunOperator
from inpe_backup.operators.list_machines import ListMachinesOperator
from inpe_backup.operators.publish_facts import PublishFactsOperator
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
    schedule=CronTriggerTimetable(  # switched on, it waits for its next turn: no machine stops at once
        SITE.machines.schedule, timezone=SITE.institute.timezone, run_immediately=timedelta(0)
    ),
    catchup=False,
    max_active_runs=1,
    allowed_run_types=["scheduled", "manual"],  # type: ignore[list-item] # no backfill; the enum isn't public
    doc_md=__doc__,
    tags=["backup", "machines"],
    params={"dry_run": Param(default=False, type="boolean", title="Dry run", description="Touch nothing.")},
    default_args={
        "queue": SITE.vault.queue or "default",
        "retries": 3,
        "retry_delay": timedelta(seconds=SITE.machines.retry_delay_s),
        "retry_policy": RETRY_WHAT_PASSES,
    },
):
    every = {"task_id": "list_machines", "map_index_template": "{{ task.host }}"}
    machines = ListMachinesOperator.partial(**every).expand(
        host=[host.connection for host in SITE.machines.hosts]
    )
    room = EnsureRoomOperator(task_id="ensure_space", trigger_rule="all_done", list_task="list_machines")
    remove = RemoveOldOperator(
        task_id="remove_old",
        trigger_rule="none_failed",
        list_task="list_machines",
        machines_task="ensure_space",
        machine_tasks=STEPS,
    )
    report = BuildWeeklyReportOperator(
        task_id="build_report",
        trigger_rule="all_done",
        list_task="list_machines",
        machines_task="ensure_space",
        machine_tasks=STEPS,
        remove_task="remove_old",
    )

    @task_group(group_id="secure_machine")
    def secure_machine(machine: dict[str, str]) -> None:
        """Freeze one machine, bring its image here, prove and publish it, and let go of it."""
        named = {"machine": machine, "map_index_template": "{{ task.machine['name'] }}"}
        freeze = FreezeMachineOperator(task_id="freeze", **named)
        pull = PullImageOperator(task_id="pull_image", frozen=freeze.output, **named)
        verify = VerifyImageOperator(task_id="verify_image", frozen=freeze.output, **named)
        publish = PublishImageOperator(task_id="publish_image", frozen=freeze.output, **named)
        release = ReleaseMachineOperator(task_id="release", **named).as_teardown(on_failure_fail_dagrun=True)
        freeze >> pull >> verify >> publish >> release >> [remove, report]

    machines >> room >> secure_machine.expand(machine=room.output) >> remove
    [machines, room, remove] >> report
    # Leaves: mail and facts go out whatever happened, and the run is red when the backup or the mail failed.
    EmailReportOperator(task_id="email_report", report=report.output)
    JudgeRunOperator(task_id="verdict", report=report.output)
    report >> PublishFactsOperator(task_id="publish_facts", about=["vault", "machines"])
