"""A conversation with the agent at a host, in binary, carried by OpenSSH."""

import json
import os
import select
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from include.agent.wire import widen
from include.errors import BackupError, SourceUnreachableError
from include.transfer import REASONS_BYTES, WITH_THE_TASK, failure

SILENCE_S = 600  # the host says something every few seconds, and of a hole when it has passed it
LONGEST_WORDS = 64 << 20  # bytes of a line of JSON; a machine's TPM state is the longest that it holds
_ENDS_S = 10


class _SilenceError(EOFError):
    """The host lives, as far as anybody knows, and says nothing."""


@contextmanager
def agent_line(config: Path, command: str) -> Iterator["AgentLine"]:
    """Have the agent run a command for the time of a block, and speak with it.

    Args:
        config: of :func:`include.transfer.connected`.
        command: quoted for the host's shell.

    Raises:
        SourceUnreachableError: the connection broke, or nothing came for ``SILENCE_S``.
        BackupError: the command ended; see ``transfer.failure``.
    """
    with tempfile.TemporaryFile() as reasons:
        ssh = [*WITH_THE_TASK, "ssh", "-F", str(config), "source", command]
        with subprocess.Popen(
            ssh, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=reasons, bufsize=0
        ) as process:
            try:
                yield AgentLine(process)
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
                raise failure(status, said, "ssh", there="the host") from None
            except BaseException:
                process.terminate()  # it may be about to send GB that nobody wants
                raise


class AgentLine:
    """Both directions of it.

    Args:
        process: the SSH client.
    """

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._in, self._out = _pipe(process.stdout).fileno(), _pipe(process.stdin).fileno()
        widen(self._in)
        widen(self._out)
        self._heard = select.poll()
        self._heard.register(self._in, select.POLLIN)

    def say(self, words: Mapping[str, object], *parts: bytes | bytearray | memoryview) -> None:
        """Say a line of JSON, and what follows it; who is gone says why when it's listened to."""
        write(os.dup(self._out), json.dumps(words).encode() + b"\n", *parts)

    def say_meanwhile(self, words: Mapping[str, object], *parts: bytes | bytearray | memoryview) -> None:
        """Do that in a thread, while what is answered is listened to."""
        # A descriptor of its own: the thread may outlive ours, whose number is somebody else's file then.
        told = (os.dup(self._out), json.dumps(words).encode() + b"\n", *parts)
        threading.Thread(target=write, args=told, daemon=True).start()

    def send(self, *parts: bytes | bytearray | memoryview) -> None:
        """Send bytes as they are.

        Raises:
            BrokenPipeError: nobody takes them any more.
        """
        for part in parts:
            left = memoryview(part)
            while left:
                left = left[os.write(self._out, left) :]

    def words(self) -> dict[str, Any]:
        """Give the line of JSON that comes; the host says no more until it's asked.

        Raises:
            EOFError: the connection broke, or is silent.
            BackupError: it's something else.
        """
        line, block = bytearray(), memoryview(bytearray(1 << 16))
        while not line.endswith(b"\n") and len(line) <= LONGEST_WORDS:
            line += block[: self._some(block)]
        return json_of(line)

    def exactly(self, view: memoryview) -> memoryview:
        """Fill a view with what comes, and give it.

        Raises:
            EOFError: the connection broke, or is silent.
        """
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


def json_of(line: bytes | bytearray | memoryview) -> dict[str, Any]:
    """Read an object.

    Raises:
        BackupError: it's none.
    """
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


def write(out: int, *parts: bytes | bytearray | memoryview) -> None:
    """Write to a descriptor, and close it; when it's gone, who reads is told why."""
    with suppress(OSError), os.fdopen(out, "wb", buffering=0) as pipe:
        for part in parts:
            left = memoryview(part)
            while left:
                left = left[pipe.write(left) :]


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
