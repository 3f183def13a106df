"""The chunk file: it is read as written, and refused when damaged."""

import hashlib
from pathlib import Path

import pytest

from include.errors import VaultError
from include.vms.chunks import UNKNOWN, Chunks


def test_chunks_are_read_as_written(tmp_path: Path) -> None:
    """Size, chunk size and each digest."""
    one, other = (hashlib.sha256(data).digest() for data in (b"one", b"other"))
    Chunks(1500, 1000, bytearray(one + other)).write(tmp_path / "vda.chunks")
    read = Chunks.read(tmp_path / "vda.chunks")
    assert (read.bytes, read.chunk_bytes, read.count) == (1500, 1000, 2)
    assert [read.digest(0), read.digest(1)] == [one, other]


def test_no_digest_of_a_new_disk_is_known() -> None:
    """There is one for each chunk, including a short last one."""
    chunks = Chunks.unknown(2001, 1000)
    assert (chunks.count, chunks.digest(2)) == (3, UNKNOWN)


def test_an_empty_disk_has_no_chunks(tmp_path: Path) -> None:
    """It is written and read like any other."""
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
    """Truncated, too long, or another file."""
    path = tmp_path / "vda.chunks"
    path.write_bytes(content)
    with pytest.raises(VaultError, match=r"vda\.chunks"):
        Chunks.read(path)


def test_missing_chunks_are_refused(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(VaultError, match=r"vda\.chunks"):
        Chunks.read(tmp_path / "vda.chunks")
