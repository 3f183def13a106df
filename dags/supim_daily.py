"""### SUPIM, every day.

Secures the day's simulation: copied from the cluster over SSH, proven by SHA-256 at both ends and by its own
descriptors, published in the vault under its year and day. A scheduled run also looks again at the two days
before its own, and closes older gaps that the source can still fill. A run of the past, by backfill or by
hand, secures its own day only. Switched on, it begins at once with the newest day that is due.

**It never** writes over a published day (a changed day becomes a revision beside it), changes anything at
the source, or removes anything.

#### By hand

**Trigger** with the day as partition key (Advanced Options), such as `2026-268`, or in the field **day**.
**Backfill** any range of dates. With **dry run** it looks, plans, mails what it would do, and changes
nothing.

#### When it fails

The mail says what happened; so does the task's log, as its last line. Mend the cause, then clear the failed
task **with its downstream tasks**, so that the report is written again. What is copied already is kept.

* `Look at the source` or `Copy it`, **can't be reached**: the network or the cluster. It was tried again
  three times.
* **refuses the connection's key**, **another host key**: the connection `supim_cluster`.
* **is missing**, **time steps are complete**: the simulation didn't finish. Run it, then clear.
* `See that there is room`: the vault needs room, the message says how much.
* **holds no vault marker**: the backup disk isn't mounted.
* `Judge the run` alone: it only repeats the report; the cause stands there.
"""

from datetime import UTC, datetime

from airflow.sdk import DAG

from include import site_file
from inpe_backup import forms
from inpe_backup.dag_frame import end_with, task_defaults
from inpe_backup.operators.build_report import BuildReportOperator
from inpe_backup.operators.choose_days import ChooseDaysOperator
from inpe_backup.secured_days import DAY_STEPS, secure_days
from inpe_backup.timetable import OrdinalDayTimetable

SITE = site_file.current()

with DAG(
    dag_id="supim_daily",
    dag_display_name="supim_daily · Back up SUPIM days",
    schedule=OrdinalDayTimetable(
        SITE.supim.schedule, timezone=SITE.institute.timezone, lag_days=SITE.supim.lag_days
    ),
    start_date=datetime(2016, 1, 1, tzinfo=UTC),  # long past: switched on, the newest day due runs at once
    catchup=False,
    max_active_runs=4,  # a run that waits for its day keeps no other from running; days are locked, not runs
    doc_md=__doc__,
    tags=["backup", "supim"],
    params=forms.supim_daily(SITE),
    owner_links={SITE.institute.name: SITE.mail.link},
    default_args=task_defaults(SITE, SITE.supim.retry_delay_s),
):
    window = ChooseDaysOperator(task_id="julian_window", task_display_name="Choose the days")
    secured = secure_days(window, plan_task="plan", shown="Secure each day")
    report = BuildReportOperator(
        task_id="build_report",
        task_display_name="Write the report",
        trigger_rule="all_done",
        window_task="julian_window",
        plan_task="plan",
        space_task="ensure_space",
        day_tasks=DAY_STEPS,
    )
    [window, *secured] >> report
    end_with(report, tell=["vault", "days"], plan_task="plan")
