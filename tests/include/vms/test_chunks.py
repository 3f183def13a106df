"""The chunk file: it is read as written, and refused when damaged."""

import hashlib
import os
import tracemalloc
from pathlib import Path

import pytest

from include.errors import VaultError
from include.vms.chunks import DIGEST_BYTES, UNKNOWN, Chunks


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


def test_a_million_digests_take_no_memory(tmp_path: Path) -> None:
    """They are 32 MB; they are read in blocks, whichever is needed, and copied so."""
    count, path = 1_000_000, tmp_path / "vda.chunks"
    Chunks.unknown(count * 10, 10).write(path)
    with path.open("r+b") as file:
        for index in (0, 7, 4095, 4096, count - 1):
            file.seek(-DIGEST_BYTES * (count - index), os.SEEK_END)
            file.write(digest(index))
    tracemalloc.start()
    try:
        chunks = Chunks.read(path)
        assert all(chunks.digest(index) == digest(index) for index in (count - 1, 4096, 7, 4095, 0))
        assert chunks.digest(8) == UNKNOWN
        chunks.write(tmp_path / "copy")
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert (tmp_path / "copy").read_bytes() == path.read_bytes()


def test_digests_that_were_cut_off_since_are_an_error(tmp_path: Path) -> None:
    """The file was complete when it was opened."""
    Chunks(20_000, 1, b"x" * DIGEST_BYTES * 20_000).write(tmp_path / "vda.chunks")
    chunks = Chunks.read(tmp_path / "vda.chunks")
    os.truncate(tmp_path / "vda.chunks", 10_000)
    with pytest.raises(VaultError, match="end too early"):
        chunks.digest(19_999)
    (tmp_path / "vda.chunks").unlink()
    with pytest.raises(VaultError, match="can't be read: No such file"):
        chunks.digest(0)


def digest(index: int) -> bytes:
    """Return a digest for a chunk."""
    return hashlib.sha256(b"%d" % index).digest()


def test_missing_chunks_are_refused(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(VaultError, match=r"vda\.chunks"):
        Chunks.read(tmp_path / "vda.chunks")
