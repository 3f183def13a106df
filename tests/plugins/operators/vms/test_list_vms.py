"""A scheduled run that starts late, as after an outage, stops no VM in working hours."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from include.config import site_file
from include.errors import BackupError
from include.models import Model
from include.vms.models import KeptReference
from inpe_backup.operators.vms.list_vms import ListVmsOperator
from tests.include.vms.surveys import survey, vm

SITE = {
    "mail": {"to": "backup@institute.example"},
    "vaults": {"main": {"path": "/backup/vault"}},
    "datasets": {"supim": {"source": {"root": "/data/supim"}}},
    "vms": {"start_deadline_s": 3600},
}


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A site file that allows an hour's delay, without hosts: that error comes after the check."""
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(SITE), encoding="utf-8")
    monkeypatch.setenv("INPE_BACKUP_SITE", str(path))
    site_file.current.cache_clear()
    yield
    site_file.current.cache_clear()


def context_of(task: ListVmsOperator, run: object, max_tries: int = 0, **params: object) -> Any:  # noqa: ANN401 - Airflow's is a TypedDict with 40 keys
    """Return the context of the task in a run."""
    return {"dag_run": run, "ti": SimpleNamespace(max_tries=max_tries), "task": task, "params": params}


def test_the_log_names_what_wont_be_in_an_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the VM is stopped; nothing of one that gets no image."""
    site = {**SITE, "vms": {"hosts": [{"vms": ["*"], "exclude": ["maq2"]}]}}
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(site), encoding="utf-8")
    usb = {"kind": "usb", "where": "046d:0825"}
    monkeypatch.setattr(
        ListVmsOperator, "ask", lambda *_: survey(*(vm(name, left_out=[usb]) for name in ("maq1", "maq2")))
    )
    run = SimpleNamespace(run_type="manual", run_after=datetime.now(UTC))
    task = ListVmsOperator(task_id="list_vms", ssh_conn_id="kvm_host")
    planned, _ = task.work(context_of(task, run))
    assert planned["left_out"] == [{"name": "", "reason": "", **usb}]
    logged = capsys.readouterr().out
    assert "maq1: not in the image: USB device of the host (046d:0825)." in logged
    assert "maq2: not in the image" not in logged


def error_of(run_type: str, late: timedelta, max_tries: int = 3) -> str:
    """Run the task that much late, and return its error message."""
    run = SimpleNamespace(run_type=run_type, run_after=datetime.now(UTC) - late)
    task = ListVmsOperator(task_id="list_vms", ssh_conn_id="kvm_host", retries=3)
    with pytest.raises(BackupError) as failed:
        task.work(context_of(task, run, max_tries))
    return str(failed.value)


def test_a_scheduled_run_that_starts_too_late_stops_no_vm() -> None:
    """The message says how late it is, and what to do."""
    message = error_of("scheduled", timedelta(hours=9))
    assert message.startswith(
        "This run was due 9 h 0 min ago, and vms.start_deadline_s in the site file allows 1 h 0 min."
    )
    assert "No VM was stopped. Clear the run to back up the VMs now" in message


@pytest.mark.parametrize(
    ("run_type", "late", "max_tries"),
    [
        ("scheduled", timedelta(minutes=50), 3),
        ("scheduled", timedelta(hours=9), 4),  # Airflow raised it when a person cleared the task
        ("manual", timedelta(hours=9), 3),
    ],
)
def test_other_runs_are_never_too_late(run_type: str, late: timedelta, max_tries: int) -> None:
    """In time, cleared by a person, or started by hand."""
    assert error_of(run_type, late, max_tries) == "The site file has no host kvm_host under vms.hosts."


def test_vms_that_werent_asked_for_are_listed_as_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Later tasks need all names, for the message about one that matches none."""
    site = {**SITE, "vms": {"hosts": [{"vms": ["*"]}]}}
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(site), encoding="utf-8")
    monkeypatch.setattr(ListVmsOperator, "ask", lambda *_: survey(*map(vm, ("maq1", "maq2"))))
    run = SimpleNamespace(run_type="manual", run_after=datetime.now(UTC))
    task = ListVmsOperator(task_id="list_vms", ssh_conn_id="kvm_host")
    plans = task.work(context_of(task, run, vms=["maq2"]))
    assert [(plan["name"], plan["action"]) for plan in plans] == [("maq1", "skip"), ("maq2", "image")]


def test_the_clones_of_an_excluded_vm_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They wait on the host for a backup that won't come; those of other VMs stay."""
    site = {**SITE, "vms": {"hosts": [{"vms": ["*"], "exclude": ["maq[23]"]}]}}
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(site), encoding="utf-8")
    waiting = {"maq1": True, "maq2": True, "maq3": False}
    vms = [vm(name, uuid=f"uuid of {name}", has_reference=has) for name, has in waiting.items()]
    asked = []

    def ask(_task: object, _model: type[Model], *words: str) -> Model:
        asked.append(words)
        return survey(*vms) if words == ("survey",) else KeptReference(kept=False, reason="")

    monkeypatch.setattr(ListVmsOperator, "ask", ask)
    run = SimpleNamespace(run_type="manual", run_after=datetime.now(UTC))
    task = ListVmsOperator(task_id="list_vms", ssh_conn_id="kvm_host")
    task.work(context_of(task, run))
    assert asked == [("survey",), ("drop-reference", "--why=it is excluded", "--", "uuid of maq2")]
