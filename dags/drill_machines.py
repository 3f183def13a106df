"""### Virtual machines, booted from their images every month.

Boots machines from their newest images, to prove that they boot: at their own host, in a domain made for
that alone, without network, on overlays that are thrown away. It waits for the proof that the site file
names, takes a picture of the screen, and measures the time. Then each image is read back, and proven: that's
an audit's proof. A machine may be booted in another way than others, or never (`machines.special`).
Machines come first whose newest image wasn't booted yet, the longest undrilled before the others.

**It never** touches a machine's own domain or disks, changes an image, or removes one. While a machine of the
host is imaged, drills wait, and the other way round.

#### By hand

**Trigger** with a **machine** boots that one, drilled before or not. With **dry run** it names what it
would boot.

#### When it fails

The mail says what was seen, with the screen's picture; both lie beside the image, as `.proofs` and `.png`.

* **no sign of**: the machine didn't say what it should in time. Look at the picture: it may wait for a
  person, or need more time (`timeout_s`) or memory (`memory_max`). Restore it by hand if in doubt.
* **It was booted without its TPM**, or another device of the host's: a disk sealed by it doesn't open.
* **not checked**: it couldn't be tried; the sentence says why: no proof is named, or its host can't boot it.
* **can't be read from this host**: its sshd forbids `AllowStreamLocalForwarding`; QEMU may not open the
  socket.
* **chunks are damaged**: the image isn't what was backed up. Back the machine up anew.
* `Judge the run` alone: it only repeats the report; the cause stands there.
"""

from airflow.sdk import DAG

from include import site_file
from include.report import Kind
from inpe_backup import forms
from inpe_backup.dag_frame import NO_BACKFILL, at_its_turn, end_with_report_of, task_defaults
from inpe_backup.operators.drill_machine import DrillMachineOperator
from inpe_backup.operators.plan_drills import PlanDrillsOperator

SITE = site_file.current()

with DAG(
    dag_id="drill_machines",
    dag_display_name="drill_machines · Boot machines from their images",
    schedule=at_its_turn(SITE, SITE.machines.drill.schedule),
    catchup=False,
    max_active_runs=1,
    allowed_run_types=NO_BACKFILL,
    doc_md=__doc__,
    tags=["backup", "machines"],
    params=forms.drill_machines(),
    owner_links={SITE.institute.name: SITE.mail.link},
    default_args=task_defaults(SITE, SITE.machines.retry_delay_s),
):
    plan = PlanDrillsOperator(task_id="plan_drills", task_display_name="Choose the machines")
    drills = DrillMachineOperator.partial(
        task_id="drill_machine",
        task_display_name="Boot each machine",
        map_index_template="{{ task.drill['name'] }}",
        max_active_tis_per_dag=1,
    ).expand(drill=plan.output)
    end_with_report_of(plan, drills, kind=Kind.DRILL, tell=["machines", "screens"])
