"""### Boot VMs from their images, every month.

Boots VMs from their newest undamaged images to verify that they boot: on their own host, in a temporary VM
without network, on overlays that are discarded. It waits for the checks that the site file names
(`boot_test.checks`), takes a screenshot, and measures how long booting takes. Then it reads the whole image
again, as a scrub does. VMs whose newest image was never booted come first, then those with the oldest boot
test. A VM may have settings of its own, or never be booted (`vms.overrides`).

**It never** touches a VM or its disks, and never changes or removes an image. Boot tests and VM backups wait
for each other on a host.

#### By hand

**Trigger** with a **VM** boots that one, whenever it was booted last. With **dry run** it mails which VMs it
would boot, and boots none.

#### When it fails

The mail says what was seen, with the screenshot; both are also beside the image (`.verifications`, `.png`).

* **no sign of**: a check wasn't met in time; *a running system* is looked for where the site file names
  no check. Look at the screenshot: the VM may wait for input, or need more time (`boot_test.timeout_s`) or
  memory (`boot_test.memory_max`). If in doubt, restore it beside the original.
* **was booted without**: a device, such as its TPM, is left out; a disk that is sealed to it doesn't open.
* **not checked**: the VM couldn't be booted, and the message says why.
* **can't be read from this host**: its sshd must allow `AllowStreamLocalForwarding`, QEMU the socket.
* **damaged**: the image no longer matches its checksums. Trigger `vm_weekly`.
* `Check result` alone: it only repeats the report; the cause is there.
"""

from airflow.sdk import DAG

from include.config import site_file
from include.results.states import Kind
from inpe_backup import params
from inpe_backup.dag_defaults import NO_BACKFILL, add_report_tasks, cron_schedule, default_args
from inpe_backup.operators.report.build_report import BuildReportOperator
from inpe_backup.operators.vms.boot_vm import BootVmOperator
from inpe_backup.operators.vms.plan_boot_tests import PlanBootTestsOperator

SITE = site_file.current()

with DAG(
    dag_id="vm_boot_test",
    dag_display_name="vm_boot_test · Boot VMs from their images",
    schedule=cron_schedule(SITE, SITE.boot_test.schedule),
    catchup=False,
    max_active_runs=1,
    allowed_run_types=NO_BACKFILL,
    doc_md=__doc__,
    tags=["backup", "vms"],
    params=params.vm_boot_test(),
    owner_links={SITE.institute.name: SITE.mail.link},
    default_args=default_args(SITE, SITE.vms.retry_delay_s),
):
    plan = PlanBootTestsOperator(task_id="plan_boot_tests", task_display_name="Plan boot tests")
    boot = BootVmOperator.partial(
        task_id="boot_vm",
        task_display_name="Boot VM",
        map_index_template="{{ task.boot_test['name'] }}",
        max_active_tis_per_dag=1,
    ).expand(boot_test=plan.output)
    report = BuildReportOperator(
        task_id="build_report",
        task_display_name="Build report",
        kind=Kind.BOOT_TEST,
        tasks={"plan": "plan_boot_tests", "item": "boot_vm"},
    )
    plan >> boot >> report
    plan >> report
    add_report_tasks(report, refresh=["vms", "screens"])
