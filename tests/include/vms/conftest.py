"""Fixtures for tests of VMs: a vault, and a host that exports disks."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.vault.vault import Vault
from tests.include.vms.exported_disks import ExportedDisks
from tests.include.vms.folder_host import two_disks, without_a_connection
from tests.site.sshd import SshServer


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


@pytest.fixture
def no_connection() -> Iterator[None]:
    """Disks are transferred from a folder, without a host."""
    patch = without_a_connection()
    yield
    patch.undo()


@pytest.fixture
def disks(tmp_path: Path) -> Path:
    """Two disks: random data with a hole, and an ext4 file system."""
    return two_disks(tmp_path / "disks")


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a path that is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="kvm-") as folder:
        yield Path(folder)


@pytest.fixture
def exported(cluster: SshServer) -> Iterator[ExportedDisks]:
    """A host without an open backup."""
    with tempfile.TemporaryDirectory(prefix="kvm-", dir="/tmp") as folder:
        disks = ExportedDisks(cluster, Path(folder))
        yield disks
        disks.stop()
