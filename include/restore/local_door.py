"""The way into a folder of this machine: the same program as at other hosts, without SSH."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

from include.errors import BackupError
from include.transfer import WITH_THE_TASK


class LocalDoor:
    """This machine, as a target."""

    connection = None
    route = None

    def converse(self, command: str, program: bytes) -> "LocalConversation":
        """Start a command, written as for a POSIX shell, and send it its program."""
        own = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        process = subprocess.Popen(
            [*WITH_THE_TASK, *shlex.split(command)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PATH": own},
            process_group=0,  # Ctrl-C is for who started this; that one ends it, and says so
        )
        return LocalConversation(process, program)


class LocalConversation:
    """A program on this machine that answers line by line.

    Args:
        process: the program.
        source: what it reads first.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", source: bytes) -> None:
        self._process = process
        self._send(source)

    def ask(self, line: bytes) -> bytes:
        """Send one line and give the next that isn't blank.

        Raises:
            BackupError: the program has ended; with its status.
        """
        self._send(line + b"\n")
        for answer in self._process.stdout or ():
            if answer.strip():
                return answer
        raise self._end()

    def close(self) -> None:
        """End it; harmless when it has ended."""
        self._process.terminate()
        self._process.communicate()

    def _send(self, text: bytes) -> None:
        try:
            if self._process.stdin:
                self._process.stdin.write(text)
                self._process.stdin.flush()
        except BrokenPipeError:
            raise self._end() from None

    def _end(self) -> BackupError:
        status = self._process.wait()
        return BackupError(f"The program at the target ended with status {status}. Its words are in the log.")
