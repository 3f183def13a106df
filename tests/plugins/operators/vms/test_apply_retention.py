"""Retention removes nothing after a run that couldn't back up every VM."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.config import site_file
from include.vault.vault import Vault
from include.vms.plan import VmAction
from inpe_backup.operators.vms.apply_retention import ApplyRetentionOperator
from tests.include.report.weekly_runs import planned
from tests.include.vms.sample_vms import INSTANT, lay
from tests.plugins.operators import FakeTask

SITE = {
    "mail": {"to": "backup@institute.example"},
    "vaults": {"main": {"path": "/no/such/vault"}},
    "datasets": {"supim": {"source": {"root": "/data/supim"}}},
    "vms": {"hosts": [{"ssh_conn_id": name, "vms": ["maq*"]} for name in ("kvm_1", "kvm_2")]},
}


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A site file of two hosts, whose vault must not be needed."""
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(SITE), encoding="utf-8")
    monkeypatch.setenv("INPE_BACKUP_SITE", str(path))
    site_file.current.cache_clear()
    yield
    site_file.current.cache_clear()


def operator() -> ApplyRetentionOperator:
    """Return the task."""
    return ApplyRetentionOperator(
        task_id="apply_retention", list_task="list_vms", vms_task="check_free_space", publish_task="publish"
    )


def kept_all(results: dict[str, Any]) -> bool:
    """Return whether retention removed nothing after a run whose tasks left these results."""
    return operator().work(FakeTask(results).context()) == []


def test_a_host_that_couldnt_list_its_vms_keeps_all_generations() -> None:
    """Its VMs have no new image, so the run isn't a good one, whatever the other host's VMs did."""
    assert kept_all({"list_vms_0": [], "check_free_space": []})


def test_a_vm_without_space_keeps_all_generations() -> None:
    """The vault needs space, but a VM without a new image must not lose an old one."""
    listed = [planned("maq1").model_dump(mode="json")]
    refused = {"maq1": "The vault needs 1 GB more."}
    tasks = {"list_vms_0": listed, "list_vms_1": [], "check_free_space": []}
    assert kept_all({**tasks, "check_free_space.refused": refused})


def test_a_name_on_two_hosts_keeps_all_generations() -> None:
    """It has no new image."""
    listed = [planned("maq1").model_dump(mode="json")]
    assert kept_all({"list_vms_0": listed, "list_vms_1": listed, "check_free_space": []})


def test_vms_that_werent_asked_for_hold_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run backed up what it was asked for, and retention is applied to that."""
    vault = Vault.create(tmp_path / "vault")
    monkeypatch.setattr(ApplyRetentionOperator, "vault", lambda _: vault)
    old, *_, new = (lay(vault, instant=INSTANT + timedelta(hours=hour)) for hour in range(4))
    another = lay(vault, vm="maq2")
    plans = [planned("maq1"), planned("maq2", VmAction.SKIP)]
    removed = operator().work(
        FakeTask(
            {
                "list_vms_0": [plan.model_dump(mode="json") for plan in plans],
                "list_vms_1": [],
                "check_free_space": [{"vm": {"name": "maq1"}}],
                "publish_0": new.record.model_dump(mode="json"),
            },
            vms=["maq1"],
        ).context()
    )
    assert [(one["vm"], one["refused"]) for one in removed] == [("maq1", None)]
    assert [path.folder.exists() for path in (old, new, another)] == [False, True, True]
