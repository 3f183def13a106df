"""What was found of a published backup later on: a line of JSON each time, appended, and never rewritten.

It lies beside the backup, whose own files never change again: ``268.proofs`` beside the day ``268``,
``2026-11-22T05-00-03Z.proofs`` beside the generation of that instant.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import NonNegativeFloat

from include.facts import Facts


class Found(Facts):
    """One time that somebody looked at a backup.

    Args:
        what: ``audit``: every byte was read; ``drill``: a machine was booted from it.
        when: the instant, with its zone.
        result: ``passed``, ``failed``, or ``not checked`` where it couldn't be tried.
        how: what was found, as a sentence.
        seconds: what it took.
        run: the run that did it.
    """

    what: Literal["audit", "drill"]
    when: datetime
    result: Literal["passed", "failed", "not checked"]
    how: str
    seconds: NonNegativeFloat
    run: str


@dataclass(frozen=True)
class ProofLog:
    """One backup's file of what was found.

    Args:
        path: the file; it need not exist.
    """

    path: Path

    def append(self, found: Found) -> None:
        """Add what was found, on the disk when this returns.

        Raises:
            OSError: it can't be written.
        """
        line = found.model_dump_json().encode() + b"\n"
        with self.path.open("a+b", buffering=0) as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(end - 1, 0))
            if file.read(1) not in (b"", b"\n"):
                line = b"\n" + line  # a crash cut the last one off
            file.write(line)
            os.fsync(file.fileno())

    def note_damage(self, how: str, run: str) -> str:
        """Add damage that somebody came upon, so that retention and audits know of it, unless they do.

        Args:
            how: what was found, as a sentence.
            run: who found it.

        Returns:
            what people should know: that it couldn't be added, and why; as a rule nothing.
        """
        try:
            if not self.damaged:
                facts = {"what": "audit", "when": datetime.now(UTC), "result": "failed", "how": how}
                self.append(Found.model_validate({**facts, "seconds": 0, "run": run}))
        except OSError as refused:
            return f"The damage can't be recorded in {self.path}, so retention doesn't know of it. {refused}"
        return ""

    def read(self) -> list[Found]:
        """Give what was found, first to last; a line that a crash cut off doesn't count."""
        lines = self.path.read_bytes().splitlines() if self.path.exists() else []
        found = []
        for line in lines:
            with suppress(ValueError):
                found.append(Found.model_validate_json(line))
        return found

    def last(self, what: str) -> Found | None:
        """Give the last that was found by ``audit`` or by ``drill`` where it could be tried."""
        tried = [one for one in self.read() if one.what == what and one.result != "not checked"]
        return tried[-1] if tried else None

    def passed(self, what: str) -> Found | None:
        """Give the last that passed, whatever was found after it."""
        passed = [one for one in self.read() if one.what == what and one.result == "passed"]
        return passed[-1] if passed else None

    @property
    def damaged(self) -> Found | None:
        """What an audit found wrong with it; None when the last one found it whole, or there was none."""
        last = self.last("audit")
        return last if last and last.result == "failed" else None

    @property
    def damage(self) -> str | None:
        """The same, as a sentence."""
        return f"An audit found it damaged: {self.damaged.how}" if self.damaged else None
