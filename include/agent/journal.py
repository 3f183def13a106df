"""What was about to be done to a machine, step by step: on disk before it's done.

A JSON object a line: ``step``, ``at`` (UTC) and the step's own facts. Who comes after a crash reads how far
it had got, and whom the machine belongs to.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, BinaryIO

KEPT = 5  # closed journals


class Journal:
    """One machine's journal; it's open while the file is there.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, step: str, **facts: Any) -> float:
        """Put a step on the disk, before it is taken.

        Returns:
            the time of it, in seconds of the monotonic clock.

        Raises:
            OSError: the disk is full, or broken; nothing of the step is left there.
        """
        line = json.dumps({"step": step, "at": now(), **facts}).encode() + b"\n"
        fresh = not self.path.exists()
        with self.path.open("a+b", buffering=0) as file:
            _append(file, line)
        if fresh:
            _sync(self.path.parent)
        return time.monotonic()

    def entries(self) -> list[dict[str, Any]]:
        """Give the steps, first to last; a line that a crash cut off doesn't count."""
        found = []
        with suppress(FileNotFoundError):
            for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
                with suppress(ValueError):
                    found.append(json.loads(line))
        return [entry for entry in found if isinstance(entry, dict) and {"step", "at"} <= entry.keys()]

    def steps(self) -> set[str]:
        """Give the names of the steps that were begun."""
        return {entry["step"] for entry in self.entries()}

    def facts(self, step: str) -> dict[str, Any]:
        """Give a step's entry, the newest if there are several; empty when it wasn't begun."""
        found = [entry for entry in self.entries() if entry["step"] == step]
        return found[-1] if found else {}

    @property
    def open(self) -> bool:
        """Whether it's open: somebody has begun, and nobody has put everything right after it."""
        return bool(self.entries())

    @property
    def run(self) -> str | None:
        """The run that it's of."""
        return self.facts("begin").get("run")

    def close(self) -> None:
        """Put it aside, with the few before it."""
        if not self.path.exists():
            return
        with suppress(OSError):  # that it's put aside says the same
            self.write("closed")
        self.path.rename(self.path.with_name(f"journal-{now('microseconds').replace(':', '-')}.jsonl"))
        for old in sorted(self.path.parent.glob("journal-*.jsonl"))[:-KEPT]:
            old.unlink()


def now(precision: str = "milliseconds") -> str:
    """Give the time, in UTC, as ISO 8601 has it; the precision as ``datetime.isoformat`` names it."""
    return datetime.now(timezone.utc).isoformat(timespec=precision)


def _append(file: BinaryIO, line: bytes) -> None:
    """Add a line, or nothing; one that a crash cut off is ended first."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 1))
    if file.read(1) not in (b"", b"\n"):
        line = b"\n" + line
    try:
        while line:
            line = line[file.write(line) :]
        os.fsync(file.fileno())
    except OSError:
        with suppress(OSError):
            file.truncate(size)
        raise


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
