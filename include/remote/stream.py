"""A binary stream to a program on a host, over OpenSSH: lines of JSON, and raw bytes."""

import json
import os
import select
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import IO, Any

from include.agent.heartbeat import SILENCE_S, beating
from include.agent.wire import BLANK_LINE, widen
from include.errors import BackupError, SourceUnreachableError
from include.remote.failures import SSH_MEANINGS, failure
from include.remote.program import parsed
from include.remote.ssh import STDERR_BYTES, ssh_command

LONGEST_LINE = 192 << 20  # bytes of a line of JSON; the longest has a VM's firmware state: 64 MiB on ARM
_ENDS_S = 10

Bytes = bytes | bytearray | memoryview


class _SilenceError(EOFError):
    """The connection is up, but the host sends nothing."""


@contextmanager
def opened(config: Path, command: str, *options: str) -> Iterator["Stream"]:
    """Open a stream to a command during the block.

    Args:
        config: from ``ssh.configured``.
        command: quoted for the host's shell.
        options: more options of ssh.

    Raises:
        SourceUnreachableError: the connection broke, or the host sent nothing for ``SILENCE_S``.
        BackupError: the command ended; see ``failures.failure``.
    """
    with (
        tempfile.TemporaryFile() as stderr,
        subprocess.Popen(
            ssh_command(config, command, *options),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            bufsize=0,
        ) as process,
    ):
        stream = Stream(process, stderr)
        try:
            with beating(stream.beat):
                yield stream
            stream.end()
        except _SilenceError:
            process.terminate()
            raise SourceUnreachableError(
                f"The host sent nothing for {SILENCE_S} s. What it sent before is kept."
            ) from None
        except EOFError:
            if stream.unsent:
                raise stream.unsent from None
            raise failure(stream.end(), stream.errors, "ssh", "the host", SSH_MEANINGS) from None
        except BaseException:
            process.terminate()  # it may be about to send GB that nobody reads
            raise


class Stream:
    """A stream in both directions.

    While nothing else is sent, :meth:`beat` shows the host that this worker is alive.

    Args:
        process: the SSH client.
        stderr: the file of its standard error.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", stderr: IO[bytes]) -> None:
        self._process, self._stderr = process, stderr
        self._in, self._out = _pipe(process.stdout).fileno(), _pipe(process.stdin).fileno()
        widen(self._in)
        widen(self._out)
        self._readable, self._writable = select.poll(), select.poll()
        self._readable.register(self._in, select.POLLIN)
        self._writable.register(self._out, select.POLLOUT)
        self._sending, self._sign = threading.Lock(), BLANK_LINE
        self._ended = False
        self.unsent: BackupError | None = None

    def beat(self) -> None:
        """Send a sign of life, unless something else is being sent or hasn't been read."""
        if self._sending.acquire(blocking=False):
            try:
                if self._writable.poll(0):
                    os.write(self._out, self._sign)
            finally:
                self._sending.release()

    def send_line(self, message: Mapping[str, object], sign: bytes = BLANK_LINE) -> None:
        """Send a line of JSON; if the connection is broken, reading raises why.

        Args:
            message: what to send.
            sign: the sign of life from now on.
        """
        with suppress(BrokenPipeError):
            self.send(json.dumps(message).encode() + b"\n", sign=sign)

    def send_line_meanwhile(self, message: Mapping[str, object], parts: Iterable[Bytes] = ()) -> None:
        """Send a line of JSON and then raw bytes in a thread, while the answer is read.

        Args:
            message: what to send.
            parts: the bytes. If they raise a BackupError, the connection is ended, and that error raised.
        """
        # A descriptor of its own: the thread may outlive ours, whose number may then be another file's.
        out, line = os.dup(self._out), json.dumps(message).encode() + b"\n"
        threading.Thread(target=self._send_all, args=(out, chain([line], parts)), daemon=True).start()

    def _send_all(self, out: int, parts: Iterable[Bytes]) -> None:
        try:
            with self._sending, suppress(OSError):
                for part in parts:
                    write(out, part)
        except BackupError as error:
            self.unsent = error
            self._process.terminate()
        finally:
            os.close(out)

    def send(self, *parts: Bytes, sign: bytes | None = None) -> None:
        """Send raw bytes.

        Args:
            parts: the bytes.
            sign: the sign of life from now on; None: as it is.

        Raises:
            BrokenPipeError: the connection is broken.
        """
        with self._sending:
            for part in parts:
                write(self._out, part)
            self._sign = self._sign if sign is None else sign

    def read_line(self) -> dict[str, Any]:
        """Return the next line of JSON; blank lines before it are the host's heartbeat.

        The host sends nothing after a line before the next request, so no read goes beyond the line.

        Raises:
            EOFError: the connection broke, or is silent.
            BackupError: the line isn't a JSON object.
        """
        line, block = bytearray(), memoryview(bytearray(1 << 16))
        while not line.endswith(b"\n") and len(line) <= LONGEST_LINE:
            line += block[: self._read(block)]
            if len(line) <= len(block) and not line.strip():
                line.clear()
        return parsed(line, "the host")

    def read_exactly(self, view: memoryview) -> memoryview:
        """Fill a view with the next bytes, and return it.

        Raises:
            EOFError: the connection broke, or is silent.
        """
        left = view
        while left:
            left = left[self._read(left) :]
        return view

    def end(self) -> int:
        """Close the stream, by which the program on the host ends, and return ssh's exit status."""
        if not (self._ended or self._sending.acquire(timeout=_ENDS_S)):
            self._process.terminate()  # the host doesn't read what is being sent
        self._ended = True  # and the lock is kept: no sign of life may go to a closed descriptor
        with suppress(OSError):
            _pipe(self._process.stdin).close()
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(_ENDS_S)
        self._process.terminate()
        return self._process.wait()

    @property
    def errors(self) -> str:
        """The beginning of the standard error of the program and of ssh."""
        self._stderr.seek(0)
        return self._stderr.read(STDERR_BYTES).decode("utf-8", "backslashreplace").strip()

    def _read(self, view: memoryview) -> int:
        if not self._readable.poll(SILENCE_S * 1000):
            raise _SilenceError
        count = os.readv(self._in, [view])
        if not count:
            raise EOFError
        return count


def write(out: int, part: Bytes) -> None:
    """Write all bytes to a descriptor."""
    left = memoryview(part)
    while left:
        left = left[os.write(out, left) :]


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise AssertionError("the SSH client was started without pipes")
    return pipe
