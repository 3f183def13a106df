"""The steps of a freeze, with what each of them took."""

from __future__ import annotations

import time
from typing import Any

from .journal import Journal, now


class Steps:
    """Those that were begun, in order.

    Args:
        journal: where each is written down before it's taken.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._begun: list[tuple[str, str, float]] = []

    def take(self, name: str, **facts: Any) -> None:
        """Write down that a step is begun.

        Raises:
            OSError: it can't be written; then it mustn't be taken.
        """
        self._begun.append((name, now(), self._journal.write(name, **facts)))

    def timed(self) -> list[dict[str, Any]]:
        """Give each step's name, when it began, and its seconds; the last one's until now."""
        ends = [began for _, _, began in self._begun[1:]] + [time.monotonic()]
        return [
            {"step": step, "at": at, "seconds": round(until - began, 3)}
            for (step, at, began), until in zip(self._begun, ends)
        ]

    def downtime_s(self) -> float:
        """Give the seconds from the shutdown request to the proof of life; 0 if it wasn't stopped."""
        began = {step: moment for step, _, moment in self._begun}
        return round(began["back"] - began["shutdown"], 3) if "shutdown" in began else 0.0
