"""The source's agent in a process of its own, begun by the command that begins it at the source."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from include.source import _AGENT, _START

PROGRAM = _AGENT
FOLDER = "2026/268"
"""The one day that tests ask about."""


class Agent:
    """The agent, as whoever asks it sees it; a context manager.

    Args:
        prefix: what the command begins with.
        env: variables that differ.
        program: what is sent, if not the agent as it is.
    """

    def __init__(
        self, prefix: Sequence[str] = (), env: Mapping[str, str] | None = None, program: bytes = PROGRAM
    ) -> None:
        command = [*prefix, "sh", "-c", _START.replace(str(len(PROGRAM)), str(len(program)))]
        pipe = subprocess.PIPE
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, env={"PATH": path, **(env or {})}
        )
        assert self.process.stdin
        self.process.stdin.write(program)

    def ask(self, request: object) -> Any:  # noqa: ANN401 - JSON
        """Send one request and give its answer."""
        self.send(json.dumps(request).encode())
        return json.loads(next(line for line in self.lines() if line.strip()))

    def send(self, line: bytes) -> None:
        """Send one line."""
        assert self.process.stdin
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def lines(self) -> Iterator[bytes]:
        """Give what it says."""
        assert self.process.stdout
        return iter(self.process.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate(timeout=20)


def look(agent: Agent, day: Path) -> Any:  # noqa: ANN401 - JSON
    """Look at the one day there is."""
    return agent.ask({"look": [FOLDER], "root": str(day.parents[1])})[FOLDER]


def hashes(agent: Agent, day: Path) -> Any:  # noqa: ANN401 - JSON
    """Have it hashed."""
    return agent.ask({"hash": FOLDER, "root": str(day.parents[1])})
