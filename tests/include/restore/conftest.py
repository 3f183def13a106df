"""Fixtures for restores of machines: one host with machines that are off, and their images in the vault."""

from collections.abc import Iterator

import pytest

from include.vault import Vault
from tests.include.restore.bringing_back import Rehearsal
from tests.site.kvm_host import KvmHost


@pytest.fixture(scope="module")
def bringing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A host with ``maq1``, off, of a raw and a qcow2 disk; its image is in the vault."""
    root = tmp_path_factory.mktemp("restore")
    with KvmHost(root / "kvm") as kvm:
        kvm.define_small("maq1", {"vda": "raw", "vdb": "qcow2"})
        rehearsal = Rehearsal(kvm, Vault.create(root / "vault"))
        rehearsal.image("maq1", "last week")
        yield rehearsal
