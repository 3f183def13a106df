"""This machine as a host: runs the same programs without SSH."""

import os
import shlex
import subprocess
import sys
import threading
from pathlib import Path

from include.errors import BackupError, TransientError
from include.remote.failures import killing_signal
from include.remote.ssh import DIE_WITH_PARENT
from include.remote.transport import LONGEST_LINE


class LocalTransport:
    """Opens sessions on this machine: the only part of a transport that a local folder needs."""

    def open(self, command: str, program: bytes) -> "LocalSession":
        """Start a command, quoted for a POSIX shell, and send it the program that it reads first."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        process = subprocess.Popen(
            [*DIE_WITH_PARENT, *shlex.split(command)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PATH": path},
            process_group=0,  # Ctrl-C must reach our own process alone, which then ends this one
        )
        return LocalSession(process, program)


class LocalSession:
    """A process on this machine that answers line by line.

    Args:
        process: the process.
        program: the program that it reads first.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", program: bytes) -> None:
        self._process = process
        self._sending = threading.Lock()
        self._send(program)

    def ask(self, line: bytes) -> bytes:
        """Send one line and return the next line that isn't blank.

        Raises:
            BackupError: the process has ended; the message has its exit status.
        """
        self._send(line + b"\n")
        return self.next_line()

    def next_line(self) -> bytes:
        """Return the next line that isn't blank; of one longer than ``LONGEST_LINE``, its beginning.

        Raises:
            BackupError: the process has ended; the message has its exit status.
        """
        while self._process.stdout and (line := self._process.stdout.readline(LONGEST_LINE + 1)):
            if line.strip():
                return line
        raise self._ended()

    def beat(self) -> None:
        """Send a blank line, unless something is being sent."""
        if self._process.stdin and self._sending.acquire(blocking=False):
            try:
                self._process.stdin.write(b"\n")
                self._process.stdin.flush()
            finally:
                self._sending.release()

    def close(self) -> None:
        """End the process, if it still runs."""
        self._process.terminate()
        self._process.communicate()

    def _send(self, content: bytes) -> None:
        try:
            with self._sending:
                if self._process.stdin:
                    self._process.stdin.write(content)
                    self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None

    def _ended(self) -> BackupError:
        status = self._process.wait()
        error = TransientError if killing_signal(status) else BackupError
        return error(f"The program on this machine ended with status {status}. Its messages are in the log.")
