"""A host whose program answers whatever a test wants it to."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from include.errors import SourceUnreachableError
from include.remote.ssh import Endpoint
from include.remote.transport import CommandResult
from tests.include.nowhere import NOWHERE


def as_line(answer: object) -> bytes:
    """Return a line as a program sends it; bytes as they are."""
    return answer if isinstance(answer, bytes) else json.dumps(answer).encode() + b"\n"


@dataclass
class Answering:
    """A transport to it, and its session.

    Args:
        answers: the lines that it sends, one after the other, whatever is asked.
        ssh_conn_id: the name of the connection.
    """

    answers: Sequence[object]
    ssh_conn_id: str = "a_host"
    endpoint: Endpoint = field(default=NOWHERE)
    closed: int = 0

    def open(self, command: str, program: bytes) -> "Answering":  # noqa: ARG002 - as a transport
        """Begin with the first line."""
        self._left = [as_line(answer) for answer in self.answers]
        return self

    def ask(self, line: bytes) -> bytes:  # noqa: ARG002 - as a session
        """Return the next line, whatever was asked."""
        return self.next_line()

    def next_line(self) -> bytes:
        """Return the next line."""
        if not self._left:
            raise SourceUnreachableError("there are no more lines")
        return self._left.pop(0)

    def beat(self) -> None:
        """Nobody waits for it."""

    def close(self) -> None:
        """Count how often it was closed."""
        self.closed += 1

    def run(self, command: str, stdin: bytes = b"") -> CommandResult:  # noqa: ARG002 - as a transport
        """Return the first line as what a command printed."""
        return CommandResult(0, as_line(self.answers[0]), "")

    def put(self, path: str, content: bytes) -> Any:  # noqa: ANN401 - never called
        """Fail: nothing is installed."""
        raise NotImplementedError(path, content)
