"""Fixtures: a vault, a folder to restore days to, here or behind SSH, and a KVM host with a VM."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from include.vault.vault import Vault
from tests.include.restore.day_restores import Work
from tests.include.restore.vm_restores import Rehearsal
from tests.session import needs
from tests.site.kvm_host import KvmHost
from tests.site.renewed import Renewed
from tests.site.sshd import SshServer


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """An empty vault."""
    return Vault.create(tmp_path / "vault")


@pytest.fixture
def here(vault: Vault, tmp_path: Path) -> Work:
    """A folder of this machine to restore into."""
    (tmp_path / "target").mkdir()
    return Work(vault, str(tmp_path / "target"))


@pytest.fixture(params=["here", "ssh"])
def work(
    here: Work, cluster: SshServer, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Work:
    """A folder to restore into, once of this machine and once of a host behind SSH."""
    if request.param == "here":
        return here
    monkeypatch.setenv("AIRFLOW_CONN_TARGET_HOST", json.dumps(cluster.connection))
    return here.but(ssh_conn_id="target_host")


@pytest.fixture(scope="module")
def rehearsals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Renewed[Rehearsal]]:
    """The module's KVM host and vault."""
    needs.kvm_host()

    @contextmanager
    def made() -> Iterator[Rehearsal]:
        root = tmp_path_factory.mktemp("restore")
        with KvmHost(root / "kvm") as kvm:
            kvm.define_small("maq1", {"vda": "raw", "vdb": "qcow2"})
            rehearsal = Rehearsal(kvm, Vault.create(root / "vault"))
            rehearsal.back_up("maq1", "last week")
            yield rehearsal

    parts = Renewed(made, Rehearsal.fault)
    yield parts
    parts.end()


@pytest.fixture
def rehearsal(rehearsals: Renewed[Rehearsal], request: pytest.FixtureRequest) -> Rehearsal:
    """A host with the VM ``maq1``, off, with a raw and a qcow2 disk, and its backup in the vault."""
    return rehearsals.get(request.node)
