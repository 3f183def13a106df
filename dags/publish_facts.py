"""### Facts for the page, published anew.

Reads the vault, and publishes all that is to be said of it as asset events, of which the page *Backups* in
the web UI is made: days, machines, the screens of their last drills, and space. Each run of the other DAGs
does that for what it touched; this one is for a database that was cleaned or lost, or a page that was added
later. What runs did, and what the source was seen to hold, is in no vault: those histories begin anew.

**It never** changes anything.

#### By hand

*Trigger*, and look at the page: it says of when its view of the vault is.

#### When it fails

* `publish_facts`, *holds no vault marker*: the backup disk isn't mounted.
"""

from datetime import timedelta

from airflow.sdk import DAG

from include import site_file
from inpe_backup.operators.backup_operator import RETRY_WHAT_PASSES
from inpe_backup.operators.publish_facts import PublishFactsOperator

SITE = site_file.current()

with DAG(
    dag_id="publish_facts",
    schedule=None,
    catchup=False,
    max_active_runs=1,
    allowed_run_types=["manual"],  # type: ignore[list-item] # the enum isn't public
    doc_md=__doc__,
    tags=["backup"],
    default_args={
        "queue": SITE.vault.queue or "default",
        "retries": 3,
        "retry_delay": timedelta(seconds=SITE.supim.retry_delay_s),
        "retry_policy": RETRY_WHAT_PASSES,
    },
):
    PublishFactsOperator(
        task_id="publish_facts", about=["vault", "days", "machines", "screens"], report_task=None
    )
