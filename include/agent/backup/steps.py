"""The steps of a backup that is being begun, and how long each of them took."""

from __future__ import annotations

import time
from typing import Any

from include.agent.journal import Journal, now


class Steps:
    """The steps that were begun, in order.

    Args:
        journal: the journal that gets each step before it is taken.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._begun: list[tuple[str, str, float]] = []

    def begin(self, name: str, **data: Any) -> None:
        """Write a step to the journal.

        Raises:
            OSError: it can't be written; then the step must not be taken.
        """
        self._begun.append((name, now(), self._journal.write(name, **data)))

    def timed(self) -> list[dict[str, Any]]:
        """Return each step's name, start (``at``) and duration in seconds; the last one's is until now."""
        ends = [began for _, _, began in self._begun[1:]] + [time.monotonic()]
        return [
            {"step": step, "at": at, "seconds": round(until - began, 3)}
            for (step, at, began), until in zip(self._begun, ends)
        ]

    def downtime_s(self) -> float:
        """Return the seconds for which the VM was down; 0 if it wasn't.

        That is from the shutdown request to the successful health check, or for as long as it was suspended.
        """
        began = {step: moment for step, _, moment in self._begun}
        down, up = ("shutdown", "back") if "shutdown" in began else ("suspend", "resumed")
        return round(began[up] - began[down], 3) if down in began else 0.0
