"""A program that runs on a host without being installed: sent on standard input, it answers JSON requests."""

import json
import shlex
from contextlib import ExitStack
from typing import Any, Self

from include.agent.heartbeat import beating
from include.errors import BackupError
from include.remote.local import LocalTransport
from include.remote.transport import Session, Transport
from include.remote.zipapps import Zipapp

# The zip runs from memory (memfd_create(2)): Python needs a file, and the disk may be full or read-only.
_BOOTSTRAP = (
    "import os, runpy; file = os.memfd_create('program'); out = open(file, 'wb', 0, closefd=False); "
    "[*iter(lambda: out.write(os.read(0, {size} - out.tell())), 0)]; "  # not a byte of the first request
    "runpy.run_path('/proc/self/fd/%d' % file, run_name='__main__')"
)


class RemoteProgram:
    """A program that answers JSON requests, one per line; a context manager that ends its session.

    Signs of life show it that this worker is there, also between two requests.

    Args:
        transport: the host, or this machine.
        zipapp: the program.
        peer: the name of the other end, for messages.
    """

    def __init__(self, transport: Transport | LocalTransport, zipapp: Zipapp, peer: str) -> None:
        self._transport = transport
        self._zipapp = zipapp
        self._peer = peer
        self._session: Session | None = None
        self._beating = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the session, even during an answer; the next request starts another."""
        self._beating.close()
        if self._session:
            self._session.close()
            self._session = None

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request and return the answer.

        Raises:
            BackupError: the request can't be sent, or the answer isn't JSON; TransientError if transient.
        """
        if not self._session:
            self._session = self._transport.open(start_command(self._zipapp), self._zipapp.content)
            self._beating.enter_context(beating(self._session.beat))
        try:
            line = self._session.ask(json.dumps(request).encode())
        except BackupError:
            self.close()  # a late answer must not be taken for the next request's
            raise
        return parsed(line, self._peer)


def start_command(zipapp: Zipapp) -> str:
    """Return the command that reads a program from standard input and runs it."""
    # Isolated and without site packages: it loads nothing of the user's, and starts faster.
    return shlex.join(["python3", "-I", "-S", "-c", _BOOTSTRAP.format(size=len(zipapp.content))])


def parsed(
    line: bytes | bytearray | memoryview, peer: str, error: type[BackupError] = BackupError
) -> dict[str, Any]:
    """Parse a line as a JSON object.

    Args:
        line: what the host sent.
        peer: the host's name, for the message.
        error: raised if the line isn't a JSON object.
    """
    try:
        answer = json.loads(bytes(line))
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise error(
            f"Unexpected output: {peer} sent {bytes(line[:200])!r}. "
            "Does its shell's start-up file print something?"
        )
    return answer
