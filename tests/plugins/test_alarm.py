"""A VM that didn't come back is mailed at once, by the task that found it, whatever the mail server does."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from include.config import site_file
from include.errors import BackupError, VmNotBackError, VmNotImagedError
from inpe_backup.operators.vms.begin_backup import BeginBackupOperator
from inpe_backup.operators.vms.end_backup import EndBackupOperator
from tests.dags import text_of
from tests.include.vms.sample_vms import UUID
from tests.site.smtp import MailServer

NOT_BACK = VmNotBackError("maq2 isn't seen to run. (host kvm_host)")
SITE = {
    "mail": {"to": "backup@institute.example", "subject_prefix": "INPE"},
    "vaults": {"main": {"path": "/no/such/vault"}},
    "datasets": {"supim": {"source": {"root": "/data/supim"}}},
}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    """A mail server, and a site file that sends mail through it."""
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(SITE), encoding="utf-8")
    monkeypatch.setenv("INPE_BACKUP_SITE", str(path))
    site_file.current.cache_clear()
    with MailServer(tmp_path / "mail") as running:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(running.connection))
        yield running
    site_file.current.cache_clear()


def fail(monkeypatch: pytest.MonkeyPatch, operator: type[Any], error: BackupError) -> list[str]:
    """Run a task whose host answers with an error; return the errors that it leaves for the report."""
    left: list[str] = []

    def work(*_: object) -> None:
        raise error

    monkeypatch.setattr(operator, "work", work)
    task = {"end_task": "end_backup"} if operator is BeginBackupOperator else {}
    vm = {"name": "maq2", "uuid": UUID}
    ti = SimpleNamespace(
        log_url="http://airflow/dags/vm_weekly/runs/x/tasks/y",
        xcom_push=lambda _key, failure: left.append(failure["error"]),
    )
    context: Any = {"ti": ti}
    with pytest.raises(type(error)):
        operator(task_id="x", ssh_conn_id="kvm_host", vm=vm, **task).execute(context)
    return left


@pytest.mark.parametrize("operator", [BeginBackupOperator, EndBackupOperator])
def test_a_vm_that_isnt_back_is_mailed_at_once(
    server: MailServer, monkeypatch: pytest.MonkeyPatch, operator: type[Any]
) -> None:
    """Its task leaves the failure for the report, too."""
    assert fail(monkeypatch, operator, NOT_BACK) == ["VmNotBackError"]

    [mail] = server.mails()
    assert mail["Subject"] == "[INPE] VM DOWN · maq2 did not come back"
    assert mail["To"] == "backup@institute.example"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert f"`virsh start {UUID}` starts it" in " ".join(text_of(mail).split())
    assert "maq2 isn't seen to run. (host kvm_host)" in text_of(mail)


def test_other_failures_wait_for_the_report(server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The VM is as it was before."""
    assert fail(monkeypatch, BeginBackupOperator, VmNotImagedError("No.")) == ["VmNotImagedError"]
    assert server.mails() == []


def test_a_mail_server_that_is_away_changes_nothing(
    server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task fails as it would, and the report repeats the alarm."""
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps({**server.connection, "port": 1}))
    assert fail(monkeypatch, BeginBackupOperator, NOT_BACK) == ["VmNotBackError"]
    assert server.mails() == []
