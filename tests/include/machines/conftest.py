"""Fixtures for tests of machines: a vault, and a host that holds disks."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.vault import Vault
from tests.include.machines.held_disks import HeldDisks
from tests.site.sshd import SshServer


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


@pytest.fixture
def held(cluster: SshServer) -> Iterator[HeldDisks]:
    """A host that holds no disk yet."""
    with tempfile.TemporaryDirectory(prefix="kvm-", dir="/tmp") as folder:
        disks = HeldDisks(cluster, Path(folder))
        yield disks
        disks.let_go()
