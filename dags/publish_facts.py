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

from airflow.sdk import DAG

from include import site_file
from inpe_backup.dag_frame import BY_HAND, task_defaults
from inpe_backup.operators.publish_facts import PublishFactsOperator

SITE = site_file.current()

with DAG(
    dag_id="publish_facts",
    dag_display_name="publish_facts · Tell the page what is in the vault",
    schedule=None,
    catchup=False,
    max_active_runs=1,
    allowed_run_types=BY_HAND,
    doc_md=__doc__,
    tags=["backup"],
    owner_links={SITE.institute.name: SITE.mail.link},
    default_args=task_defaults(SITE, SITE.supim.retry_delay_s),
):
    PublishFactsOperator(
        task_id="publish_facts",
        task_display_name="Tell the page",
        about=["vault", "days", "machines", "screens"],
        report_task=None,
    )
