"""The log of scrubs and boot tests beside each published backup: lines of JSON, appended, never rewritten.

The files of a published backup never change, so the log is beside them: ``268.verifications`` beside the day
``268``, ``2026-11-22T05-00-03Z.verifications`` beside the generation of that instant.
"""

import os
from collections.abc import Container
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from pydantic import NonNegativeFloat

from include.agent.durable_files import fsync
from include.models import Model
from include.vault.files import read_whole


class Verification(Model):
    """The verification of a backup before it was published: every byte was checked.

    Args:
        when: the instant, with its zone.
        how: what was compared, as a sentence.
        seconds: its duration.
    """

    when: datetime
    how: str
    seconds: float


FoundBy = Literal["restore", "later_backup"]
"""What reads parts of a backup and may find damage; only a scrub reads all of it, and finds it intact."""

_FOUND = {
    "scrub": "A scrub found it damaged",
    "restore": "A restore found it damaged",
    "later_backup": "A later backup found it damaged",
    "reread": "It is suspect",
}


class LogEntry(Model):
    """One scrub or boot test of a backup, or what a restore or a later backup found of it.

    Args:
        what: ``scrub``: every byte was read; ``boot_test``: a VM was booted from it; ``reread``: what it
            carried unread, or might have, was read by a later backup; ``restore`` or ``later_backup``: that
            read a part of it, which is damaged.
        when: the instant, with its zone.
        result: ``passed``, ``failed``, or ``not checked`` if it wasn't possible.
        how: the details, as a sentence.
        seconds: its duration.
        run: the Airflow run.
    """

    what: Literal["scrub", "boot_test", "reread", FoundBy]
    when: datetime
    result: Literal["passed", "failed", "not checked"]
    how: str
    seconds: NonNegativeFloat
    run: str


@dataclass(frozen=True)
class VerificationLog:
    """The log file of one backup.

    Args:
        path: the file; it need not exist.
    """

    path: Path

    def append(self, entry: LogEntry) -> None:
        """Append an entry; it is on the disk when this returns.

        Raises:
            OSError: the file can't be written.
        """
        line = entry.model_dump_json().encode() + b"\n"
        is_new = not self.path.exists()
        with open(self.path, "a+b", buffering=0, opener=_never_waiting) as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(end - 1, 0))
            if file.read(1) not in (b"", b"\n"):
                line = b"\n" + line  # a crash cut off the last line
            file.write(line)
            os.fsync(file.fileno())
        if is_new:
            fsync(self.path.parent)

    def record_damage(self, how: str, run: str, *, by: FoundBy) -> str:
        """Record damage that wasn't found by a scrub, so that retention and scrubs know of it.

        Nothing is recorded if the backup is known to be damaged already.

        Args:
            how: the damage, as a sentence.
            run: the run that found it.
            by: what found it.

        Returns:
            Why the damage couldn't be recorded, as sentences; empty if it was.
        """
        try:
            if not self.damaged:
                now = datetime.now(UTC)
                self.append(LogEntry(what=by, when=now, result="failed", how=how, seconds=0, run=run))
        except OSError as refused:
            return f"The damage can't be recorded in {self.path}, so retention doesn't know of it. {refused}"
        return ""

    def read(self) -> list[LogEntry]:
        """Return the entries, oldest first; lines that a crash cut off are left out.

        Raises:
            OSError: the file can't be read, or is no regular file.
        """
        try:
            lines = read_whole(self.path).splitlines()
        except FileNotFoundError:
            lines = []
        entries = []
        for line in lines:
            with suppress(ValueError):
                entries.append(LogEntry.model_validate_json(line))
        return entries

    def last(self, *what: str) -> LogEntry | None:
        """Return the last entry of some kinds that passed or failed."""
        return self._last(what, {"passed", "failed"})

    @property
    def last_reading(self) -> LogEntry | None:
        """The last scrub, or what a restore or a later backup found since."""
        return self.last("scrub", *get_args(FoundBy))

    def passed(self, what: str) -> LogEntry | None:
        """Return the last ``scrub`` or ``boot_test`` that passed, whatever followed it."""
        return self._last((what,), {"passed"})

    def _last(self, what: Container[str], results: set[str]) -> LogEntry | None:
        entries = [entry for entry in self.read() if entry.what in what and entry.result in results]
        return entries[-1] if entries else None

    @property
    def damaged(self) -> LogEntry | None:
        """What found it damaged: a re-read, which no scrub refutes, or the last reading; else None."""
        found = filter(None, (self.last("reread"), self.last_reading))
        return next((last for last in found if last.result == "failed"), None)

    @property
    def damage(self) -> str | None:
        """The damage that was found, as a sentence; None if none was."""
        found = self.damaged
        return f"{_FOUND[found.what]}: {found.how}" if found else None


def _never_waiting(path: str, flags: int) -> int:
    """Open a file, but no link, and never wait for the reader of a FIFO."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
