"""A program that runs on a host without being installed: sent on standard input, it answers JSON requests."""

import json
import shlex
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Self

from include.agent.heartbeat import beating
from include.errors import BackupError, UnexpectedAnswerError
from include.remote.local import LocalTransport
from include.remote.transport import Session, Transport
from include.remote.zipapps import Zipapp
from include.shapes import ShapeError

Take = Callable[[dict[str, Any]], None]

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

    def ask(self, request: dict[str, Any], take: Take | None = None) -> dict[str, Any]:
        """Send a request and return the answer.

        Args:
            request: the request.
            take: called with each line of ``entries`` before the answer, as it comes.

        Raises:
            BackupError: the request can't be sent; TransientError if transient.
            UnexpectedAnswerError: the answer isn't JSON, or ``take`` raised ShapeError.
        """
        if not self._session:
            self._session = self._transport.open(start_command(self._zipapp), self._zipapp.content)
            self._beating.enter_context(beating(self._session.beat))
        try:
            answer = parsed(self._session.ask(json.dumps(request).encode()), self._peer)
            while take and "entries" in answer:
                take(answer)
                answer = parsed(self._session.next_line(), self._peer)
        except ShapeError as wrong:
            raise self.unexpected(wrong) from wrong
        except BaseException:
            self.close()  # a late answer must not be taken for the next request's
            raise
        return answer

    def unexpected(self, wrong: ShapeError) -> UnexpectedAnswerError:
        """End the session, and return the error of a program that answers in another form than agreed."""
        self.close()
        return UnexpectedAnswerError(
            f"Unexpected answer: {self._peer} sent what its program never writes: {wrong}. Nothing was made "
            "of it. Find out what changes the program's output there, or who."
        )


def start_command(zipapp: Zipapp) -> str:
    """Return the command that reads a program from standard input and runs it."""
    # Isolated and without site packages: it loads nothing of the user's, and starts faster.
    return shlex.join(["python3", "-I", "-S", "-c", _BOOTSTRAP.format(size=len(zipapp.content))])


def parsed(
    line: bytes | bytearray | memoryview, peer: str, error: type[BackupError] = UnexpectedAnswerError
) -> dict[str, Any]:
    """Parse a line as a JSON object.

    Args:
        line: what the host sent.
        peer: the host's name, for the message.
        error: raised if the line isn't a JSON object.
    """
    try:
        answer = json.loads(bytes(line))
    except (ValueError, RecursionError):  # cut off, too; or a thousand lists in each other
        answer = None
    if not isinstance(answer, dict):
        raise error(
            f"Unexpected output: {peer} sent {bytes(line[:200])!r}. "
            "Does its shell's start-up file print something?"
        )
    return answer
