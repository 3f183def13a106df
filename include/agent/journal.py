"""The write-ahead journal of a VM's backup or restore: each step is on disk before it is taken.

Each line is a JSON object with ``step``, ``at`` (UTC, ISO 8601) and the step's own data. After a crash it
shows how far the work got, and which run it belongs to.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, BinaryIO

from include.agent.durable_files import fsync

KEPT = 5  # closed journals that are kept


class Journal:
    """A VM's journal; it is open while its file exists.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, step: str, **data: Any) -> float:
        """Write a step, and flush it to the disk, before it is taken.

        Returns:
            when, in seconds of the monotonic clock.

        Raises:
            OSError: the disk is full or broken; nothing of the step is left in the file.
        """
        line = json.dumps({"step": step, "at": now(), **data}).encode() + b"\n"
        is_new = not self.path.exists()
        with self.path.open("a+b", buffering=0) as file:
            _append(file, line)
        if is_new:
            fsync(self.path.parent)
        return time.monotonic()

    def entries(self) -> list[dict[str, Any]]:
        """Return the steps, first to last; lines that a crash cut off are skipped."""
        found = []
        with suppress(FileNotFoundError):
            for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
                with suppress(ValueError):
                    found.append(json.loads(line))
        return [entry for entry in found if isinstance(entry, dict) and {"step", "at"} <= entry.keys()]

    def steps(self) -> set[str]:
        """Return the names of the steps that were begun."""
        return {entry["step"] for entry in self.entries()}

    def entry(self, step: str) -> dict[str, Any]:
        """Return a step's newest entry; an empty one if the step wasn't begun."""
        found = [entry for entry in self.entries() if entry["step"] == step]
        return found[-1] if found else {}

    @property
    def open(self) -> bool:
        """Whether work was begun and hasn't been ended or cleaned up."""
        return bool(self.entries())

    @property
    def run(self) -> str | None:
        """The run that began the work; None if nothing is begun."""
        return self.entry("begin").get("run")

    def close(self) -> None:
        """Rename the journal, and keep it with the few before it."""
        if not self.path.exists():
            return
        with suppress(OSError):  # the rename closes it anyway
            self.write("closed")
        self.path.rename(self.path.with_name(f"journal-{now('microseconds').replace(':', '-')}.jsonl"))
        fsync(self.path.parent)
        for old in sorted(self.path.parent.glob("journal-*.jsonl"))[:-KEPT]:
            old.unlink()


def now(precision: str = "milliseconds") -> str:
    """Return the time in UTC as ISO 8601 text; the precision is named as for ``datetime.isoformat``."""
    return datetime.now(timezone.utc).isoformat(timespec=precision)


def _append(file: BinaryIO, line: bytes) -> None:
    """Append a whole line or nothing; end a line that a crash cut off first."""
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
