"""The source program in a process of its own, started by the same command as at the source."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from include.days.source import source_program
from include.remote.program import start_command

PROGRAM = source_program().content
FOLDER = "2026/268"
"""The day of the tests."""


class Agent:
    """A running source program; a context manager.

    Args:
        prefix: the beginning of the command.
        env: additional environment variables.
        program: the program that is sent.
    """

    def __init__(
        self, prefix: Sequence[str] = (), env: Mapping[str, str] | None = None, program: bytes = PROGRAM
    ) -> None:
        command = [
            *prefix,
            "sh",
            "-c",
            start_command(source_program()).replace(str(len(PROGRAM)), str(len(program))),
        ]
        pipe = subprocess.PIPE
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, env={"PATH": path, **(env or {})}
        )
        assert self.process.stdin
        self.process.stdin.write(program)

    def ask(self, request: object) -> Any:  # noqa: ANN401 - JSON
        """Send one request and return its answer."""
        self.send(json.dumps(request).encode())
        return json.loads(next(line for line in self.lines() if line.strip()))

    def send(self, line: bytes) -> None:
        """Send one line."""
        assert self.process.stdin
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def lines(self) -> Iterator[bytes]:
        """Return the lines of its output."""
        assert self.process.stdout
        return iter(self.process.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate(timeout=20)


def survey(agent: Agent, day: Path) -> Any:  # noqa: ANN401 - JSON
    """Survey the day."""
    return agent.ask({"survey": [FOLDER], "root": str(day.parents[1])})[FOLDER]


def hashes(agent: Agent, day: Path) -> Any:  # noqa: ANN401 - JSON
    """Hash the day."""
    return agent.ask({"hash": FOLDER, "root": str(day.parents[1])})
