"""A weekly run that comes too late, as after an outage, stops no machine in working hours."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from include import site_file
from include.errors import BackupError
from inpe_backup.operators.list_machines import ListMachinesOperator

SITE = {
    "mail": {"to": "backup@institute.example"},
    "vault": {"path": "/backup/vault"},
    "supim": {"source": {"root": "/data/supim"}},
    "machines": {"window_s": 3600},
}


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A site whose runs may come an hour late, and that has no host: who asks for one is past the check."""
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(SITE), encoding="utf-8")
    monkeypatch.setenv("INPE_BACKUP_SITE", str(path))
    site_file.current.cache_clear()
    yield
    site_file.current.cache_clear()


def said(run_type: str, late: timedelta, try_number: int = 1) -> str:
    """List the machines in a run that begins so late; gives what it fails with."""
    run = SimpleNamespace(run_type=run_type, run_after=datetime.now(UTC) - late)
    context: Any = {"dag_run": run, "ti": SimpleNamespace(try_number=try_number)}
    with pytest.raises(BackupError) as failed:
        ListMachinesOperator(task_id="list_machines", host="kvm_host").work(context)
    return str(failed.value)


def test_a_scheduled_run_that_comes_too_late_stops_no_machine() -> None:
    """It says how late it is, and what to do."""
    told = said("scheduled", timedelta(hours=9))
    assert told.startswith(
        "This run was due 9 h 0 min ago, and machines.window_s in the site file allows 1 h 0 min."
    )
    assert "No machine was stopped. Clear the run to have it done now" in told


@pytest.mark.parametrize(
    ("run_type", "late", "try_number"),
    [
        ("scheduled", timedelta(minutes=50), 1),
        ("scheduled", timedelta(hours=9), 2),  # cleared by a person, or tried again
        ("manual", timedelta(hours=9), 1),
    ],
)
def test_every_other_run_goes_on(run_type: str, late: timedelta, try_number: int) -> None:
    """In time, cleared later by a person, or started by hand."""
    assert said(run_type, late, try_number) == "The site file names no host kvm_host under machines.hosts."
