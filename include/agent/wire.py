"""The binary protocol between the agent (the host) and the vault's worker: JSON lines, hashes and frames.

The worker speaks first, with a line of JSON, and gets one back:

    {"run": "a run"}
    {"vm": "maq1", "uuid": "...", "disks": [{"name": "vda", "bytes": 4294967296}],
     "files": {"domain.xml": "<base64>"}}

If its line has a ``base``, the generation that it has already and the SHA-256 of that one's ``.chunks``, the
answer has the ranges of bytes that haven't changed since then, or why that isn't known:

    {"run": "a run", "base": {"generation": "2026-11-22T05-00-03Z", "chunks": {"vda": "..."}}}
    {..., "unchanged": {"vda": {"ranges": [[0, 1073741824]], "doubt": "", "exclusive_bytes": 65536}}}

Then it requests ranges of chunks, any number of times: ``count`` chunks from chunk ``from`` on. ``have`` is
how many hashes follow the line: the SHA-256 of the vault's own chunks from ``from`` on (32 zero bytes: none):

    {"disk": "vda", "chunk_bytes": 1048576, "from": 0, "count": 4096, "have": 4096, "skip": [[2, 900]]}

Chunks in ``skip`` (optional; from the first up to, but without, the second) are neither read nor answered.

The agent answers each request with frames: a kind, two numbers, a hash (``FRAME``), and maybe a body:

    D  chunk number, length, SHA-256; body: the chunk's data
    S  first chunk, count: the vault has the same chunks
    Z  first chunk, count: the chunks are all zeros
    E  0, length; body: JSON with the bytes read and sent. It ends the answer.
    X  0, length; body: JSON with the error: {"error": class, "message": sentence}. It ends the session.
    L  0, 0: a sign of life

Chunks are sent in order, each of them once. An S or Z waits for the next chunk for ``FLUSH_S`` at most: the
worker notes what it has received.

Each end sends a sign of life every few seconds (``heartbeat.py``), and gives up on one that is silent for
long. The agent's is a blank line before its first line, then a frame L during each of its answers. The
worker's is a blank line between its requests. So that the agent sees it, whatever else it does, a request has
at most ``LONGEST_REQUEST`` hashes, which are read before it is answered.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import struct
import threading
import time
from contextlib import AbstractContextManager, suppress
from typing import Any, Protocol

from include.agent.heartbeat import beating

FRAME = struct.Struct(">cQQ32s")
DIGEST_BYTES = 32
NO_DIGEST = bytes(DIGEST_BYTES)
"""Stands for an unknown chunk; no data is known that hashes to it."""

KEEP_ALIVE = FRAME.pack(b"L", 0, 0, NO_DIGEST)
BLANK_LINE = b"\n"

FLUSH_S = 5.0  # the longest that a run of chunks waits for its next one
LONGEST_REQUEST = 16384  # chunks: 16 GiB, and 512 KiB of hashes
LONGEST_RUN = 4096  # chunks in a frame
LONGEST_SAME_RUN = 32  # chunks in an S frame: the vault copies them while the next ones are read

_SET_PIPE_SIZE, _PIPE_BYTES = 1031, 1 << 20  # fcntl(2): the largest size that needs no privileges


class WireInput(Protocol):
    """Where the worker's requests come from."""

    def read(self, count: int, /) -> bytes:
        """Return the next bytes; fewer at the end of the input."""

    def readline(self) -> bytes:
        """Return the next line; an empty one at the end of the input."""


class WrongQuestionError(Exception):
    """A request is malformed, or names something that doesn't exist."""


def widen(pipe: int) -> None:
    """Make a pipe as large as is possible without privileges, so that both ends switch less often."""
    with suppress(OSError):  # a socket has no such size, and a user's pipes may be at their limit
        fcntl.fcntl(pipe, _SET_PIPE_SIZE, _PIPE_BYTES)


