"""The DAGs, end to end: a real scheduler runs them against the stand-in institute.

    __init__.py             ``Daily``, the daily DAG at work, and ``Run``, one run of it, as tests say it
    troubles.py             what can happen to the institute, each for as long as a block
    conftest.py             one institute and one Airflow for all of these tests
    test_policy.py          what every DAG file keeps to; needs no services
    test_supim_daily_*.py   what the daily DAG does for people, and what it does when things break
    weekly.py               ``Weekly``, the weekly DAG at work
    audit.py                ``Audits``, the audit at work; test_audit_vault.py: what it does for people
    test_vm_weekly_*.py     what it does for people, and what it does when things break
    restore.py              how a restore of days is started
    test_restore_day.py     what it does for people
    facts.py                what runs told Airflow; test_publish_facts.py: what comes of it
    others/                 other people's DAGs
    trigger_form.py         the form of *Trigger* in a real Chromium, for test_restore_*_form.py

Each test takes days of its own, so that none is disturbed by what another left in the vault. Those of the
last weeks belong to the schedule.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from functools import cached_property
from pathlib import Path
from textwrap import indent
from typing import Any, TypeVar
from urllib.parse import quote
from zoneinfo import ZoneInfo

from include.ordinal_day import OrdinalDay
from include.vault import PublishedDay, Vault
from tests.site import Institute, supim
from tests.site.airflow import LocalAirflow
from tests.site.airflow_api import JsonObject

DAG = "supim_daily"
ZONE = ZoneInfo("America/Sao_Paulo")
GREEN, RED = "success", "failed"
NEVER = "59 23 * * *"  # not in the next hours as a rule; and yesterday's run, not today's, was the last due
PATIENCE_S = 150.0  # nothing here is timed; machines that test are busy
POLL_S = 0.1
LOG_LINES = 8
"""What a time-out tells of a task's log."""

Seen = TypeVar("Seen")


def await_(look: Callable[[], Seen | None], what: str, patience_s: float = PATIENCE_S) -> Seen:
    """Look until there is something to see, and give it.

    Raises:
        TimeoutError: nothing in time; says what was waited for.
    """
    deadline = time.monotonic() + patience_s
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"No sign of {what} after {patience_s:.0f} s.")
        time.sleep(POLL_S)
    return seen


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Give everything below a folder: mode, time of change in ns, and a file's content."""
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(folder.rglob("*"))
    }


def contents(folder: Path) -> dict[str, bytes]:
    """Give the files of a folder and what is in them."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@dataclass(frozen=True)
class Run:
    """One run of a DAG; of the daily one, if no other is named."""

    airflow: LocalAirflow
    institute: Institute
    run_id: str
    dag: str = DAG

    @property
    def facts(self) -> JsonObject:
        """What Airflow says of it now."""
        return self.airflow.run(self.dag, self.run_id)

    @property
    def day(self) -> str:
        """The run's partition key."""
        return str(self.facts["partition_key"])

    def end(self, patience_s: float = PATIENCE_S) -> str:
        """Wait until it's over, and give its state."""
        with self.explained():
            state: str = self.airflow.wait_for_run(self.dag, self.run_id, patience_s)["state"]
        return state

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Have a block's time-out say how the run stands, and how the logs of what hasn't succeeded end."""
        try:
            yield
        except TimeoutError as late:
            late.add_note(f"{self.run_id} is {self.facts['state']}.")
            for name, task in self.tasks().items():
                late.add_note(f"{name}: {task['state']}, try {task['try_number']}")
                if task["try_number"] and task["state"] != GREEN:
                    late.add_note(indent("\n".join(self.log(name).splitlines()[-LOG_LINES:]), "  "))
            raise

    def tasks(self) -> dict[str, JsonObject]:
        """Give its task instances, named as people see them: ``survey``, ``copy_day 2026-268``."""
        found = self.airflow.task_instances(self.dag, self.run_id)
        return {self._name(task): task for task in found}

    def _name(self, task: JsonObject) -> str:
        name = str(task["task_id"]).rpartition(".")[2]
        # Airflow names a mapped task when it runs; a day's that hasn't run is known by the run's only day.
        which = task["rendered_map_index"] or self.facts["partition_key"] or task["map_index"]
        return name if task["map_index"] < 0 else f"{name} {which}"

    def states(self) -> dict[str, str]:
        """Give the state of each task."""
        return {name: task["state"] for name, task in self.tasks().items()}

    def reach(self, task: str, *states: str) -> JsonObject:
        """Wait until a task is in one of some states, and give it."""

        def there() -> JsonObject | None:
            found = self.tasks().get(task)
            return found if found and found["state"] in states else None

        with self.explained():
            return await_(there, f"{task} in {states} of {self.run_id}")

    def log(self, task: str) -> str:
        """Give the log of a task's last try."""
        one = self.tasks()[task]
        return self.airflow.log(self.dag, self.run_id, one["task_id"], one["map_index"])

    def clear(self, *tasks: str) -> None:
        """Clear some tasks with what comes after them, or, without any, the whole run."""
        chosen = [self.tasks()[task] for task in tasks]
        ids = [
            task["task_id"] if task["map_index"] < 0 else [task["task_id"], task["map_index"]]
            for task in chosen
        ]
        body = {"dry_run": False, "dag_run_id": self.run_id, "only_failed": False, "include_downstream": True}
        self.airflow.api(
            "POST", f"/dags/{self.dag}/clearTaskInstances", body | ({"task_ids": ids} if ids else {})
        )

    def change(self, task: str, state: str) -> None:
        """Give a task another state by hand, as the web page's *Mark as* does."""
        one = self.tasks()[task]
        path = f"/dags/{self.dag}/dagRuns/{quote(self.run_id, safe='')}/taskInstances/{one['task_id']}"
        index = f"/{one['map_index']}" if one["map_index"] >= 0 else ""
        self.airflow.api("PATCH", f"{path}{index}", {"new_state": state})

    def annotate(self, note: str) -> None:
        """Write a note on it, as a person does."""
        self.airflow.api("PATCH", f"/dags/{self.dag}/dagRuns/{quote(self.run_id, safe='')}", {"note": note})

    def stop(self) -> None:
        """Mark the whole run as failed by hand."""
        path = f"/dags/{self.dag}/dagRuns/{quote(self.run_id, safe='')}"
        self.airflow.api("PATCH", path, {"state": RED})

    def mails(self) -> list[EmailMessage]:
        """Give the mails that link to it, oldest first."""
        link = f"/runs/{quote(self.run_id, safe='')}"
        return [mail for mail in self.institute.mail.mails() if link in text_of(mail)]

    @property
    def mail(self) -> EmailMessage:
        """The last of its mails."""
        return self.mails()[-1]

    @property
    def note(self) -> str | None:
        """What stands beside it in the web page."""
        note: str | None = self.facts["note"]
        return note

    @property
    def subject(self) -> str:
        """The subject of its last mail, without what all subjects begin with."""
        return str(self.mail["Subject"]).removeprefix("[INPE backup] ")

    @property
    def told(self) -> str:
        """The text of its last mail, each run of white space as one space."""
        return " ".join(text_of(self.mail).split())


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    """Give one part of a mail."""
    body = mail.get_body((kind,))
    return str(body.get_content()) if body else ""


