"""A program on a host that answers line by line, over a channel of paramiko."""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

import paramiko

from include.errors import BackupError, SourceUnreachableError, TransientError
from include.remote.failures import killing_signal
from include.remote.transport import LONGEST_LINE

NO_STATUS = -1  # paramiko's exit status when the connection was lost first
_PYTHON_MISSING = 127  # a POSIX shell's exit status for a command it can't find
_BLOCK_BYTES = 1 << 20


class SshSession:
    """A remote program that answers line by line.

    Args:
        channel: its SSH channel.
        errors: a context manager that raises errors of the connection as this project's errors.
        name: the host's, for messages.
    """

    def __init__(
        self, channel: paramiko.Channel, errors: Callable[[], AbstractContextManager[None]], name: str
    ) -> None:
        self._channel = channel
        self._lines: deque[bytes] = deque()
        self._unended = bytearray()
        self._sending = threading.Lock()
        self._errors = errors
        self._name = name

    def ask(self, line: bytes) -> bytes:
        """Send one line, and return the next that isn't blank: blank lines only show that the program runs.

        Raises:
            SourceUnreachableError: the connection was lost, or silent for ``SILENCE_S``.
            BackupError: the program has ended; gives its exit status and stderr.
        """
        with self._errors():
            self.send(line + b"\n")
        return self.next_line()

    def next_line(self) -> bytes:
        """Return the next line that isn't blank; of one longer than ``LONGEST_LINE``, its beginning.

        Raises:
            SourceUnreachableError, BackupError: as :meth:`ask`.
        """
        with self._errors():
            line: bytes
            while not (line := self._read_line()).strip():
                if not line:
                    raise self._end()
            return line

    def _read_line(self) -> bytes:
        """Return the next line; an empty one at the end of the output.

        paramiko's own ``readline`` takes time by the square of the line's length.
        """
        while not self._lines and len(self._unended) <= LONGEST_LINE:
            if not (block := self._channel.recv(_BLOCK_BYTES)):
                break
            first, *others = block.split(b"\n")
            self._unended += first
            for line in others:
                self._lines.append(bytes(self._unended) + b"\n")
                self._unended = bytearray(line)
        if self._lines:
            return self._lines.popleft()
        rest, self._unended = bytes(self._unended), bytearray()
        return rest

    def send(self, text: bytes) -> None:
        """Send text without waiting for an answer."""
        try:
            with self._sending:
                self._channel.sendall(text)
        except OSError:
            # A program that has ended closes the channel, too; its stderr says more than the socket's error.
            if self._channel.exit_status_ready():
                raise self._end() from None
            raise

    def beat(self) -> None:
        """Send a blank line, unless something is being sent."""
        if self._sending.acquire(blocking=False):
            try:
                if self._channel.send_ready():
                    self._channel.sendall(b"\n")
            finally:
                self._sending.release()

    def close(self) -> None:
        """Close the channel, even if the connection is lost already."""
        with suppress(OSError, EOFError, paramiko.SSHException):
            self._channel.close()

    def _end(self) -> BackupError:
        status = exit_status(self._channel)
        stderr = self._channel.makefile_stderr("rb").read().decode("utf-8", "backslashreplace").strip()
        if status == _PYTHON_MISSING:
            return BackupError(f"{self._name} has no python3 on its PATH: {stderr}")
        if status == NO_STATUS:
            return SourceUnreachableError(f"The connection to {self._name} was lost while it answered.")
        error = TransientError if killing_signal(status) else BackupError
        return error(f"The program on {self._name} ended with status {status}: {stderr or 'no message'}")


def exit_status(channel: paramiko.Channel) -> int:
    """Return the exit status of a command that has closed its output; paramiko itself waits for ever."""
    patience_s = channel.gettimeout()
    if not channel.status_event.wait(patience_s):
        raise TimeoutError(f"no exit status within {patience_s} s")
    return channel.recv_exit_status()
