"""Send a heartbeat to the monitor that notices runs that never start."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Connection, Context

from include.config import site_file
from include.remote.heartbeat import Heartbeat, Kind, Signal, request_of, send
from inpe_backup.operators.backup_operator import BackupOperator
from inpe_backup.run_day import day_at
from inpe_backup.run_note import NO_MAIL, NO_REPORT, NOTE

_CHECK, _MAIL = "check_result", "email_report"
_FAILED = ("failed", "upstream_failed")
_MAILED = ("success", "skipped")  # it is skipped where none is to be sent
_MAP_INDEX = re.compile(r"_\d+$")  # behind the id of a mapped task instance


class SendHeartbeatOperator(BackupOperator):
    """Report the start or the result of a run to a monitor; a monitor in trouble is only a warning.

    Only runs that do what the schedule does are reported, so that none hides that the scheduled one is
    missing: no backfill, no dry run, no run for something that a person named.

    Args:
        kind: the monitor.
        conn_id: the connection of its check: the host, and in the password what follows it in the address.
        start: whether the run's start is reported; else its result.
    """

    def __init__(self, *, kind: Kind, conn_id: str, start: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind
        self.conn_id = conn_id
        self.start = start

    def work(self, context: Context) -> None:
        """Send the heartbeat."""
        if not is_usual(context):
            self.log.info("No heartbeat: this run isn't what the schedule does.")
            return
        try:
            problem = self._send(context)
        except Exception as error:  # noqa: BLE001 - whatever it is, the backup isn't worse for it
            problem = str(error) or type(error).__name__
        if problem:
            self.log.warning("The monitor didn't accept the heartbeat of %s: %s.", self.conn_id, problem)

    def _send(self, context: Context) -> str | None:
        run = f"{context['dag'].dag_id} {context['dag_run'].run_id}"
        heartbeat = Heartbeat(Signal.START, run) if self.start else self._of_result(context, run)
        request = request_of(self.kind, address(self.conn_id), heartbeat)
        return send(request) if request else None

    def _of_result(self, context: Context, run: str) -> Heartbeat:
        """Return the heartbeat that ends a run, with the line that is the run's note, too."""
        ti, its = context["ti"], context["dag_run"]
        states = ti.get_task_states(dag_id=context["dag"].dag_id, run_ids=[its.run_id]).get(its.run_id, {})
        checked = states.get(_CHECK) in (
            "success",
            "failed",
        )  # else its XCom may be from before it was cleared
        line = (ti.xcom_pull(_CHECK, key=NOTE) if checked else None) or NO_REPORT
        took = datetime.now(UTC) - (its.start_date or its.run_after)
        return Heartbeat(
            Signal.SUCCESS if self._succeeded(states) else Signal.FAILURE,
            run,
            line if states.get(_MAIL) in _MAILED else f"{line} · {NO_MAIL}",
            took.total_seconds(),
        )

    def _succeeded(self, states: Mapping[str, str | None]) -> bool:
        """Return whether the run is about to succeed: the tasks just before this one decide that."""
        failed = {_MAP_INDEX.sub("", key) for key, state in states.items() if state in _FAILED}
        return states.get(_CHECK) == "success" and not failed & self.upstream_task_ids


def address(conn_id: str) -> str:
    """Return the address of a check from its connection; HTTPS unless the host says otherwise."""
    found = Connection.get(conn_id)
    host = found.host or ""
    base = host if "://" in host else f"{found.schema or 'https'}://{host}"
    base += f":{found.port}" if found.port else ""
    return "/".join(part.strip("/") for part in (base, found.password or "") if part)


def is_usual(context: Context) -> bool:
    """Return whether a run does what a scheduled one does, and nothing that a person asked for."""
    run, key, defaults = context["dag_run"], context.get("partition_key"), context["dag"].params.dump()
    asked = {name for name, value in context["params"].items() if value != defaults.get(name)}
    return run.run_type != "backfill" and not asked and key in (None, _due_key(run.run_after))


def _due_key(run_after: datetime) -> str:
    site = site_file.current()
    return str(day_at(run_after, zone=site.institute.zone, lag_days=site.supim.lag_days))
