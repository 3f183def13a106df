"""What every task of a backup has in common: it leaves its failure as a fact, and knows how to wait."""

from abc import abstractmethod
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator, Context, ExceptionRetryPolicy, RetryAction, RetryRule
from airflow.sdk.exceptions import AirflowRescheduleException, AirflowSkipException

from include import site_file
from include.errors import BackupError, NotYetError, PassingError
from include.failure import Failure
from include.ordinal_day import OrdinalDay
from include.vault import Vault
from inpe_backup.leavings import FAILURE
from inpe_backup.run_day import day_of_run

RETRY_WHAT_PASSES = ExceptionRetryPolicy(
    [
        RetryRule(PassingError, RetryAction.RETRY, reason="waiting may mend it"),
        RetryRule(BackupError, RetryAction.FAIL, reason="only a person can mend it"),
    ]
)
"""For ``retry_policy``: a refused key is no better in five minutes, a lost connection may be."""


class BackupOperator(BaseOperator):
    """A task of a backup; subclasses say what it does in :meth:`work`."""

    def execute(self, context: Context) -> Any:
        """Do the work; wait without a worker slot where it says to, and leave a failure as a fact."""
        try:
            return self.work(context)
        except NotYetError as later:
            self.log.info("%s", later)
            again = datetime.now(UTC) + timedelta(seconds=later.retry_in_s)
            raise AirflowRescheduleException(again) from later  # type: ignore[no-untyped-call]
        except AirflowSkipException:
            raise
        except Exception as error:
            failure = Failure(task=self.task_id, error=type(error).__name__, message=str(error))
            context["ti"].xcom_push(FAILURE, failure.model_dump(mode="json"))
            raise

    @abstractmethod
    def work(self, context: Context) -> Any:
        """Do what the task is for, and return facts for XCom."""

    def say(self, line: str) -> None:
        """Log how it goes, for what tells it a line at a time."""
        self.log.info("%s", line)

    def own_day(self, context: Context) -> OrdinalDay:
        """Give the day that the run belongs to."""
        site = site_file.current()
        return day_of_run(dict(context), timezone=site.institute.timezone, lag_days=site.supim.lag_days)

    def vault(self) -> Vault:
        """Open the site's vault."""
        return Vault.open(Path(site_file.current().vault.path))
