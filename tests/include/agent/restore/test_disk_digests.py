"""The digests of a disk to restore are in a file that nobody has to remove."""

import hashlib
import io
import os
import tracemalloc
from pathlib import Path

import pytest

from include.agent.disks import disk_program
from include.agent.disks.disk_program import DiskProgramError
from include.agent.restore.disk_digests import DiskDigests
from include.agent.wire import DIGEST_BYTES, Wire

CHUNKS = 1_000_000


def digest(index: int) -> bytes:
    """Return a digest for a chunk."""
    return hashlib.sha256(index.to_bytes(8, "big")).digest()


@pytest.fixture
def sent() -> io.BytesIO:
    """A million digests on their way, and one more byte."""
    return io.BytesIO(b"".join(map(digest, range(CHUNKS))) + b"x")


def test_a_million_digests_take_no_memory(sent: io.BytesIO, tmp_path: Path) -> None:
    """They are 32 MB; each is the one that was sent, and what follows them is left alone."""
    wire = Wire(sent, os.open(os.devnull, os.O_WRONLY))
    tracemalloc.start()
    try:
        digests = DiskDigests.receive(wire, CHUNKS, tmp_path)
        assert all(digests[index] == digest(index) for index in (0, 1, 32_767, 32_768, CHUNKS - 1))
        assert tracemalloc.get_traced_memory()[1] < 3 << 20
    finally:
        tracemalloc.stop()
    assert sent.read() == b"x"
    assert list(tmp_path.iterdir()) == []


def test_they_dont_fill_the_hosts_disk(
    sent: io.BytesIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guests that run on it would be paused."""
    usable = iter([1, 1, 0])
    monkeypatch.setattr(disk_program, "usable_bytes", lambda _: next(usable))
    with pytest.raises(DiskProgramError, match="nearly full"):
        DiskDigests.receive(Wire(sent, os.open(os.devnull, os.O_WRONLY)), CHUNKS, tmp_path)
    assert sent.tell() < CHUNKS * DIGEST_BYTES // 10
