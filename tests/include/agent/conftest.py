"""Fixtures for tests of the agent that need no libvirt."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.include.agent.serving import Disks


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short name, as sockets need it."""
    with tempfile.TemporaryDirectory(prefix="kvm-") as folder:
        yield Path(folder)


@pytest.fixture
def disks(short: Path) -> Iterator[Disks]:
    """A freeze's disks; none yet."""
    made = Disks(short)
    yield made
    made.end()
