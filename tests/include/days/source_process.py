"""The source program in a process of its own, started by the same command as at the source."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from include.days.source import source_program
from include.remote.program import start_command

PROGRAM = source_program().content
FOLDER = "2026/268"
"""The day of the tests."""


@dataclass
class Scan:
    """What the program sends of a folder."""

    entries: list[Any] = field(default_factory=list)
    descriptors: dict[str, str] = field(default_factory=dict)
    unreadable: list[list[str]] = field(default_factory=list)

    def add(self, entry: list[Any]) -> None:
        """Add an entry."""
        if entry[1] == "unreadable":
            self.unreadable.append([entry[0], entry[4]])
        else:
            self.entries.append(entry[:7])
            self.descriptors |= dict.fromkeys([entry[0]][: len(entry) - 7], entry[-1])


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
        return self.answer()

    def scans(self, request: object) -> dict[str, Scan]:
        """Send one request, and return what is sent of each folder before the answer, which is empty."""
        scans: dict[str, Scan] = {}
        answer = self.ask(request)
        while "entries" in answer:
            scan = scans.setdefault(answer["folder"], Scan())
            for entry in answer["entries"]:
                scan.add(entry)
            answer = self.answer()
        assert answer == {}
        return scans

    def answer(self) -> Any:  # noqa: ANN401 - JSON
        """Return the next line that isn't blank."""
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


def survey(agent: Agent, day: Path) -> Scan:
    """Survey the day."""
    return surveys(agent, day, FOLDER)[FOLDER]


def surveys(agent: Agent, day: Path, *folders: str) -> dict[str, Scan]:
    """Survey folders beside the day."""
    return agent.scans({"survey": folders, "root": str(day.parents[1])})


def hashes(agent: Agent, day: Path) -> Scan:
    """Hash the day."""
    return agent.scans({"hash": FOLDER, "root": str(day.parents[1])})[FOLDER]
