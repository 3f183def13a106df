"""The chunks of an image: the SHA-256 of each, as the host hashed it.

Beside each image lies such a file: it proves the image, says where a broken transfer goes on, and is what
the next generation is compared with. It begins with a line of JSON,

    {"format": 1, "bytes": 4294967296, "chunk_bytes": 1048576}

and then holds 32 bytes for each chunk, in order. The last chunk may be shorter; holes count as zeros.
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
"""Stands for a chunk that nothing is known of; no data hash to it as far as anybody knows."""

_FORMAT = 1
_LONGEST_HEADER = 200


@dataclass(frozen=True)
class Chunks:
    """The digests of one disk, or as many of them as are known.

    Args:
        bytes: what the disk holds.
        chunk_bytes: what each chunk but the last holds.
        digests: 32 bytes for each chunk, ``UNKNOWN`` where nothing is known.
    """

    bytes: int
    chunk_bytes: int = CHUNK_BYTES
    digests: bytearray = field(default_factory=bytearray)

    @classmethod
    def unknown(cls, size: int, chunk_bytes: int = CHUNK_BYTES) -> Self:
        """Give the chunks of a disk of which nothing is known yet."""
        return cls(size, chunk_bytes, bytearray(DIGEST_BYTES * -(-size // chunk_bytes)))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read them from a file.

        Raises:
            VaultError: it is missing, or damaged.
        """
        try:
            with path.open("rb") as file:
                header = json.loads(file.readline(_LONGEST_HEADER))
                found = cls(int(header["bytes"]), int(header["chunk_bytes"]), bytearray(file.read()))
            whole = header["format"] == _FORMAT and len(found.digests) == DIGEST_BYTES * found.count
        except (OSError, ValueError, KeyError, TypeError, ArithmeticError) as damaged:
            raise VaultError(f"The chunks {path} can't be read: {damaged!r}") from damaged
        if not whole or found.chunk_bytes <= 0:
            raise VaultError(f"The chunks {path} are damaged: {len(found.digests):,} bytes of digests.")
        return found

    def write(self, path: Path) -> None:
        """Write them to a file."""
        header = {"format": _FORMAT, "bytes": self.bytes, "chunk_bytes": self.chunk_bytes}
        path.write_bytes(json.dumps(header).encode() + b"\n" + self.digests)

    @cached_property
    def count(self) -> int:
        """How many chunks the disk has."""
        return -(-self.bytes // self.chunk_bytes)

    @property
    def lengths(self) -> set[int]:
        """What chunks can hold: the last one may hold less than the others."""
        return {self.length(index) for index in (0, self.count - 1)} if self.count else set()

    def length(self, index: int) -> int:
        """Give what one chunk holds, in bytes."""
        return min(self.chunk_bytes, self.bytes - index * self.chunk_bytes)

    def digest(self, index: int) -> Digest:
        """Give one chunk's SHA-256, or ``UNKNOWN``."""
        return Digest(self.digests[index * DIGEST_BYTES : (index + 1) * DIGEST_BYTES])
