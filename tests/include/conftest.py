"""Fixtures for tests of include/: a cluster, workers, and a day between them. All parts are real."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.vault import Vault
from tests.include.machine import plain_user, program
from tests.include.rehearsal import Rehearsal
from tests.include.worker import Worker
from tests.site.sshd import SshServer


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """One SSH server for all tests that leave its keys alone."""
    for name in ("rsync", "setpriv", "ssh", "python3"):
        program(name)
    with SshServer(tmp_path_factory.mktemp("cluster")) as server:
        yield server


@pytest.fixture
def own_cluster(cluster: SshServer, tmp_path: Path) -> Iterator[SshServer]:  # noqa: ARG001 - its needs are the same
    """An SSH server for a test that does something to it."""
    with SshServer(tmp_path / "cluster") as server:
        yield server


@pytest.fixture(scope="session")
def worker() -> Iterator[Worker]:
    """A worker process that is bound by file modes, as a service's user is."""
    with Worker(plain_user()) as process:
        yield process


@pytest.fixture(scope="session")
def another_worker() -> Iterator[Worker]:
    """A second one."""
    with Worker(plain_user()) as process:
        yield process


@pytest.fixture
def rehearsal(cluster: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rehearsal:
    """An empty source and an empty vault."""
    monkeypatch.setenv("AIRFLOW_CONN_SUPIM_CLUSTER", "")
    source = tmp_path / "source"
    source.mkdir()
    vault = Vault.create(tmp_path / "vault")
    return Rehearsal(cluster.connection, str(source), str(vault.root))


@pytest.fixture(autouse=True)
def _no_umask() -> Iterator[None]:
    """Modes are what the code says, whoever runs the tests."""
    before = os.umask(0o022)
    yield
    os.umask(before)
