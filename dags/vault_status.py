"""### Read the vault for the status page.

Reads the vault and publishes its days, VMs, screenshots of their last boot tests, and free space as asset
events; the page *Backups* in the web UI shows them. The other DAGs do this for what they changed. Run this
one when the page is new, or Airflow's database was cleaned or lost. The history of runs, and what the source
had, isn't in the vault and begins anew.

**It never** changes the vault.

#### By hand

**Trigger**, then open *Backups*: it shows when the vault was read.

#### When it fails

* `Update status page`, **holds no vault marker**: the backup disk isn't mounted.
"""

from airflow.sdk import DAG

from include.config import site_file
from inpe_backup.dag_defaults import by_hand, default_args
from inpe_backup.operators.vault.refresh_status import RefreshStatusOperator
from inpe_backup.vault_queue import add_worker_check

SITE = site_file.current()

with DAG(
    dag_id="vault_status",
    dag_display_name="vault_status · Read the vault for the status page",
    schedule=None,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["backup"],
    default_args=default_args(SITE, SITE.supim.retry_delay_s),
    **by_hand(SITE),
) as dag:
    RefreshStatusOperator(
        task_id="refresh_status",
        task_display_name="Update status page",
        parts=["vault", "days", "vms", "screens"],
        report_task=None,
    )
    add_worker_check(dag, SITE)
