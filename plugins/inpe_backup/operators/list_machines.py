"""What a KVM host has, and what is to be done about it."""

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context

from include import site_file
from include.errors import TooLateError
from include.machines.plan import decide, require_scratch
from include.wording import duration
from inpe_backup.machine_host import machine_host
from inpe_backup.operators.backup_operator import BackupOperator


class ListMachinesOperator(BackupOperator):
    """Survey a host, and decide about each of its machines that the site file names; touches none.

    Args:
        host: its Airflow connection.
    """

    template_fields = ("host",)

    def __init__(self, *, host: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.host = host

    def work(self, context: Context) -> list[dict[str, Any]]:
        """Give a ``Planned`` as JSON for each machine."""
        self._require_in_time(context)
        section = site_file.current().machines
        survey = machine_host(self.host).survey()
        planned = decide(section, section.host(self.host), survey)
        for one in planned:
            self.log.info("%s: %s. %s", one.name, one.action, one.reason)
        require_scratch(survey, planned)
        return [one.model_dump(mode="json") for one in planned]

    def _require_in_time(self, context: Context) -> None:
        """See that a scheduled run that comes late, as after an outage, stops nothing in working hours.

        Who clears it later knows what he does: only the first try is asked.
        """
        run, window_s = context["dag_run"], site_file.current().machines.window_s
        late_s = (datetime.now(UTC) - run.run_after).total_seconds()
        if run.run_type == "scheduled" and context["ti"].try_number == 1 and late_s > window_s:
            raise TooLateError(
                f"This run was due {duration(late_s)} ago, and machines.window_s in the site file allows "
                f"{duration(window_s)}. No machine was stopped. Clear the run to have it done now, or wait "
                "for the next one."
            )
