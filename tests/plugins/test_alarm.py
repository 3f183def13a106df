"""A VM that didn't come back is mailed at once, by the task that found it, whatever the mail server does."""

import fcntl
import json
import logging
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from include.config import site_file
from include.errors import BackupError, VmNotBackError, VmNotImagedError, VmNotThawedError
from include.report.alarm import Mailed, Remembered, vault_gone
from include.vault.vault import Vault
from include.vault.verification_log import LogEntry
from inpe_backup import alarm
from inpe_backup.operators.backup_operator import BackupOperator
from inpe_backup.operators.vms.begin_backup import BeginBackupOperator
from inpe_backup.operators.vms.end_backup import EndBackupOperator
from inpe_backup.operators.vms.vm_operator import VmOperator
from tests.dags import text_of
from tests.include.scrub import sample_backups
from tests.include.vms.sample_vms import UUID
from tests.site.smtp import MailServer

LOG = logging.getLogger(__name__)
FOUND = LogEntry(
    what="scrub", when=datetime.now(UTC), result="failed", how="checksum mismatch.", seconds=1, run="r"
)
NOT_BACK = VmNotBackError("maq2 isn't seen to run. (host kvm_host)")
SITE = {
    "mail": {"to": "backup@institute.example", "subject_prefix": "INPE"},
    "vaults": {"main": {"path": "/no/such/vault"}},
    "datasets": {"supim": {"source": {"root": "/data/supim"}}},
    "vms": {"hosts": [{"ssh_conn_id": "kvm_host", "uri": "test:///x", "vms": ["maq*"]}]},
}


class Memory(alarm.AlarmVariable):
    """Stands in for Airflow's variable."""

    def __init__(self) -> None:
        self.stored: Remembered = {}

    def read(self) -> dict[str, Mailed]:
        """Return what is remembered."""
        return dict(self.stored)

    def write(self, remembered: Remembered) -> None:
        """Remember."""
        self.stored = remembered


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    """A mail server, and a site file that sends mail through it."""
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(SITE), encoding="utf-8")
    monkeypatch.setenv("INPE_BACKUP_SITE", str(path))
    monkeypatch.setattr(alarm, "MEMORY", Memory())
    site_file.current.cache_clear()
    with MailServer(tmp_path / "mail") as running:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(running.connection))
        yield running
    site_file.current.cache_clear()


def context_of(run: str = "r", **ti: object) -> Any:  # noqa: ANN401 - Airflow's
    """Return the context of a task."""
    at = {"log_url": "http://airflow/dags/vm_weekly/runs/x/tasks/y", "xcom_push": lambda *_: None, **ti}
    return {"ti": SimpleNamespace(**at), "dag_run": SimpleNamespace(run_id=run)}


def subjects(server: MailServer) -> list[str]:
    """Return the subjects of all mails, without their prefix."""
    return [str(mail["Subject"]).removeprefix("[INPE] ") for mail in server.mails()]


def fail(
    monkeypatch: pytest.MonkeyPatch, operator: type[Any], error: BackupError, run: str = "r"
) -> list[str]:
    """Run a task whose host answers with an error; return the errors that it leaves for the report."""
    left: list[str] = []

    def work(*_: object) -> None:
        raise error

    monkeypatch.setattr(operator, "work", work)
    task = {"end_task": "end_backup"} if operator is BeginBackupOperator else {}
    vm = {"name": "maq2", "uuid": UUID, "was": "running"}
    context = context_of(run, xcom_push=lambda _key, failure: left.append(failure["error"]))
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
    assert f"`virsh -c test:///x start {UUID}` starts it" in " ".join(text_of(mail).split())
    assert "maq2 isn't seen to run. (host kvm_host)" in text_of(mail)


