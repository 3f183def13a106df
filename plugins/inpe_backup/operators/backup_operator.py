"""The base of all operators: a waiting task frees its worker slot, a failed one leaves the reason."""

import random
from abc import abstractmethod
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator, Context, ExceptionRetryPolicy, RetryAction, RetryRule
from airflow.sdk.exceptions import AirflowRescheduleException, AirflowSkipException

from include.config import site_file
from include.errors import BackupError, RescheduleError, TransientError, VaultUnmarkedError
from include.ordinal_day import OrdinalDay, require_begun
from include.report.alarm import vault_gone
from include.results.failure import Failure
from include.vault.vault import Vault
from inpe_backup import task_lock
from inpe_backup.alarm import mail_alarms
from inpe_backup.run_day import day_of_run
from inpe_backup.xcom import FAILURE

RETRY_TRANSIENT_ERRORS = ExceptionRetryPolicy(
    [
        RetryRule(TransientError, RetryAction.RETRY, reason="a later try may succeed"),
        RetryRule(BackupError, RetryAction.FAIL, reason="a person must fix the cause first"),
    ]
)
"""For ``retry_policy``: a lost connection may work in five minutes, a refused key won't."""


FIRST_WAIT_S, LONGEST_WAIT_S = 10.0, 300.0
_EVENTS_S = 30.0  # Airflow writes a task's events within 5 s, or not at all


def wait(later: RescheduleError, waits_before: int) -> timedelta:
    """Return how long to wait; where that isn't known, longer each time, and not as long as other tasks."""
    if later.retry_in_s is not None:
        return timedelta(seconds=later.retry_in_s)
    grown_s = min(FIRST_WAIT_S * 1.5 ** min(waits_before, 20), LONGEST_WAIT_S)
    return timedelta(seconds=grown_s * random.uniform(0.8, 1.2))  # noqa: S311 - only spreads them


class BackupOperator(BaseOperator):
    """A task of this project; subclasses implement :meth:`work`."""

    def execute(self, context: Context) -> Any:
        """Do the work; reschedule the task if it must wait, and leave a failure for the report."""
        try:
            return self.work(context)
        except RescheduleError as later:
            self.log.info("%s", later)
            retry_at = datetime.now(UTC) + wait(later, context.get("task_reschedule_count", 0))
            raise AirflowRescheduleException(retry_at) from later  # type: ignore[no-untyped-call]
        except AirflowSkipException:
            raise
        except Exception as error:
            failure = Failure(
                task=self.task_id,
                error=type(error).__name__,
                message=str(error),
                tries=getattr(context["ti"], "try_number", 1),
                about=getattr(error, "about", ""),
            )
            context["ti"].xcom_push(FAILURE, failure.model_dump(mode="json"))
            self.log.error("%s", error)  # noqa: TRY400 - above Airflow's own line, which has the traceback
            if isinstance(error, VaultUnmarkedError):
                mail_alarms(context, self.log, [vault_gone(site_file.current().vault.path, str(error))])
            if not isinstance(error, BackupError):
                raise
            self.log.debug("Where it came from", exc_info=error)
            raise error.with_traceback(None) from None  # the message is for people; where it was raised isn't

    def post_execute(self, context: Context, result: Any = None) -> None:  # noqa: ARG002 - Airflow's signature
        """Let one task at a time end of those that publish.

        Airflow writes a task's asset events when it ends, and creates assets that are new. Where two tasks
        create the same one at once, PostgreSQL refuses the second, and Airflow fails its task for good.
        """
        if self.outlets:
            task_lock.lock_until_exit("events", _EVENTS_S)

    @abstractmethod
    def work(self, context: Context) -> Any:
        """Do the task's work, and return plain JSON for XCom."""

    def log_line(self, line: str) -> None:
        """Log a line of progress."""
        self.log.info("%s", line)

    def own_day(self, context: Context) -> OrdinalDay:
        """Return the day that the run is for.

        Raises:
            InvalidDayError: there is no such day, or not yet.
        """
        site = site_file.current()
        day = day_of_run(dict(context), timezone=site.institute.timezone, lag_days=site.supim.lag_days)
        require_begun(day, OrdinalDay.of(datetime.now(site.institute.zone)))
        return day

    @staticmethod
    def requested_vms(context: Context) -> list[str]:
        """Return the names or patterns of the VMs that the run was asked for; none: all."""
        return [pattern.strip() for pattern in context["params"].get("vms") or ()]

    def vault(self) -> Vault:
        """Open the site's vault."""
        return Vault.open(Path(site_file.current().vault.path))
