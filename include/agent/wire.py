"""What the agent and the vault's side say to each other over a wire: lines of JSON, hashes, frames.

The vault's side speaks first, a line of JSON, and is answered with one:

    {"run": "a run"}
    {"machine": "maq1", "uuid": "...", "disks": [{"name": "vda", "bytes": 4294967296}],
     "files": {"domain.xml": "<base64>"}}

Then, as often as it likes, it asks for a part of a disk: ``count`` chunks from chunk ``from`` on. It says how
many hashes (SHA-256; 32 zero bytes: none) of the chunks that it has follow this line, the first of them that
of chunk ``from``:

    {"disk": "vda", "chunk_bytes": 1048576, "from": 0, "count": 4096, "have": 4096}

What is sent for it are frames: a kind, two numbers, a hash (``FRAME``), and for some of them more bytes:

    D  chunk's number, its length, its SHA-256; then the data
    S  first chunk, how many: the vault has the same
    Z  first chunk, how many: nothing but zeros
    E  0, length; then JSON: the end, and what was read and sent
    X  0, length; then JSON: it can't be done: {"error": class, "message": sentence}

Chunks come in order, each just once.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import struct
from contextlib import suppress
from typing import Any, BinaryIO

FRAME = struct.Struct(">cQQ32s")
DIGEST_BYTES = 32
NO_DIGEST = bytes(DIGEST_BYTES)
"""Stands for a chunk that isn't known; no data hash to it as far as anybody knows."""

IDLE_S = 600  # the vault's side that takes nothing for so long is gone
MOST_SAID_AT_ONCE = 32  # chunks that are the same: the vault copies them while we read on

_SET_PIPE_SIZE, _PIPE_BYTES = 1031, 1 << 20  # fcntl(2): the most that needs no rights


class WrongQuestionError(Exception):
    """The vault's side asks for what doesn't exist."""


def widen(pipe: int) -> None:
    """Let a pipe hold as much as may be had without rights: fewer, longer turns for both its ends."""
    with suppress(OSError):  # a socket has no such size, and a user's pipes may be at their limit
        fcntl.fcntl(pipe, _SET_PIPE_SIZE, _PIPE_BYTES)


class Runs:
    """Says runs of chunks in one frame."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._kind, self._first, self._count = b"", 0, 0

    def add(self, kind: bytes, index: int) -> None:
        """Make a run longer, or begin another."""
        if kind != self._kind or (kind == b"S" and self._count == MOST_SAID_AT_ONCE):
            self.end()
            self._kind, self._first = kind, index
        self._count += 1

    def end(self) -> None:
        """Say the run, if there is one."""
        if self._count:
            self._wire.frame(self._kind, self._first, self._count)
        self._kind, self._count = b"", 0


class Wire:
    """What is heard from the vault's side, and said to it."""

    def __init__(self, wire_in: BinaryIO, wire_out: int) -> None:
        self._in = wire_in
        self._out = wire_out
        widen(wire_out)

    def heard(self, patience_s: int = IDLE_S) -> dict[str, Any]:
        """Give the next line's JSON; at the end, nothing."""
        signal.alarm(patience_s)
        line = self._in.readline()
        try:
            words = json.loads(line) if line else {}
        except ValueError as error:
            raise WrongQuestionError(f"No JSON: {error}.") from error
        if not isinstance(words, dict):
            raise WrongQuestionError(f"No question: {words!r}.")
        return words

    def digest(self) -> bytes:
        """Give the next hash of what the vault has.

        Raises:
            EOFError: it went away.
        """
        return self.exactly(DIGEST_BYTES)

    def exactly(self, count: int) -> bytes:
        """Give so many bytes of what is heard.

        Raises:
            EOFError: it went away before.
        """
        signal.alarm(IDLE_S)
        heard = self._in.read(count)
        if len(heard) < count:
            raise EOFError
        return heard

    def say(self, words: dict[str, Any]) -> None:
        """Say one line."""
        self._write([json.dumps(words).encode() + b"\n"])

    def refuse(self, words: dict[str, Any]) -> None:
        """Say in a frame why it can't be done."""
        self.words(b"X", words)

    def words(self, kind: bytes, words: dict[str, Any]) -> None:
        """Say JSON in a frame."""
        said = json.dumps(words).encode()
        self.frame(kind, 0, len(said), NO_DIGEST, said)

    def frame(
        self,
        kind: bytes,
        first: int,
        second: int,
        digest: bytes = NO_DIGEST,
        data: bytes | memoryview = b"",
    ) -> None:
        """Say one frame."""
        self._write([FRAME.pack(kind, first, second, digest), data])

    def _write(self, parts: list[bytes | memoryview]) -> None:
        signal.alarm(IDLE_S)
        written = os.writev(self._out, parts)
        for part in parts:
            left = memoryview(part)[written:]
            written = max(0, written - len(part))
            while left:
                left = left[os.write(self._out, left) :]
