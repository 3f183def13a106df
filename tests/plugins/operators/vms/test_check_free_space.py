"""The free space for images: VMs that don't fit, or whose name is taken twice, are refused; others aren't."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.config import site_file
from include.errors import ConfigError, NoSpaceError
from include.vault.free_space import FreeSpace
from include.vault.vault import Vault
from include.vms.archive import VmArchive
from include.vms.plan import VmAction
from inpe_backup.operators.vms.check_free_space import CheckFreeSpaceForVmsOperator
from inpe_backup.xcom import REFUSED
from tests.include.report.weekly_runs import planned
from tests.include.vms.sample_vms import lay, stage
from tests.plugins.operators import RUN, FakeTask

GB = 10**9  # each VM's image needs 8.8 GB


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Set the vault's free space."""

    def set_free(root: Path, free_bytes: int) -> None:
        space = FreeSpace(root, 200 * GB, free_bytes, 1000)
        monkeypatch.setattr(FreeSpace, "of", staticmethod(lambda _path: space))

    yield set_free
    site_file.current.cache_clear()


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vault:
    """The vault of a site with two hosts; nothing is reserved."""
    vault = Vault.create(tmp_path / "vault")
    site = {
        "mail": {"to": "backup@institute.example"},
        "vaults": {"main": {"path": str(vault.root), "reserve": "0 B"}},
        "datasets": {"supim": {"source": {"root": "/data/supim"}}},
        "vms": {"hosts": [{"ssh_conn_id": name, "vms": ["*"]} for name in ("kvm_host", "kvm_2")]},
    }
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(site), encoding="utf-8")
    monkeypatch.setenv("INPE_BACKUP_SITE", str(path))
    site_file.current.cache_clear()
    return vault


def listed(*names: str, host: str = "kvm_host", action: VmAction = VmAction.IMAGE) -> list[dict[str, Any]]:
    """Return what ``list_vms`` returns for a host."""
    return [planned(name, action, host=host).model_dump(mode="json") for name in names]


def check(task: FakeTask) -> list[str]:
    """Return the VMs that the task lists."""
    operator = CheckFreeSpaceForVmsOperator(task_id="check_free_space", list_task="list_vms")
    return [one["vm"]["name"] for one in operator.work(task.context())]


def test_a_name_on_two_hosts_stops_no_other_vm(vault: Vault, free: Any) -> None:  # noqa: ANN401
    """A migration may have left a definition behind."""
    free(vault.root, 100 * GB)
    task = FakeTask({"list_vms_0": listed("maq1", "maq2"), "list_vms_1": listed("maq2", host="kvm_2")})
    assert check(task) == ["maq1"]


def test_the_vms_whose_newest_image_is_oldest_get_the_space(vault: Vault, free: Any) -> None:  # noqa: ANN401
    """The others are refused, with what is missing."""
    free(vault.root, 20 * GB)
    for vm, day in (("maq1", 22), ("maq2", 15)):
        lay(vault, vm=vm, instant=datetime(2026, 11, day, tzinfo=UTC))
    task = FakeTask({"list_vms_0": listed("maq1", "maq2", "maq3")})
    assert check(task) == ["maq3", "maq2"]
    assert list(task.left[REFUSED]) == ["maq1"]


def test_without_space_for_any_vm_the_task_fails(vault: Vault, free: Any) -> None:  # noqa: ANN401
    """Nothing is stopped."""
    free(vault.root, 8 * GB)
    with pytest.raises(NoSpaceError, match=r"needs 8\.8 GB for the copy"):
        check(FakeTask({"list_vms_0": listed("maq1", "maq2")}))


def test_what_the_run_has_imaged_isnt_refused_when_its_task_is_cleared(vault: Vault, free: Any) -> None:  # noqa: ANN401
    """Its image is in the vault, and isn't made again: it needs no space."""
    free(vault.root, 10 * GB)
    lay(vault, vm="maq1", run=RUN)
    with VmArchive(vault).lock("maq3") as staged:
        stage(staged, run=RUN)  # verified, but not yet published
    task = FakeTask({"list_vms_0": listed("maq1", "maq2", "maq3")})
    assert check(task) == ["maq2", "maq3", "maq1"]
    assert task.left == {}
    free(vault.root, -1)  # less than the reserve
    assert check(task) == ["maq3", "maq1"]


def test_what_was_received_before_isnt_needed_again(vault: Vault, free: Any) -> None:  # noqa: ANN401
    """A run that resumes a transfer needs the rest."""
    free(vault.root, 88 * GB // 10 - 1)
    staged = VmArchive(vault).staged("maq1")
    staged.data.mkdir(parents=True)
    (staged.data / "vda.img").write_bytes(b"x" * 5000)
    assert check(FakeTask({"list_vms_0": listed("maq1")})) == ["maq1"]


def test_only_the_vms_that_were_asked_for_get_space_and_a_turn(vault: Vault, free: Any) -> None:  # noqa: ANN401
    """The others needn't fit."""
    free(vault.root, 10 * GB)
    skipped = listed("maq1", "maq3", action=VmAction.SKIP)
    task = FakeTask({"list_vms_0": [*skipped, *listed("maq2")], "list_vms_1": []}, vms=["maq2"])
    assert check(task) == ["maq2"]
    assert task.left == {}


def test_a_pattern_that_no_host_matches_stops_no_vm(vault: Vault, free: Any) -> None:  # noqa: ANN401
    """One that a VM of another host matches is right; spaces around it don't count."""
    free(vault.root, 100 * GB)
    lists = {"list_vms_0": listed("maq1"), "list_vms_1": listed("web1", host="kvm_2")}
    assert check(FakeTask(lists, vms=["maq1 ", "web*"])) == ["maq1", "web1"]
    with pytest.raises(ConfigError, match=r"'maq9' matches no VM\. There are 'maq1', 'web1'\. No VM"):
        check(FakeTask(lists, vms=["maq1", "maq9"]))
