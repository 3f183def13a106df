"""``RefreshStatusOperator`` without an Airflow: what its errors do."""

from types import SimpleNamespace
from typing import Any

import pytest

from include.errors import VaultError
from inpe_backup.operators.vault import refresh_status
from inpe_backup.operators.vault.refresh_status import RefreshStatusOperator
from tests.include.report import sample_items


def refreshed(monkeypatch: pytest.MonkeyPatch, report_task: str | None) -> None:
    """Run it where the status can't be read."""

    def fail(*_: Any) -> None:  # noqa: ANN401 - whatever it is given
        raise VaultError("no vault")

    monkeypatch.setattr(RefreshStatusOperator, "_publish", fail)
    RefreshStatusOperator(task_id="refresh_status", report_task=report_task).work({})


def test_behind_a_report_an_error_fails_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page isn't the backup."""
    refreshed(monkeypatch, "build_report")


def test_a_person_who_asked_for_the_status_sees_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is all that vault_status does."""
    with pytest.raises(VaultError):
        refreshed(monkeypatch, None)


def test_a_run_that_couldnt_open_the_vault_publishes_why() -> None:
    """Else the page would go on calling its backups safe."""
    run = SimpleNamespace(run_id="a run", run_type="scheduled")
    context: Any = {"dag": SimpleNamespace(dag_id="supim_daily"), "dag_run": run}
    report = sample_items.report()
    parts = dict(refresh_status._run_parts(context, [], report, "It has no marker."))  # noqa: SLF001
    assert parts["runs"].model_dump()["vault_gone"] == "It has no marker."
