"""Frozen disks as their host serves them: this end of the wire, carried by OpenSSH.

The other end is ``include/agent/serve.py``; what they say to each other is in ``include/agent/wire.py``.
"""

import base64
import json
import os
import select
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field

from include.agent.wire import DIGEST_BYTES, FRAME, widen
from include.errors import BackupError, ImageGoneError, MachineNotImagedError, SourceUnreachableError
from include.facts import Facts
from include.listing import named
from include.machines.chunks import CHUNK_BYTES
from include.machines.facts import Frozen
from include.transfer import REASONS_BYTES, WITH_THE_TASK, failure

AHEAD = 12  # frames that may be in use while the next one comes
DEFINITION = "domain.xml"
SILENCE_S = 600  # the host says something of each 32 chunks, and of a hole when it has passed it
_LONGEST_WORDS = 64 << 20  # bytes of a line of JSON; a machine's TPM state is the longest that it holds
_LARGEST_DISK = 1 << 46  # bytes; the hashes of 64 TiB fill 2 GiB of memory
_ENDS_S = 10


class Way(NamedTuple):
    """How frozen disks are reached.

    Args:
        config: of :func:`include.transfer.connected`.
        command: what serves them, on the host.
        frozen: the freeze that it must be, of these disks.
    """

    config: Path
    command: str
    frozen: Frozen


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


class ServedDisk(Facts):
    """A disk that is served: its name, and what the guest sees, in bytes."""

    name: str
    bytes: int = Field(ge=0, le=_LARGEST_DISK)


def _decoded(text: object) -> object:
    return base64.b64decode(text, validate=True) if isinstance(text, str) else text


class Introduction(Facts):
    """What the host says before it's asked for anything.

    Args:
        machine: its name.
        uuid: its UUID.
        disks: those that are held.
        files: what else is kept, such as ``domain.xml``.
    """

    machine: str
    uuid: str
    disks: tuple[ServedDisk, ...]
    files: dict[str, Annotated[bytes, BeforeValidator(_decoded)]]


class _SilenceError(EOFError):
    """The host lives, as far as anybody knows, and says nothing."""


@contextmanager
def serving(way: Way) -> Iterator["Served"]:
    """Have a host serve a machine's frozen disks for the time of a block.

    Raises:
        ImageGoneError: the host doesn't hold them any more.
        MachineNotImagedError: the host can't read them, or holds others.
        SourceUnreachableError: the connection broke, or nothing came for ``SILENCE_S``.
    """
    with tempfile.TemporaryFile() as reasons:
        ssh = [*WITH_THE_TASK, "ssh", "-F", str(way.config), "source", way.command]
        with subprocess.Popen(
            ssh, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=reasons, bufsize=0
        ) as process:
            try:
                yield Served(process, way.frozen)
                _end(process)
            except _SilenceError:
                process.terminate()
                raise SourceUnreachableError(
                    f"The host said nothing for {SILENCE_S} s. What came before is kept."
                ) from None
            except EOFError:
                status = _end(process)
                reasons.seek(0)
                said = reasons.read(REASONS_BYTES).decode("utf-8", "backslashreplace").strip()
                raise failure(status, said, "ssh") from None
            except BaseException:
                process.terminate()  # it may be about to send GB that nobody wants
                raise


