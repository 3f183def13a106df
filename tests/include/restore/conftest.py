"""Fixtures: a vault with a day of hard names, and a folder for it, here or by SSH; a machine at its host."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.vault import Vault
from tests.include.restore.bringing_back import Rehearsal
from tests.include.restore.work import Work
from tests.site.kvm_host import KvmHost
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
    """The same, once as a folder of this machine, and once of a host behind SSH."""
    if request.param == "here":
        return here
    monkeypatch.setenv("AIRFLOW_CONN_TARGET_HOST", json.dumps(cluster.connection))
    return here.but(connection="target_host")


@pytest.fixture(scope="module")
def bringing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A host with ``maq1``, off, of a raw and a qcow2 disk; its image is in the vault."""
    root = tmp_path_factory.mktemp("restore")
    with KvmHost(root / "kvm") as kvm:
        kvm.define_small("maq1", {"vda": "raw", "vdb": "qcow2"})
        rehearsal = Rehearsal(kvm, Vault.create(root / "vault"))
        rehearsal.image("maq1", "last week")
        yield rehearsal
