"""A client of Airflow's REST API for tests and the demo: standard library only, errors quote the answer."""

import time
import urllib.error
import urllib.request
from collections.abc import Collection, Mapping
from http import HTTPStatus
from json import dumps, loads
from typing import Any
from urllib.parse import quote, urlencode

JsonObject = dict[str, Any]

FINISHED = ("success", "failed")
_TIMEOUT_S = 120  # well over the 30 s of the database's own time-out, so that the server can report it
_POLL_S = 0.25
_PAGE = 100
_BUSY_TRIES = 10


class ApiError(RuntimeError):
    """Airflow answered with an error; has its ``status`` and ``body``."""

    def __init__(self, request: str, status: int, body: str) -> None:
        super().__init__(f"{request} was answered with {status}: {body}")
        self.status = status
        self.body = body

    @property
    def is_busy(self) -> bool:
        """Whether the database was locked: SQLite has one writer at a time."""
        return self.status == HTTPStatus.SERVICE_UNAVAILABLE or '"Database error"' in self.body


class AirflowApi:
    """The REST API of an Airflow; logs in at the first call.

    Args:
        url: its URL without a path.
        user: the account's name.
        password: the account's password.
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url
        self.user = user
        self.password = password
        self._token = ""

    def api(self, method: str, path: str, json: object = None) -> Any:  # noqa: ANN401 - any JSON
        """Call ``/api/v2`` + path, and return the parsed answer (None for an empty one).

        Raises:
            ApiError: the status is 400 or more; while the database is busy, it's retried first.
        """
        for last in (*[False] * (_BUSY_TRIES - 1), True):
            self._token = self._token or self.log_in()
            try:
                return self._send(method, f"/api/v2{path}", json, {"Authorization": f"Bearer {self._token}"})
            except ApiError as refused:
                if refused.status == HTTPStatus.UNAUTHORIZED and not last:
                    self._token = ""  # expired
                elif last or not refused.is_busy:
                    raise
            time.sleep(_POLL_S)
        raise AssertionError("unreachable")

    def page_alerts(self) -> list[str]:
        """Return what the page *Backups* says is to be done, of all vaults."""
        bearer = {"Authorization": f"Bearer {self.log_in()}"}
        vaults = self._send("GET", "/backups/api/v1/vaults", None, bearer)
        return [alert["sentence"] for vault in vaults for alert in vault["alerts"]]

    def health(self) -> JsonObject:
        """Return the state of each component, without logging in."""
        answer: JsonObject = self._send("GET", "/api/v2/monitor/health", None, {})
        return answer

    def unpause(self, dag_id: str, timeout_s: float = 60) -> None:
        """Switch a DAG on as soon as Airflow knows it.

        Raises:
            TimeoutError: it doesn't in time; the message has the import errors.
        """
        self.wait_for_dag(dag_id, timeout_s)
        self.api("PATCH", f"/dags/{quote(dag_id)}", {"is_paused": False})

    def wait_for_dag(self, dag_id: str, timeout_s: float = 60) -> None:
        """Wait until Airflow knows a DAG.

        Raises:
            TimeoutError: it doesn't in time; the message has the import errors.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                self.api("GET", f"/dags/{quote(dag_id)}")
            except ApiError as refused:
                if refused.status != HTTPStatus.NOT_FOUND:
                    raise
            else:
                return
            if time.monotonic() > deadline:
                broken = [error["stack_trace"] for error in self._pages("/importErrors", "import_errors")]
                errors = "\n".join(broken) or "none"
                raise TimeoutError(f"No DAG {dag_id} after {timeout_s:.0f} s. Import errors: {errors}")
            time.sleep(_POLL_S)

    def switch_on_only(self, dag_ids: Collection[str]) -> None:
        """Switch these DAGs on, and all others off."""
        for dag in self._pages("/dags", "dags", paused="false"):
            if dag["dag_id"] not in dag_ids:
                self.api("PATCH", f"/dags/{quote(dag['dag_id'])}", {"is_paused": True})
        for dag_id in dag_ids:
            self.unpause(dag_id)

    def wait_until_idle(self, timeout_s: float = 60) -> None:
        """Wait until no run of any DAG is active; after the time-out, mark active ones as failed."""
        deadline = time.monotonic() + timeout_s
        while running := [
            run
            for state in ("running", "queued")
            for run in self._pages("/dags/~/dagRuns", "dag_runs", state=state)
        ]:
            if time.monotonic() > deadline:
                for run in running:
                    self.api("PATCH", _run_path(run["dag_id"], run["dag_run_id"]), {"state": "failed"})
            time.sleep(_POLL_S)

    def trigger(
        self, dag_id: str, partition_key: str | None = None, conf: Mapping[str, object] | None = None
    ) -> JsonObject:
        """Trigger a run, and return it."""
        body = {"logical_date": None, "partition_key": partition_key, "conf": dict(conf or {})}
        run: JsonObject = self.api("POST", f"/dags/{quote(dag_id)}/dagRuns", body)
        return run

    def backfill(self, dag_id: str, first: str, last: str, reprocess: str = "completed") -> JsonObject:
        """Start a backfill, and return it.

        Args:
            dag_id: the DAG.
            first: ISO date of the first partition.
            last: ISO date of the last one.
            reprocess: which days that have a run get another: ``none``, ``failed`` or ``completed`` (all).
        """
        body = {"dag_id": dag_id, "from_date": f"{first}T00:00:00Z", "to_date": f"{last}T00:00:00Z"}
        made: JsonObject = self.api("POST", "/backfills", body | {"reprocess_behavior": reprocess})
        return made

    def backfills(self, dag_id: str) -> list[JsonObject]:
        """Return a DAG's backfills, completed ones too."""
        return self._pages("/backfills", "backfills", dag_id=dag_id)

    def run(self, dag_id: str, run_id: str) -> JsonObject:
        """Return one run."""
        found: JsonObject = self.api("GET", _run_path(dag_id, run_id))
        return found

    def runs(self, dag_id: str) -> list[JsonObject]:
        """Return a DAG's runs, oldest first."""
        return self._pages(f"/dags/{quote(dag_id)}/dagRuns", "dag_runs", order_by="id")

    def wait_for_run(self, dag_id: str, run_id: str, timeout_s: float = 120) -> JsonObject:
        """Wait until a run is over, successful or not, and return it.

        Raises:
            TimeoutError: it isn't in time; the message has its tasks' states.
        """
        deadline = time.monotonic() + timeout_s
        while self.run_state(dag_id, run_id) not in FINISHED:
            if time.monotonic() > deadline:
                run = self.run(dag_id, run_id)
                tasks = [
                    f"{task['task_id']}: {task['state']}" for task in self.task_instances(dag_id, run_id)
                ]
                raise TimeoutError(
                    f"{dag_id} {run_id} is {run['state']} after {timeout_s:.0f} s ({', '.join(tasks)})."
                )
            time.sleep(_POLL_S)
        return self.run(dag_id, run_id)

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return a run's state."""
        return str(self.run(dag_id, run_id)["state"])

    def task_instances(self, dag_id: str, run_id: str) -> list[JsonObject]:
        """Return a run's task instances, one for each map index."""
        return self._pages(f"{_run_path(dag_id, run_id)}/taskInstances", "task_instances")

    def log(
        self, dag_id: str, run_id: str, task_id: str, map_index: int = -1, try_number: int | None = None
    ) -> str:
        """Return the log of a task instance, of its last try by default."""
        task = f"{_run_path(dag_id, run_id)}/taskInstances/{quote(task_id, safe='')}"
        if try_number is None:
            instance = task if map_index < 0 else f"{task}/{map_index}"
            try_number = self.api("GET", instance)["try_number"]
        query = urlencode({"map_index": map_index, "full_content": "true"})
        answer = self.api("GET", f"{task}/logs/{try_number}?{query}")
        return "\n".join(_line(entry) for entry in answer["content"])

    def xcom(
        self, dag_id: str, run_id: str, task_id: str, map_index: int = -1, key: str = "return_value"
    ) -> Any:  # noqa: ANN401 - any JSON
        """Return an XCom of a task instance; by default what it returned."""
        task = f"{_run_path(dag_id, run_id)}/taskInstances/{quote(task_id, safe='')}"
        return self.api("GET", f"{task}/xcomEntries/{quote(key, safe='')}?map_index={map_index}")["value"]

    def asset_events(self, prefix: str, *, dag_id: str = "", run_id: str = "") -> list[JsonObject]:
        """Return the events of the assets whose names begin with a prefix, oldest first.

        Args:
            prefix: the beginning of the names.
            dag_id: only events of this DAG.
            run_id: only events of this run.
        """
        query = {"source_dag_id": dag_id, "source_run_id": run_id}
        chosen = {key: value for key, value in query.items() if value}
        return self._pages("/assets/events", "asset_events", name_prefix_pattern=prefix, **chosen)

    def _pages(self, path: str, member: str, **query: str) -> list[JsonObject]:
        items: list[JsonObject] = []
        while True:
            page = self.api("GET", f"{path}?{urlencode(query | {'limit': _PAGE, 'offset': len(items)})}")
            items += page[member]
            if not page[member] or len(items) >= page["total_entries"]:
                return items

    def log_in(self) -> str:
        """Return a new token for the account."""
        account = {"username": self.user, "password": self.password}
        token: str = self._send("POST", "/auth/token", account, {})["access_token"]
        return token

    def _send(self, method: str, path: str, body: object, headers: Mapping[str, str]) -> Any:  # noqa: ANN401
        request = urllib.request.Request(  # noqa: S310 - http, our own server
            self.url + path,
            data=None if body is None else dumps(body).encode(),
            headers={"Content-Type": "application/json", "Accept": "application/json", **headers},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - as above
                content = answer.read()
        except urllib.error.HTTPError as refused:
            raise ApiError(
                f"{method} {path}", refused.code, refused.read().decode(errors="replace")
            ) from None
        return loads(content) if content else None


def _run_path(dag_id: str, run_id: str) -> str:
    return f"/dags/{quote(dag_id)}/dagRuns/{quote(run_id, safe='')}"


def _line(entry: object) -> str:
    """Return a log entry as a line: Airflow 3 sends objects; of their context only errors matter."""
    if not isinstance(entry, dict):
        return str(entry)
    errors = "".join(
        f"\n{error.get('exc_type')}: {error.get('exc_value')}" for error in entry.get("error_detail") or []
    )
    return f"{entry.get('timestamp') or ''} {entry.get('level') or ''} {entry.get('event')}{errors}".strip()
