"""The chunks of an image: the SHA-256 of each, as the host computed it.

Each image has such a file beside it. It verifies the image, and the next generation is compared with it. It
begins with a line of JSON,

    {"format": 1, "bytes": 4294967296, "chunk_bytes": 1048576}

followed by 32 bytes for each chunk, in order. The last chunk may be shorter; holes count as zeros.
"""

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Self

from include.errors import VaultError

CHUNK_BYTES = 1 << 20
Digest = bytes
"""SHA-256 of one chunk."""

DIGEST_BYTES = 32
UNKNOWN = bytes(DIGEST_BYTES)
"""The digest of a chunk that isn't known; no known data hash to it."""

_FORMAT = 1
_LONGEST_HEADER = 200


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
    digests: bytearray = field(default_factory=bytearray)

    @classmethod
    def unknown(cls, size: int, chunk_bytes: int = CHUNK_BYTES) -> Self:
        """Return the chunks of a disk with no digest known yet."""
        return cls(size, chunk_bytes, bytearray(DIGEST_BYTES * -(-size // chunk_bytes)))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the chunks from a file.

        Raises:
            VaultError: it is missing or damaged.
        """
        try:
            with path.open("rb") as file:
                header = json.loads(file.readline(_LONGEST_HEADER))
                found = cls(int(header["bytes"]), int(header["chunk_bytes"]), bytearray(file.read()))
            complete = header["format"] == _FORMAT and len(found.digests) == DIGEST_BYTES * found.count
        except (OSError, ValueError, KeyError, TypeError, ArithmeticError) as damaged:
            raise VaultError(f"The chunk file {path} can't be read: {damaged!r}") from damaged
        if not complete or found.chunk_bytes <= 0:
            raise VaultError(f"The chunk file {path} is damaged: {len(found.digests):,} bytes of digests.")
        return found

    def write(self, path: Path) -> None:
        """Write the chunks to a file."""
        header = {"format": _FORMAT, "bytes": self.bytes, "chunk_bytes": self.chunk_bytes}
        path.write_bytes(json.dumps(header).encode() + b"\n" + self.digests)

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
