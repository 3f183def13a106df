"""The chunks of an image: the SHA-256 of each, as the host computed it.

Each image has such a file beside it. It verifies the image, and the next generation is compared with it. It
begins with a line of JSON,

    {"format": 1, "bytes": 4294967296, "chunk_bytes": 1048576}

followed by 32 bytes for each chunk, in order. The last chunk may be shorter; holes count as zeros. A disk of
16 TiB has 512 MiB of digests, so they are never all in memory.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol, Self

from include.errors import VaultError
from include.vault.files import opened

CHUNK_BYTES = 1 << 20
Digest = bytes
"""SHA-256 of one chunk."""
Part = bytes | bytearray
"""The SHA-256 of some consecutive chunks."""

DIGEST_BYTES = 32
UNKNOWN = bytes(DIGEST_BYTES)
"""The digest of a chunk that isn't known; no known data hash to it."""

_FORMAT = 1
_LONGEST_HEADER = 200
_BLOCK_BYTES = 4096 * DIGEST_BYTES


class Digests(Protocol):
    """The digests of a disk's chunks, 32 bytes each: in memory, or in a file."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice) -> Part: ...


class StoredDigests:
    """Digests in a file, read in blocks when they are needed; the last block is kept.

    Not mapped into memory: an unreadable block of the vault's disk would kill this process.

    Args:
        path: the file, which doesn't change meanwhile.
        offset: where they begin in it.
        length: of all of them, in bytes.
    """

    def __init__(self, path: Path, offset: int, length: int) -> None:
        self._path, self._offset, self._length = path, offset, length
        self._block: tuple[int, bytes] = (0, b"")

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(self._length)
        at, block = self._block  # at once: threads share it
        if not at <= start <= stop <= at + len(block):
            at, block = start, self._read(start, max(stop - start, _BLOCK_BYTES))
            self._block = at, block
        return block[start - at : stop - at]

    def _read(self, start: int, length: int) -> bytes:
        length = min(length, self._length - start)
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset + start)
                block = file.read(length)
        except OSError as error:
            raise VaultError(f"The digests in {self._path} can't be read: {error.strerror}.") from error
        if len(block) < length:
            raise VaultError(f"The digests in {self._path} end too early.")
        return block


@dataclass(frozen=True)
class Chunks:
    """The digests of one disk's chunks.

    Args:
        bytes: the size of the disk.
        chunk_bytes: the size of each chunk but the last.
        digests: 32 bytes for each chunk, ``UNKNOWN`` where it isn't known.
    """

    bytes: int
    chunk_bytes: int = CHUNK_BYTES
    digests: Digests = field(default=b"")

    @classmethod
    def unknown(cls, size: int, chunk_bytes: int = CHUNK_BYTES) -> Self:
        """Return the chunks of a disk with no digest known yet."""
        return cls(size, chunk_bytes, bytes(DIGEST_BYTES * -(-size // chunk_bytes)))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the chunks from a file.

        Raises:
            VaultError: it is missing or damaged.
        """
        try:
            with opened(path) as file:
                header = json.loads(file.readline(_LONGEST_HEADER))
                stored = StoredDigests(path, file.tell(), os.fstat(file.fileno()).st_size - file.tell())
                found = cls(int(header["bytes"]), int(header["chunk_bytes"]), stored)
            complete = header["format"] == _FORMAT and len(found.digests) == DIGEST_BYTES * found.count
        except (OSError, ValueError, KeyError, TypeError, ArithmeticError) as damaged:
            raise VaultError(f"The chunk file {path} can't be read: {damaged!r}") from damaged
        if not complete or found.chunk_bytes <= 0:
            raise VaultError(f"The chunk file {path} is damaged: {len(found.digests):,} bytes of digests.")
        return found

    def write(self, path: Path) -> None:
        """Write the chunks to a file."""
        header = {"format": _FORMAT, "bytes": self.bytes, "chunk_bytes": self.chunk_bytes}
        with path.open("wb") as file:
            file.write(json.dumps(header).encode() + b"\n")
            file.writelines(self.blocks())

    def blocks(self) -> Iterator[Part]:
        """Yield all digests, some thousands at a time."""
        for start in range(0, len(self.digests), _BLOCK_BYTES):
            yield self.digests[start : start + _BLOCK_BYTES]

    @cached_property
    def count(self) -> int:
        """How many chunks the disk has."""
        return -(-self.bytes // self.chunk_bytes)

    @property
    def lengths(self) -> set[int]:
        """The sizes that chunks have, in bytes: the last one may be smaller than the others."""
        return {self.length(index) for index in (0, self.count - 1)} if self.count else set()

    def length(self, index: int) -> int:
        """Return the size of one chunk, in bytes."""
        return min(self.chunk_bytes, self.bytes - index * self.chunk_bytes)

    def digest(self, index: int) -> Digest:
        """Return the SHA-256 of one chunk, or ``UNKNOWN``."""
        return Digest(self.digests[index * DIGEST_BYTES : (index + 1) * DIGEST_BYTES])
