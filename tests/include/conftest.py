"""Fixtures for tests of include/: a cluster, workers, and a source and a vault for a day. All are real."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.vault.vault import Vault
from tests.include.days.day_tasks import Rehearsal
from tests.include.days.worker import Worker
from tests.session.needs import plain_user, program
from tests.site.sshd import SshServer


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """An SSH server that all tests share that don't change it."""
    for name in ("rsync", "setpriv", "ssh", "python3"):
        program(name)
    with SshServer(tmp_path_factory.mktemp("cluster")) as server:
        yield server


@pytest.fixture
def own_cluster(cluster: SshServer, tmp_path: Path) -> Iterator[SshServer]:  # noqa: ARG001 - needs the same programs
    """An SSH server for one test, which may change it."""
    with SshServer(tmp_path / "cluster") as server:
        yield server


@pytest.fixture(scope="session")
def worker() -> Iterator[Worker]:
    """A worker process that file modes apply to, as to a service's user."""
    with Worker(plain_user()) as process:
        yield process


@pytest.fixture(scope="session")
def another_worker() -> Iterator[Worker]:
    """A second worker process."""
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
    """Set a common umask, so that modes don't depend on who runs the tests."""
    before = os.umask(0o022)
    yield
    os.umask(before)
