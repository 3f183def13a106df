"""What a transport can do; ``plugins/`` makes one from an Airflow SSH connection."""

from typing import NamedTuple, Protocol

from include.remote.ssh import Endpoint

LONGEST_LINE = 16 << 20
"""Bytes of a line of a program's answer; what may be longer comes in several lines."""


class CommandResult(NamedTuple):
    """The result of a command: its exit status, its standard output, and its standard error as text."""

    status: int
    output: bytes
    errors: str


class Session(Protocol):
    """A connection to a program that answers line by line."""

    def ask(self, line: bytes) -> bytes:
        """Send one line and return the next line that isn't blank; blank lines are the program's heartbeat.

        Raises:
            SourceUnreachableError: the connection is broken, or silent.
            BackupError: the program has ended; the message has its exit status and standard error.
        """

    def next_line(self) -> bytes:
        """Return the next line that isn't blank; of one longer than ``LONGEST_LINE``, its beginning.

        Raises:
            SourceUnreachableError, BackupError: as :meth:`ask`.
        """

    def beat(self) -> None:
        """Send a blank line, unless something is being sent; another thread may do that during an answer.

        Raises:
            OSError: the connection is broken, which the next :meth:`ask` reports.
        """

    def close(self) -> None:
        """End the program, if it still runs."""


class Transport(Protocol):
    """A connection to a host that runs commands."""

    @property
    def ssh_conn_id(self) -> str:
        """The id of the Airflow connection."""

    @property
    def endpoint(self) -> Endpoint:
        """How OpenSSH reaches the host, for rsync and streams."""

    def run(self, command: str, stdin: bytes = b"") -> CommandResult:
        """Run a command, quoted for a POSIX shell, and wait for its end.

        Raises:
            SourceUnreachableError: transient; the command may still be running on the host.
            SourceRefusedError: the key or the host key is refused.
        """

    def put(self, path: str, content: bytes) -> None:
        """Write a file on the host atomically.

        Raises:
            HostError: the file can't be written.
            SourceUnreachableError: transient.
            SourceRefusedError: the key or the host key is refused.
        """

    def open(self, command: str, program: bytes) -> Session:
        """Start a command, quoted for a POSIX shell, and send it the program that it reads first.

        Raises:
            SourceUnreachableError: transient.
            SourceRefusedError: the key or the host key is refused.
        """