def test_a_failed_thaw_is_mailed_at_once(server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that thaws: the VM runs, but its writes may hang."""
    error = VmNotThawedError("maq2 isn't back: it isn't seen to be thawed.")
    assert fail(monkeypatch, BeginBackupOperator, error) == ["VmNotThawedError"]
    [mail] = server.mails()
    assert mail["Subject"] == "[INPE] VM FROZEN · maq2 may still be frozen"
    assert f"`virsh -c test:///x domfsthaw {UUID}` thaws it" in " ".join(text_of(mail).split())
    assert " start " not in text_of(mail)


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


def test_a_fact_is_mailed_once_a_run(server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by the task that ends the backup, too; when somebody clears the first, it's another fact."""
    for operator in (BeginBackupOperator, EndBackupOperator) * 2:
        fail(monkeypatch, operator, NOT_BACK)
    fail(monkeypatch, EndBackupOperator, NOT_BACK, "r2")
    assert subjects(server) == ["VM DOWN · maq2 did not come back"] * 3


def test_what_wasnt_mailed_isnt_remembered(server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next try mails it."""
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps({**server.connection, "port": 1}))
    fail(monkeypatch, BeginBackupOperator, NOT_BACK)
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(server.connection))
    fail(monkeypatch, BeginBackupOperator, NOT_BACK)
    assert subjects(server) == ["VM DOWN · maq2 did not come back"]


def test_an_alarm_goes_out_without_a_memory(server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Better twice than never."""

    def broken(*_: object) -> None:
        raise RuntimeError

    for part in ("read", "write"):
        monkeypatch.setattr(alarm.MEMORY, part, broken)
    assert fail(monkeypatch, BeginBackupOperator, NOT_BACK) == ["VmNotBackError"]
    assert len(server.mails()) == 1


def test_damage_is_mailed_without_a_memory(
    server: MailServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a restore found: no other task mails that."""
    vault = Vault.create(tmp_path / "vault")
    sample_backups.day(vault).verification_log.append(FOUND)
    monkeypatch.setattr(alarm.MEMORY, "read", None)
    alarm.settle(context_of(), LOG, vault, look_for_damage=True)
    assert subjects(server) == ["DAMAGE · 2026-268 no longer matches its checksums"]


def test_an_alarm_goes_out_without_the_lock(
    server: MailServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user of the machine may own its file, or never release it."""
    monkeypatch.setattr(alarm, "_LOCK_S", 0.1)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "no folder"))
    fail(monkeypatch, BeginBackupOperator, NOT_BACK)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with (tmp_path / f"inpe-backup-alarms-{os.geteuid()}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        fail(monkeypatch, BeginBackupOperator, NOT_BACK, "r2")
    assert len(subjects(server)) == 2


def test_another_fact_about_a_vm_is_mailed_in_the_same_run(
    server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A VM that couldn't be thawed, and then doesn't run any more; the end of its backup repeats that."""
    frozen = VmNotThawedError("maq2 isn't back: it isn't seen to be thawed.")
    for operator, error in (
        (BeginBackupOperator, frozen),
        (EndBackupOperator, frozen),
        (EndBackupOperator, NOT_BACK),
        (EndBackupOperator, NOT_BACK),
    ):
        fail(monkeypatch, operator, error)
    assert [subject.partition(" · ")[0] for subject in subjects(server)] == ["VM FROZEN", "VM DOWN"]


def test_tasks_that_find_a_fact_at_once_mail_it_once(server: MailServer) -> None:
    """They wait for each other."""
    gone = vault_gone("/vault", "No marker.")
    with ThreadPoolExecutor(4) as tasks:
        list(tasks.map(lambda _: alarm.mail_alarms(context_of(), LOG, [gone]), range(4)))
    assert subjects(server) == ["VAULT GONE · the backup disk isn't mounted"]


def test_a_vm_whose_next_backup_begins_is_back(server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ran and passed its health check; other alarms go on."""
    fail(monkeypatch, EndBackupOperator, NOT_BACK)
    alarm.mail_alarms(context_of(), LOG, [vault_gone("/vault", "No marker.")])
    monkeypatch.setattr(VmOperator, "work", lambda *_: {"was": "running"})
    monkeypatch.setattr(BeginBackupOperator, "_has_begun", lambda *_: True)
    vm = {"name": "maq2", "uuid": UUID}
    BeginBackupOperator(task_id="x", ssh_conn_id="kvm_host", vm=vm, end_task="y").execute(context_of())
    assert subjects(server)[2:] == ["RESOLVED · maq2 is back"]
    assert list(alarm.MEMORY.read()) == ["vault /vault"]


@pytest.mark.parametrize(
    "case",
    [
        ("shut off", "running", None, None, 1),  # the task died that had stopped it
        ("running", "running", None, None, 0),
        ("shut off", "off", None, None, 0),
        ("shut off", "running", {"any": "thing"}, None, 0),  # it came back, and somebody stopped it
        ("shut off", "running", None, "TooLateError", 0),  # nobody touched it
    ],
)
def test_a_vm_that_is_down_though_no_task_reports_it_is_mailed_at_once(
    server: MailServer, monkeypatch: pytest.MonkeyPatch, case: tuple[str, str, object, str | None, int]
) -> None:
    """By the task that ends its backup, not hours later by the report."""
    ended, was, begun, failure, alarms = case
    answer = {"vm": "maq2", "state": ended, "repaired": (), "scratch_bytes": 0}
    monkeypatch.setattr(EndBackupOperator, "ask", lambda _self, model, *_: model.model_validate(answer))
    left = {"task": "g.begin_backup", "error": failure, "message": "No."} if failure else None
    state = "success" if begun else "failed"
    context = context_of(
        map_index=0,
        get_task_states=lambda **_: {"r": {"g.begin_backup_0": state}},
        xcom_pull=lambda _task, key="return_value", **_: begun if key == "return_value" else left,
    )
    context["dag"] = SimpleNamespace(dag_id="vm_weekly")
    vm = {"name": "maq2", "uuid": UUID, "was": was}
    task = EndBackupOperator(task_id="g.end_backup", ssh_conn_id="kvm_host", vm=vm)
    monkeypatch.setattr("inpe_backup.operators.vms.end_backup.drop_unverified", lambda *_: None)
    monkeypatch.setattr(task, "vault", lambda: None)
    task.execute(context)
    assert len(subjects(server)) == alarms


def test_an_unmounted_vault_is_mailed_and_its_return_too(server: MailServer, tmp_path: Path) -> None:
    """By any task that needs it; however many, and in however many runs, it's one fact."""

    class OpenOperator(BackupOperator):
        def work(self, context: object) -> None:  # noqa: ARG002 - the base's signature
            self.vault()

    for run in ("r", "r2"):
        with pytest.raises(BackupError, match="holds no vault marker"):
            OpenOperator(task_id="open").execute(context_of(run))
    vault = Vault.create(tmp_path / "vault")
    alarm.settle(context_of(), LOG, vault, look_for_damage=False)
    alarm.settle(context_of(), LOG, vault, look_for_damage=False)
    assert subjects(server) == [
        "VAULT GONE · the backup disk isn't mounted",
        "RESOLVED · the vault is mounted again",
    ]


def test_damage_is_mailed_and_its_end_too(server: MailServer, tmp_path: Path) -> None:
    """Also what a restore found; it ends with a newer, intact version, or when the backup is removed."""
    vault = Vault.create(tmp_path / "vault")
    published = sample_backups.day(vault)
    published.verification_log.append(FOUND)
    alarm.settle(context_of(), LOG, vault, look_for_damage=False)
    assert subjects(server) == []
    for _ in range(2):
        alarm.settle(context_of(), LOG, vault, look_for_damage=True)
    assert subjects(server) == ["DAMAGE · 2026-268 no longer matches its checksums"]

    published.verification_log.append(FOUND.model_copy(update={"result": "passed"}))
    alarm.settle(context_of(), LOG, vault, look_for_damage=False)
    [_, end] = subjects(server)
    assert end.startswith("RESOLVED · 2026-268 is intact")
    assert alarm.MEMORY.read() == {}