class Runs:
    """Sends consecutive chunks of the same kind (S, Z or W) as one frame, every few seconds at the latest."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._kind, self._first, self._count = b"", 0, 0
        self._began = 0.0

    def add(self, kind: bytes, index: int) -> None:
        """Extend the run, or send it and start another."""
        now = time.monotonic()
        if (kind, index) != (self._kind, self._first + self._count):
            self.end()
            self._kind, self._first, self._began = kind, index, now
        self._count += 1
        longest = LONGEST_SAME_RUN if kind == b"S" else LONGEST_RUN
        if self._count == longest or now - self._began >= FLUSH_S:
            self.end()

    def end(self) -> None:
        """Send the run, if there is one."""
        if self._count:
            self._wire.send_frame(self._kind, self._first, self._count)
        self._kind, self._count = b"", 0


class Wire:
    """The agent's end of the protocol.

    Args:
        wire_in: what the worker sends.
        wire_out: a file descriptor that the worker reads.
    """

    def __init__(self, wire_in: WireInput, wire_out: int) -> None:
        self._in = wire_in
        self._out = wire_out
        self._lock = threading.Lock()
        self._greeted, self._sign = False, b""
        self._writable = select.poll()
        self._writable.register(wire_out, select.POLLOUT)
        widen(wire_out)

    def beating(self) -> AbstractContextManager[None]:
        """Send signs of life during a block, while the worker waits for an answer."""
        return beating(self._beat)

    def _beat(self) -> None:
        # Without waiting: what is being sent, or not read yet, shows the same.
        if self._lock.acquire(blocking=False):
            try:
                if self._sign and self._writable.poll(0):
                    os.write(self._out, self._sign)
            finally:
                self._lock.release()

    def receive_json(self) -> dict[str, Any]:
        """Return the JSON object on the next line that isn't blank; an empty one at the end of the input.

        Raises:
            WrongQuestionError: the line isn't a JSON object.
        """
        line = self._in.readline()
        while line == BLANK_LINE:
            line = self._in.readline()
        self._sign = KEEP_ALIVE if self._greeted else BLANK_LINE
        try:
            received = json.loads(line) if line else {}
        except ValueError as error:
            raise WrongQuestionError(f"The request isn't JSON: {error}.") from error
        if not isinstance(received, dict):
            raise WrongQuestionError(f"The request isn't a JSON object: {received!r}.")
        return received

    def receive(self, count: int) -> bytes:
        """Return exactly the next ``count`` bytes.

        Raises:
            EOFError: the worker hung up before.
        """
        received = self._in.read(count)
        if len(received) < count:
            raise EOFError
        return received

    def send_json(self, content: dict[str, Any]) -> None:
        """Send a line of JSON, the answer to the first one."""
        self._greeted = True
        self._write([json.dumps(content).encode() + b"\n"], ends=True)

    def send_error(self, content: dict[str, Any]) -> None:
        """Send an error as an X frame."""
        self.send_json_frame(b"X", content)

    def send_json_frame(self, kind: bytes, content: dict[str, Any]) -> None:
        """Send a frame with JSON as its body."""
        body = json.dumps(content).encode()
        self.send_frame(kind, 0, len(body), NO_DIGEST, body)

    def send_frame(
        self,
        kind: bytes,
        first: int,
        second: int,
        digest: bytes = NO_DIGEST,
        data: bytes | memoryview = b"",
    ) -> None:
        """Send a frame."""
        self._write([FRAME.pack(kind, first, second, digest), data], ends=kind in (b"E", b"X"))

    def _write(self, parts: list[bytes | memoryview], *, ends: bool) -> None:
        with self._lock:
            written = os.writev(self._out, parts)
            for part in parts:
                left = memoryview(part)[written:]
                written = max(0, written - len(part))
                while left:
                    left = left[os.write(self._out, left) :]
            if ends:  # the answer: the worker waits for nothing more, and may read for hours what it has
                self._sign = b""
