"""The DAGs, end to end: a real scheduler runs them against the stand-in institute.

    __init__.py             ``Daily`` drives ``supim_daily``; ``Run`` is one run of any DAG
    weekly_runs.py          ``Weekly`` drives ``vm_weekly`` on a real KVM host
    scrubs.py               ``Scrubs`` drives ``vault_scrub``
    celery_workers.py       ``CeleryDaily`` drives it on Celery
    day_restores.py         starts ``supim_restore``
    site_faults.py          faults of the institute, each for the length of a block
    status_events.py        the asset events that runs leave
    trigger_form.py         Airflow's *Trigger* form in a real Chromium, for test_*_restore_form.py
    others/                 other people's DAGs
    production/             the set-up for production, on a real Docker engine
    conftest.py             the DAGs on the worker's one Airflow (tests/one_airflow.py)
    test_policy.py          what every DAG file keeps to; test_documents.py: what README.md and docs/ do
    test_<dag>*.py          each DAG end to end, also with faults

Each test has days of its own, so that what another left in the vault doesn't disturb it. The days of the last
weeks belong to the tests of the schedule.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from functools import cached_property
from pathlib import Path
from textwrap import indent
from typing import Any, Self, TypeVar
from urllib.parse import quote

from include.days.archive import DayArchive
from include.days.published import PublishedDay
from include.ordinal_day import OrdinalDay
from include.vault.vault import Vault
from tests.one_airflow import OneAirflow
from tests.site import Institute, supim
from tests.site.airflow import LocalAirflow
from tests.site.airflow_api import JsonObject

DAG = "supim_daily"
GREEN, RED = "success", "failed"
PATIENCE_S = 240.0  # no test measures time, and a machine that runs tests is busy
POLL_S = 0.3  # each poll costs requests, which slow down the runs
LOG_LINES = 8
"""How many lines of a task's log a time-out shows."""

Found = TypeVar("Found")


def wait_for(find: Callable[[], Found | None], what: str, patience_s: float = PATIENCE_S) -> Found:
    """Call a function until it finds something, and return that.

    Raises:
        TimeoutError: it found nothing in time; names what was waited for.
    """
    deadline = time.monotonic() + patience_s
    while not (found := find()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"No sign of {what} after {patience_s:.0f} s.")
        time.sleep(POLL_S)
    return found


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return mode, modification time in ns and content of everything below a folder."""
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(folder.rglob("*"))
    }


def contents(folder: Path) -> dict[str, bytes]:
    """Return the content of each file below a folder, by its path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@dataclass(frozen=True)
class Run:
    """One run of a DAG; of ``supim_daily`` unless another is named."""

    airflow: LocalAirflow
    institute: Institute
    run_id: str
    dag: str = DAG

    @property
    def info(self) -> JsonObject:
        """The run as Airflow's API returns it now."""
        return self.airflow.run(self.dag, self.run_id)

    @property
    def day(self) -> str:
        """The run's partition key."""
        return str(self.info["partition_key"])

    def end(self, patience_s: float = PATIENCE_S) -> str:
        """Wait until it's over, and return its state."""
        with self.explained():
            state: str = self.airflow.wait_for_run(self.dag, self.run_id, patience_s)["state"]
        return state

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Add the run's state and the last log lines of unfinished tasks to a time-out in a block."""
        try:
            yield
        except TimeoutError as late:
            late.add_note(f"{self.run_id} is {self.info['state']}.")
            for name, task in self.tasks().items():
                late.add_note(f"{name}: {task['state']}, try {task['try_number']}")
                if task["try_number"] and task["state"] != GREEN:
                    late.add_note(indent("\n".join(self.log(name).splitlines()[-LOG_LINES:]), "  "))
            raise

    def tasks(self) -> dict[str, JsonObject]:
        """Return its task instances by the names that people see: ``plan_days``, ``copy_day 2026-268``."""
        found = self.airflow.task_instances(self.dag, self.run_id)
        return {self._name(task): task for task in found}

    def _name(self, task: JsonObject) -> str:
        name = str(task["task_id"]).rpartition(".")[2]
        # Airflow names a mapped task when it runs; before that, the run's only day names it.
        which = task["rendered_map_index"] or self.info["partition_key"] or task["map_index"]
        return name if task["map_index"] < 0 else f"{name} {which}"

    def states(self) -> dict[str, str]:
        """Return the state of each task."""
        return {name: task["state"] for name, task in self.tasks().items()}

    def reach(self, task: str, *states: str) -> JsonObject:
        """Wait until a task is in one of these states, and return it."""

        def task_in_state() -> JsonObject | None:
            found = self.tasks().get(task)
            return found if found and found["state"] in states else None

        with self.explained():
            return wait_for(task_in_state, f"{task} in {states} of {self.run_id}")

    def log(self, task: str) -> str:
        """Return the log of a task's last try."""
        one = self.tasks()[task]
        return self.airflow.log(self.dag, self.run_id, one["task_id"], one["map_index"])

    def clear(self, *tasks: str) -> None:
        """Clear tasks with their downstream tasks; without any, the whole run."""
        chosen = [self.tasks()[task] for task in tasks]
        ids = [
            task["task_id"] if task["map_index"] < 0 else [task["task_id"], task["map_index"]]
            for task in chosen
        ]
        body = {"dry_run": False, "dag_run_id": self.run_id, "only_failed": False, "include_downstream": True}
        self.airflow.api(
            "POST", f"/dags/{self.dag}/clearTaskInstances", body | ({"task_ids": ids} if ids else {})
        )

    def clear_failed(self) -> None:
        """Clear only the failed tasks of the run, as the web page offers it."""
        path = f"/dags/{self.dag}/dagRuns/{quote(self.run_id, safe='')}/clear"
        self.airflow.api("POST", path, {"dry_run": False, "only_failed": True})

    def change(self, task: str, state: str) -> None:
        """Set a task's state by hand, as *Mark as* in the web page does."""
        one = self.tasks()[task]
        path = f"/dags/{self.dag}/dagRuns/{quote(self.run_id, safe='')}/taskInstances/{one['task_id']}"
        index = f"/{one['map_index']}" if one["map_index"] >= 0 else ""
        self.airflow.api("PATCH", f"{path}{index}", {"new_state": state})

    def annotate(self, note: str) -> None:
        """Write a note on the run, as a person does."""
        self.airflow.api("PATCH", f"/dags/{self.dag}/dagRuns/{quote(self.run_id, safe='')}", {"note": note})

    def stop(self) -> None:
        """Mark the run as failed by hand."""
        path = f"/dags/{self.dag}/dagRuns/{quote(self.run_id, safe='')}"
        self.airflow.api("PATCH", path, {"state": RED})

    def mails(self) -> list[EmailMessage]:
        """Return the mails that link to the run, oldest first."""
        link = f"/runs/{quote(self.run_id, safe='')}"
        return [mail for mail in self.institute.mail.mails() if link in text_of(mail)]

    @property
    def mail(self) -> EmailMessage:
        """The last of its reports: an alarm about damage may come after it."""
        return [mail for mail in self.mails() if "] DAMAGE · " not in mail["Subject"]][-1]

    @property
    def note(self) -> str | None:
        """The run's note in the web page."""
        note: str | None = self.info["note"]
        return note

    @property
    def subject(self) -> str:
        """The subject of its last mail, without the common prefix."""
        return str(self.mail["Subject"]).removeprefix("[INPE backup] ")

    @property
    def mail_text(self) -> str:
        """The text of its last mail, with single spaces."""
        return " ".join(text_of(self.mail).split())


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    """Return the text of one part of a mail."""
    body = mail.get_body((kind,))
    return str(body.get_content()) if body else ""


