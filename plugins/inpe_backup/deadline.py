"""The deadline of a run: one that goes on after it is mailed by Airflow's triggerer, while it goes on.

This is for a run that hangs or waits; a run that never starts has no deadline, but misses a heartbeat.
"""

import html
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.sdk import Context
from airflow.sdk.configuration import conf
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from include.config.site_file import Site
from include.text import duration, visible

_GOES_ON = ("queued", "running")


class LateRunNotifier(SmtpNotifier):
    """Mail that a run goes on after its deadline.

    Airflow also calls this for a run that failed before, and for each run of a long backfill, all of which
    are queued at once: these aren't mailed.

    Args:
        prefix: of the mail's subject.
        after_s: seconds from the run's begin to its deadline.
    """

    def __init__(self, *, prefix: str, after_s: float, **kwargs: Any) -> None:  # noqa: ANN401 - the base class's
        super().__init__(**kwargs)
        self.prefix = prefix
        self.after_s = after_s

    async def async_notify(self, context: Context) -> None:
        """Send the mail, if it is due."""
        run: Any = context["dag_run"]  # a dictionary here
        if run["state"] not in _GOES_ON or run["run_type"] == "backfill":
            return
        dag, after = run["dag_id"], duration(self.after_s)
        self.subject = f"[{visible(self.prefix)}] LATE · {dag} is still {run['state']} after {after}"
        self.html_content = "".join(f"<p>{html.escape(one)}</p>\n" for one in _paragraphs(run, after))
        self.custom_headers = {"Auto-Submitted": "auto-generated"}  # RFC 3834: no vacation replies
        await super().async_notify(context)


def deadline_alerts(dag_id: str, site: Site) -> list[DeadlineAlert] | None:
    """Return the deadline of a DAG's runs from when they are queued; None if there is none."""
    after_s = {"supim_daily": site.supim.run_deadline_s, "vm_weekly": site.vms.run_deadline_s}.get(dag_id)
    if not after_s:
        return None
    mail = site.mail
    notifier = AsyncCallback(
        LateRunNotifier,
        kwargs={
            "to": mail.to,
            "cc": mail.cc or None,
            "smtp_conn_id": mail.smtp_conn_id,
            "prefix": mail.subject_prefix,
            "after_s": after_s,
        },
    )
    return [DeadlineAlert(DeadlineReference.DAGRUN_QUEUED_AT, timedelta(seconds=after_s), notifier)]


def _paragraphs(run: dict[str, Any], after: str) -> list[str]:
    dag, run_id = run["dag_id"], run["dag_run_id"]
    place = f"/dags/{quote(dag, safe='')}/runs/{quote(run_id, safe='')}"
    return [
        f"The run {run_id} of {dag} is still {run['state']}, {after} after it was queued. It isn't stopped.",
        "See which of its tasks waits or hangs, and why; the task's log says what it waits for.",
        f"Run: {conf.get('api', 'base_url', fallback='').rstrip('/')}{place}",
    ]
