"""### Protect an image of a VM from removal.

Keeps an image for as long as you want, such as the one before an upgrade, whatever the rules are
(`vms.keep`); or lifts that again. Who protects it, since when and why is beside the image in the vault, on
the page *Backups*, and in `inpe-backup list`.

**It never** changes or removes an image.

#### By hand

The page *Backups* does it: click the VM, then *Protect …* beside the image. Or **Trigger** with the VM, the
image and the reason; to lift a protection, switch **lift** on.

#### When it fails

Nothing was changed. The run's note and the first red line of the task's log say why; so does a mail to
whoever triggered it (`mail.users`).

* **has no generation**: the message lists the images that there are.
* **is protected by**: somebody else protects it already. Lift that first.
* **is gone**: retention removed it meanwhile.
* **holds no vault marker**: the backup disk isn't mounted.
"""

from airflow.sdk import DAG

from include.config import site_file
from inpe_backup import params
from inpe_backup.dag_defaults import by_hand, default_args
from inpe_backup.operators.vault.protect_image import ProtectImageOperator
from inpe_backup.vault_queue import add_worker_check

SITE = site_file.current()

with DAG(
    dag_id="vm_protect",
    dag_display_name="vm_protect · Protect an image of a VM",
    schedule=None,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["backup", "vms"],
    params=params.vm_protect(),
    default_args=default_args(SITE, SITE.vms.retry_delay_s),
    **by_hand(SITE),
) as dag:
    ProtectImageOperator(
        task_id="protect_image", task_display_name="Protect image", parts=["vms"], report_task=None
    )
    add_worker_check(dag, SITE)