@dataclass(frozen=True)
class Daily:
    """Drives ``supim_daily``: its source, its vault and its runs."""

    institute: Institute
    airflow: LocalAirflow

    @classmethod
    def on(cls, one: OneAirflow, name: str = "daily") -> Self:
        """Return one for a part of the institute; create that part's vault if there is none."""
        institute = one.institute_for(name)
        if not institute.vault.exists():
            Vault.create(institute.vault)
        return cls(institute, one.airflow)

    @classmethod
    def apart(cls, one: OneAirflow, name: str) -> Self:
        """Switch the DAG on, with a part of the institute that no other module uses."""
        work = cls.on(one, name)
        one.take_over(DAG)
        work.write_site_file()
        return work

    @cached_property
    def vault(self) -> Vault:
        """The vault."""
        return Vault.open(self.institute.vault)

    def write(self, *days: str, grid: supim.Grid = supim.TINY) -> Path:
        """Write days at the source as the simulation does; return the last one's folder."""
        written = (supim.write_day(self.institute.source, OrdinalDay.parse(day), grid=grid) for day in days)
        return list(written)[-1]

    def write_again(self, day: str) -> Path:
        """Write a day at the source again, with other content and the current time."""
        folder = supim.write_day(self.institute.source, OrdinalDay.parse(day), seed=1)
        for path in folder.iterdir():
            path.touch()
        return folder

    def revisions(self, day: str) -> list[PublishedDay]:
        """Return the revisions of a day in the vault."""
        return DayArchive(self.vault).revisions(OrdinalDay.parse(day))

    def staged(self, day: str) -> Path:
        """Return the staging folder of a day's copy."""
        return DayArchive(self.vault).staged(OrdinalDay.parse(day)).data

    def start(self, key: str | None = None, /, **params: object) -> Run:
        """Trigger a run, with or without a partition key."""
        return self._run(self.airflow.trigger(DAG, partition_key=key, conf=params))

    def run(self, key: str | None = None, /, **params: object) -> Run:
        """Trigger a run and wait until it's over."""
        run = self.start(key, **params)
        run.end()
        return run

    def runs(self, kind: str) -> list[Run]:
        """Return all runs of a type (``manual``, ``backfill``, ``scheduled``), oldest first."""
        return [self._run(run) for run in self.airflow.runs(DAG) if run["run_type"] == kind]

    def _run(self, run: JsonObject) -> Run:
        return Run(self.airflow, self.institute, run["dag_run_id"])

    def write_site_file(self, **sections: dict[str, Any]) -> None:
        """Write the site file with some keys changed; every task reads it when it starts."""
        target = self.institute.site_file
        # In one step: a task that starts just now reads the old file or the new one, never half of it.
        self.institute.write_site_file(target.with_suffix(".new"), **sections).replace(target)
        self.institute.site_file = target

    @contextmanager
    def site_file(self, **sections: dict[str, Any]) -> Iterator[None]:
        """Change the site file for a block."""
        self.write_site_file(**sections)
        try:
            yield
        finally:
            self.write_site_file()

    def read_dag_file(self) -> None:
        """Make Airflow read the DAG file now: only then does a new schedule count."""
        token = self.airflow.api("GET", f"/dags/{DAG}")["file_token"]
        self.airflow.api("PUT", f"/parseDagFile/{token}")
