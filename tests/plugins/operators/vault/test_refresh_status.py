"""``RefreshStatusOperator`` without an Airflow: what its errors do."""

from typing import Any

import pytest

from include.errors import VaultError
from inpe_backup.operators.vault.refresh_status import RefreshStatusOperator


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
