"""### Report a backfill of SUPIM days.

Airflow starts a run of this DAG with each backfill of `supim_daily`. It waits until no run of the backfill is
left, and then mails one report of all its days, instead of one mail for each. A backfill that is stuck is
mailed once before that: a run of it failed, or none ended, `mail.backfill_stuck_s` ago.

**It never** touches a backup, or the backfill. Paused, it reports no backfill that begins from then on: each
of its runs then sends its own mail.

#### When it fails

Clear the failed task **with its downstream tasks**.

* `Wait for backfill`: the triggerer doesn't run, or Airflow can't be reached. What was over then is reported,
  and each run that ends later sends its own mail.
* `Build report`, `Email report`: see the log; the days are on the page *Backups*, too.
"""

from airflow.sdk import DAG

from include.config import site_file
from inpe_backup.backfill_report import WATCH, WATCHER
from inpe_backup.dag_defaults import BY_LISTENER, default_args
from inpe_backup.operators.report.build_backfill_report import BuildBackfillReportOperator
from inpe_backup.operators.report.email_report import EmailReportOperator
from inpe_backup.operators.report.watch_backfill import WatchBackfillOperator
from inpe_backup.vault_queue import ANYWHERE

SITE = site_file.current()

with DAG(
    dag_id=WATCHER,
    dag_display_name="supim_backfill_report · Report a backfill of SUPIM days",
    schedule=None,
    catchup=False,
    is_paused_upon_creation=False,  # it does nothing by itself, and nobody would miss its mail
    allowed_run_types=BY_LISTENER,
    doc_md=__doc__,
    tags=["backup", "supim"],
    owner_links={SITE.institute.name: SITE.mail.link},
    default_args=default_args(SITE, SITE.supim.retry_delay_s) | ANYWHERE,
):
    watch = WatchBackfillOperator(task_id=WATCH, task_display_name="Wait for backfill")
    report = BuildBackfillReportOperator(task_id="build_report", task_display_name="Build report")
    email = EmailReportOperator(
        task_id="email_report", task_display_name="Email report", report=report.output
    )
    watch >> report >> email
