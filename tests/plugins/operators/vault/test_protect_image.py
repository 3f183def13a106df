"""An image is protected, and its protection lifted, from Airflow, in the name of the user."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from include.config import site_file
from include.errors import BackupError
from include.status.parts import PublishedPart, VmsPart
from include.vault.vault import Vault
from include.vms.archive import PublishedVm
from inpe_backup import choices
from inpe_backup.operators.vault.protect_image import ProtectImageOperator
from inpe_backup.operators.vault.refresh_status import RefreshStatusOperator
from inpe_backup.run_note import NOTE
from tests.include.vms.sample_vms import lay
from tests.plugins.operators import FakeTask
from tests.site.smtp import MailServer

SITE = {
    "mail": {"to": "backup@institute.example", "users": {"ana": "ana@institute.example"}},
    "datasets": {"supim": {"source": {"root": "/data/supim"}}},
}
NOTES: dict[str, Any] = {}
"""What the last run left in XCom."""


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PublishedVm]:
    """An image in the vault of the site file."""
    site = {**SITE, "vaults": {"main": {"path": str(tmp_path / "vault")}}}
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(site), encoding="utf-8")
    monkeypatch.setenv("INPE_BACKUP_SITE", str(tmp_path / "site.yaml"))
    site_file.current.cache_clear()
    monkeypatch.setattr(choices, "publish", lambda _: None)  # an Airflow Variable
    yield lay(Vault.create(tmp_path / "vault"))
    site_file.current.cache_clear()


def run(image: PublishedVm, *, user: str | None = "ana", try_number: int = 1, **form: Any) -> VmsPart:  # noqa: ANN401
    """Run the task with a form, and return what it published."""
    published: list[dict[str, Any]] = []
    events = SimpleNamespace(add=lambda _asset, extra: published.append(extra))
    operator = ProtectImageOperator(task_id="protect_image", parts=["vms"], report_task=None)
    task = FakeTask(**{"vm": "maq1", "generation": image.name, "why": None, "lift": False, **form})
    NOTES.clear()
    task.left = NOTES
    context = task.context(
        dag_run=SimpleNamespace(run_id="by-hand", run_type="manual", triggering_user_name=user),
        outlet_events=dict.fromkeys(operator.outlets, events),
    )
    context["ti"].try_number = try_number
    context["ti"].log_url = "http://airflow/dags/vm_protect/runs/by-hand/tasks/protect_image"
    operator.work(context)
    [part] = [PublishedPart.model_validate(extra).part for extra in published]
    assert isinstance(part, VmsPart)
    return part


def test_an_image_is_protected_in_the_name_of_the_user_and_the_page_shows_it(image: PublishedVm) -> None:
    """A second try finds it done; lifting it is published, too."""
    for try_number in (1, 2):
        [generation] = run(image, why="before the upgrade", try_number=try_number).vms[0].generations
        assert generation.protection
        assert (generation.protection.who, generation.protection.why) == ("ana", "before the upgrade")
        assert NOTES[NOTE].startswith(f"maq1 {image.name} is protected by ana")
    for try_number in (1, 2):
        [generation] = run(image, lift=True, try_number=try_number).vms[0].generations
        assert (generation.protection, image.protection) == (None, None)


def test_without_a_user_it_is_somebodys(image: PublishedVm) -> None:
    """As when Airflow's command line triggered the run."""
    run(image, user=None, why="before the upgrade")
    assert image.protection
    assert image.protection.who == "somebody"


def test_an_image_is_protected_though_the_page_cant_be_refreshed(
    image: PublishedVm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shows that after the next run."""
    monkeypatch.setattr(RefreshStatusOperator, "work", None)
    task = ProtectImageOperator(task_id="protect_image", parts=["vms"], report_task=None)
    form: dict[str, Any] = {"vm": "maq1", "generation": image.name, "why": "an upgrade", "lift": False}
    user = SimpleNamespace(run_id="by-hand", run_type="manual", triggering_user_name="ana")
    task.work(FakeTask(**form).context(dag_run=user))
    assert image.protection


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"why": None}, "A protection needs a reason"),
        ({"why": "again", "generation": "2020-01-01T00-00-00Z"}, "The vault has no generation"),
        ({"why": "again", "generation": "maq2/2026-11-22T05-00-03Z"}, "an image of 'maq2', not of"),
        ({"lift": True}, "isn't protected. Nothing was changed"),
    ],
)
def test_a_request_that_cant_be_met_changes_nothing(
    image: PublishedVm, form: dict[str, Any], message: str
) -> None:
    """The message says why."""
    with pytest.raises(BackupError, match=message):
        run(image, **form)
    assert image.protection is None


def test_somebody_elses_protection_stays(image: PublishedVm) -> None:
    """It must be lifted first."""
    run(image, why="before the upgrade")
    with pytest.raises(BackupError, match="Lift that first"):
        run(image, user="rui", why="another reason")


def test_who_triggered_a_refused_request_gets_its_reason_by_mail_and_in_the_runs_note(
    image: PublishedVm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nobody else does; without an address of the user, only the note has it."""
    with MailServer(tmp_path / "mail") as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(server.connection))
        for user in ("ana", "rui"):
            with pytest.raises(BackupError, match="The vault has no generation"):
                run(image, user=user, why="again", generation="2020-01-01T00-00-00Z")
            assert NOTES[NOTE].startswith("PROTECT maq1 FAILED · The vault has no generation")
        [mail] = server.mails()
    assert mail["To"] == "ana@institute.example"
    assert mail["Subject"] == "[INPE backup] PROTECT maq1 FAILED · request refused"
    body = mail.get_body(("plain",))
    assert body
    assert "http://airflow/dags/vm_protect/runs/by-hand" in body.get_content()
