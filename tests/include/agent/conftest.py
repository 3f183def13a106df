"""Fixtures for tests of the agent that need no libvirt."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.include.agent.send_process import Disks


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a path that is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="kvm-") as folder:
        yield Path(folder)


@pytest.fixture
def disks(short: Path) -> Iterator[Disks]:
    """An agent's state folder, where backups of exported disks can be opened."""
    made = Disks(short)
    yield made
    made.end()
