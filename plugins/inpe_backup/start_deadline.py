"""The start deadline: a scheduled run that is late, as after an outage, stops no VM in working hours."""

from datetime import UTC, datetime

from airflow.sdk import Context

from include.config import site_file
from include.errors import TooLateError
from include.text import duration


def deadline_counts(context: Context) -> bool:
    """Return whether the deadline counts for a task: its run is scheduled, and nobody has cleared the task.

    A person who triggers a run or clears a task wants it to run now. Clearing a task that ran raises its
    ``max_tries``; Airflow's own retries don't.
    """
    retries = context["task"].retries or 0
    return context["dag_run"].run_type == "scheduled" and context["ti"].max_tries <= retries


def require_in_time(context: Context, advice: str) -> None:
    """Require the deadline not to be over.

    Args:
        context: of the task.
        advice: what wasn't done, and what to do, in sentences.

    Raises:
        TooLateError: it is.
    """
    deadline_s = site_file.current().vms.start_deadline_s
    late_s = (datetime.now(UTC) - context["dag_run"].run_after).total_seconds()
    if late_s > deadline_s:
        raise TooLateError(
            f"This run was due {duration(late_s)} ago, and vms.start_deadline_s in the site file allows "
            f"{duration(deadline_s)}. {advice}"
        )
