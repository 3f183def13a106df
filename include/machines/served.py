"""Frozen disks as their host serves them: this end of the wire, carried by OpenSSH.

The other end is ``include/agent/serve.py``; what they say to each other is in ``include/agent/wire.py``.
"""

import json
import os
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

from include.agent.wire import DIGEST_BYTES, FRAME, widen
from include.errors import BackupError, ImageGoneError, MachineNotImagedError
from include.machines.chunks import CHUNK_BYTES
from include.transfer import REASONS_BYTES, WITH_THE_TASK, failure

AHEAD = 12  # frames that may be in use while the next one comes
_LONGEST_WORDS = 64 << 20  # bytes of a line of JSON; a machine's TPM state is the longest that it holds


class Way(NamedTuple):
    """How frozen disks are reached.

    Args:
        config: of :func:`include.transfer.connected`.
        command: what serves them, on the host.
        run: whose freeze it must be.
    """

    config: Path
    command: str
    run: str


class Frame(NamedTuple):
    """What the host says of one chunk, or of a run of them.

    Args:
        kind: ``D`` data, ``S`` the same as we have, ``Z`` zeros.
        first: the first chunk's number.
        chunks: how many.
        digest: SHA-256 of the data.
        data: the data.
    """

    kind: bytes
    first: int
    chunks: int
    digest: bytes
    data: memoryview


@contextmanager
def serving(way: Way) -> Iterator["Served"]:
    """Have a host serve a machine's frozen disks for the time of a block.

    Raises:
        ImageGoneError: the host doesn't hold them any more.
        MachineNotImagedError: the host can't read them.
        SourceUnreachableError: the connection broke.
    """
    with tempfile.TemporaryFile() as reasons:
        ssh = [*WITH_THE_TASK, "ssh", "-F", str(way.config), "source", way.command]
        with subprocess.Popen(
            ssh, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=reasons, bufsize=0
        ) as process:
            try:
                yield Served(process, way.run)
            except EOFError:
                reasons.seek(0)
                said = reasons.read(REASONS_BYTES).decode("utf-8", "backslashreplace").strip()
                raise failure(process.wait(), said, "ssh") from None
            except BaseException:
                process.terminate()  # it may be about to send GB that nobody wants
                raise


class Served:
    """The host's side of a transfer.

    Args:
        process: the SSH client.
        run: whose freeze it must be.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", run: str) -> None:
        self._in, self._out = _descriptor(process.stdout), _descriptor(process.stdin)
        widen(self._in)
        widen(self._out)
        self._places = deque(bytearray(CHUNK_BYTES) for _ in range(AHEAD + 2))
        self._write(json.dumps({"run": run}).encode() + b"\n")
        self.introduction = self._introduced()

    def ask(self, disk: str, first: int, count: int, have: bytes | memoryview = b"") -> None:
        """Ask for a part of a disk.

        Args:
            disk: its name.
            first: the first chunk.
            count: how many.
            have: SHA-256 of those that we have, from ``first`` on; the host reads them as it goes.
        """
        known = len(have) // DIGEST_BYTES
        part = {"disk": disk, "chunk_bytes": CHUNK_BYTES, "from": first, "count": count, "have": known}
        line = json.dumps(part).encode() + b"\n"
        threading.Thread(target=self._write, args=(line, have), daemon=True).start()

    def frames(self) -> Iterator[Frame]:
        """Give what is said of the chunks that were asked for; data lasts until ``AHEAD`` later frames came.

        Raises:
            EOFError: the connection broke.
            ImageGoneError, MachineNotImagedError: the host says why it can't go on.
        """
        while True:
            kind, first, second, digest = FRAME.unpack(self._exactly(memoryview(bytearray(FRAME.size))))
            if kind == b"D" and second <= CHUNK_BYTES:
                yield Frame(kind, first, 1, digest, self._exactly(self._place(second)))
            elif kind in (b"S", b"Z"):
                yield Frame(kind, first, second, digest, memoryview(b""))
            elif kind in (b"E", b"X") and second <= _LONGEST_WORDS:
                words = json.loads(bytes(self._exactly(memoryview(bytearray(second)))))
                if kind == b"X":
                    raise _refusal(words)
                return
            else:
                raise BackupError(f"The host sent what is no frame: {kind!r} of {second:,} bytes.")

    def _place(self, length: int) -> memoryview:
        self._places.rotate(-1)
        return memoryview(self._places[0])[:length]

    def _introduced(self) -> dict[str, Any]:
        line = bytearray()
        while not line.endswith(b"\n") and len(line) <= _LONGEST_WORDS:
            block = os.read(self._in, 1 << 16)  # the host says no more until it's asked
            if not block:
                raise EOFError
            line += block
        try:
            said: dict[str, Any] = json.loads(line)
        except ValueError as garbled:
            raise BackupError(
                f"The host answered something else than facts: {bytes(line[:200])!r}. "
                "Does its shell's start-up file print something?"
            ) from garbled
        if "error" in said:
            raise _refusal(said)
        return said

    def _exactly(self, view: memoryview) -> memoryview:
        left = view
        while left:
            got = os.readv(self._in, [left])
            if not got:
                raise EOFError
            left = left[got:]
        return view

    def _write(self, *parts: bytes | memoryview) -> None:
        with suppress(OSError):  # it's gone: who reads from it is told why
            for part in parts:
                left = memoryview(part)
                while left:
                    left = left[os.write(self._out, left) :]


def _descriptor(pipe: IO[bytes] | None) -> int:
    if pipe is None:
        raise AssertionError("the SSH client was started without pipes")
    return pipe.fileno()


def _refusal(said: Mapping[str, str]) -> BackupError:
    gone = said["error"].startswith("NothingFrozen")
    return (ImageGoneError if gone else MachineNotImagedError)(said["message"])