class Served:
    """The host's side of a transfer.

    Args:
        process: the SSH client.
        frozen: the freeze that it must be.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", frozen: Frozen) -> None:
        self._in, self._out = _pipe(process.stdout).fileno(), _pipe(process.stdin).fileno()
        widen(self._in)
        widen(self._out)
        self._heard = select.poll()
        self._heard.register(self._in, select.POLLIN)
        self._places = deque(bytearray(CHUNK_BYTES) for _ in range(AHEAD + 2))
        self._write(os.dup(self._out), json.dumps({"run": frozen.run}).encode() + b"\n")
        self.introduction = _checked(self._introduced(), frozen)

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
        # A descriptor of its own: the thread may outlive ours, whose number is somebody else's file then.
        out = os.dup(self._out)
        threading.Thread(target=self._write, args=(out, line, have), daemon=True).start()

    def frames(self) -> Iterator[Frame]:
        """Give what is said of the chunks that were asked for; data lasts until ``AHEAD`` later frames came.

        Raises:
            EOFError: the connection broke, or is silent.
            ImageGoneError, MachineNotImagedError: the host says why it can't go on.
            BackupError: what came is no frame.
        """
        while True:
            kind, first, second, digest = FRAME.unpack(self._exactly(memoryview(bytearray(FRAME.size))))
            if kind == b"D" and second <= CHUNK_BYTES:
                yield Frame(kind, first, 1, digest, self._exactly(self._place(second)))
            elif kind in (b"S", b"Z") and second:
                yield Frame(kind, first, second, digest, memoryview(b""))
            elif kind in (b"E", b"X") and second <= _LONGEST_WORDS:
                words = _words(self._exactly(memoryview(bytearray(second))))
                if kind == b"X":
                    raise _refusal(words)
                return
            else:
                raise BackupError(f"The host sent what is no frame: {kind!r} of {second:,} bytes.")

    def _place(self, length: int) -> memoryview:
        self._places.rotate(-1)
        return memoryview(self._places[0])[:length]

    def _introduced(self) -> dict[str, Any]:
        line, block = bytearray(), memoryview(bytearray(1 << 16))
        while not line.endswith(b"\n") and len(line) <= _LONGEST_WORDS:
            line += block[: self._some(block)]  # the host says no more until it's asked
        said = _words(line)
        if "error" in said:
            raise _refusal(said)
        return said

    def _exactly(self, view: memoryview) -> memoryview:
        left = view
        while left:
            left = left[self._some(left) :]
        return view

    def _some(self, view: memoryview) -> int:
        if not self._heard.poll(SILENCE_S * 1000):
            raise _SilenceError
        got = os.readv(self._in, [view])
        if not got:
            raise EOFError
        return got

    @staticmethod
    def _write(out: int, *parts: bytes | memoryview) -> None:
        with suppress(OSError), os.fdopen(out, "wb", buffering=0) as pipe:
            for part in parts:  # when it's gone, who reads from it is told why
                left = memoryview(part)
                while left:
                    left = left[pipe.write(left) :]


def _checked(said: dict[str, Any], frozen: Frozen) -> Introduction:
    """Take an introduction that is in order, and of the very disks that were frozen."""
    try:
        introduction = Introduction.model_validate(said)
    except ValueError as wrong:
        raise BackupError(
            f"The host introduces {frozen.machine} in a way that isn't known: {wrong}"
        ) from wrong
    served = [(disk.name, disk.bytes) for disk in introduction.disks]
    if served != [(disk.name, disk.bytes) for disk in frozen.disks]:
        raise MachineNotImagedError(
            f"{frozen.machine}: its host serves {named(name for name, _ in served)}, of other names or sizes "
            "than it froze. Nothing was copied. Clear the freeze task."
        )
    if DEFINITION not in introduction.files:
        raise MachineNotImagedError(f"{frozen.machine}: its host holds no definition of it ({DEFINITION}).")
    return introduction


def _words(line: bytes | bytearray | memoryview) -> dict[str, Any]:
    try:
        said = json.loads(bytes(line))
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise BackupError(
            f"The host answered something else than facts: {bytes(line[:200])!r}. "
            "Does its shell's start-up file print something?"
        )
    return said


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise AssertionError("the SSH client was started without pipes")
    return pipe


def _end(process: "subprocess.Popen[bytes]") -> int:
    """Ask for no more, and give ssh's exit status; the agent lets go of the disks meanwhile."""
    _pipe(process.stdin).close()
    with suppress(subprocess.TimeoutExpired):
        return process.wait(_ENDS_S)
    process.terminate()
    return process.wait()


def _refusal(said: Mapping[str, object]) -> BackupError:
    gone = str(said.get("error")).startswith("NothingFrozen")
    return (ImageGoneError if gone else MachineNotImagedError)(str(said.get("message")))