@dataclass(frozen=True)
class Daily:
    """The daily DAG at work: where its days come from, where they go, and how it's started."""

    institute: Institute
    airflow: LocalAirflow

    @cached_property
    def vault(self) -> Vault:
        """Where the days go."""
        return Vault.open(self.institute.vault)

    def write(self, *days: str, grid: supim.Grid = supim.TINY) -> Path:
        """Have the simulation write some days; gives the last one's folder at the source."""
        written = (supim.write_day(self.institute.source, OrdinalDay.parse(day), grid=grid) for day in days)
        return list(written)[-1]

    def write_again(self, day: str) -> Path:
        """Have the simulation run a day once more, with other results, now."""
        folder = supim.write_day(self.institute.source, OrdinalDay.parse(day), seed=1)
        for path in folder.iterdir():
            path.touch()
        return folder

    def revisions(self, day: str) -> list[PublishedDay]:
        """Give what the vault holds of a day."""
        return self.vault.revisions(OrdinalDay.parse(day))

    def staged(self, day: str) -> Path:
        """Give the folder of a day's copy in progress."""
        return self.vault.staged(OrdinalDay.parse(day)).data

    def start(self, key: str | None = None, /, **params: object) -> Run:
        """Trigger a run by hand, by partition key or without one."""
        return self._run(self.airflow.trigger(DAG, partition_key=key, conf=params))

    def run(self, key: str | None = None, /, **params: object) -> Run:
        """Trigger a run and wait until it's over."""
        run = self.start(key, **params)
        run.end()
        return run

    def runs(self, kind: str) -> list[Run]:
        """Give all runs of one kind (``manual``, ``backfill``, ``scheduled``), oldest first."""
        return [self._run(run) for run in self.airflow.runs(DAG) if run["run_type"] == kind]

    def _run(self, facts: JsonObject) -> Run:
        return Run(self.airflow, self.institute, facts["dag_run_id"])

    def write_site_file(self, **sections: dict[str, Any]) -> None:
        """Write the site file, with some keys other than usual; every task reads it when it starts."""
        supim_section = {"schedule": NEVER, "recheck_s": 5, "retry_delay_s": 1}
        changed = {**sections, "supim": supim_section | sections.get("supim", {})}
        target = self.institute.site_file
        # In one step: a task that starts just now reads the old file or the new one, never half of it.
        self.institute.write_site_file(target.with_suffix(".new"), **changed).replace(target)
        self.institute.site_file = target

    @contextmanager
    def site_file(self, **sections: dict[str, Any]) -> Iterator[None]:
        """Have another site file for a block."""
        self.write_site_file(**sections)
        try:
            yield
        finally:
            self.write_site_file()

    def read_dag_file(self) -> None:
        """Have Airflow read the DAG file now; the schedule, unlike the rest, is fixed there."""
        token = self.airflow.api("GET", f"/dags/{DAG}")["file_token"]
        self.airflow.api("PUT", f"/parseDagFile/{token}")
