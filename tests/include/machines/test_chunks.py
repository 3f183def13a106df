"""The chunks' file: what was written is read, and what is damaged is refused."""

import hashlib
from pathlib import Path

import pytest

from include.errors import VaultError
from include.machines.chunks import UNKNOWN, Chunks


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Size, chunk size and every digest."""
    one, other = (hashlib.sha256(data).digest() for data in (b"one", b"other"))
    Chunks(1500, 1000, bytearray(one + other)).write(tmp_path / "vda.chunks")
    read = Chunks.read(tmp_path / "vda.chunks")
    assert (read.bytes, read.chunk_bytes, read.count) == (1500, 1000, 2)
    assert [read.digest(0), read.digest(1)] == [one, other]


def test_of_a_new_disk_nothing_is_known() -> None:
    """As many digests as it has chunks, the short last one too."""
    chunks = Chunks.unknown(2001, 1000)
    assert (chunks.count, chunks.digest(2)) == (3, UNKNOWN)


def test_an_empty_disk_has_no_chunks(tmp_path: Path) -> None:
    """And is written and read like any."""
    Chunks.unknown(0).write(tmp_path / "vda.chunks")
    assert Chunks.read(tmp_path / "vda.chunks").count == 0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no json\n",
        b"[1]\n",
        b'{"format": 2, "bytes": 0, "chunk_bytes": 1}\n',
        b'{"format": 1, "bytes": 5, "chunk_bytes": 0}\n',
        b'{"format": 1, "bytes": -5, "chunk_bytes": -1}\n',
        b'{"format": 1, "bytes": 5, "chunk_bytes": 5}\n' + b"x" * 31,
        b'{"format": 1, "bytes": 5, "chunk_bytes": 5}\n' + b"x" * 33,
    ],
)
def test_damaged_chunks_are_refused(tmp_path: Path, content: bytes) -> None:
    """Cut short, too long, or something else."""
    path = tmp_path / "vda.chunks"
    path.write_bytes(content)
    with pytest.raises(VaultError, match=r"vda\.chunks"):
        Chunks.read(path)


def test_missing_chunks_are_refused(tmp_path: Path) -> None:
    """By name."""
    with pytest.raises(VaultError, match=r"vda\.chunks"):
        Chunks.read(tmp_path / "vda.chunks")
