"""One measurement beside another."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """What was measured, and the limit that it is held against.

    Args:
        name: what was done.
        ours: what it took, the median.
        against: what else was done.
        theirs: what that took, the median; of a fixed limit, the limit.
        limit: the most that ``ours / theirs`` may be; None where it's only told.
        unit: what ``ours`` and ``theirs`` are counted in.
    """

    name: str
    ours: float
    against: str
    theirs: float
    limit: float | None
    unit: str = "s"

    @property
    def ratio(self) -> float:
        """Ours by theirs."""
        return self.ours / self.theirs

    @property
    def holds(self) -> bool | None:
        """Whether the limit is kept; None where there is none."""
        return None if self.limit is None else self.ratio <= self.limit

    def facts(self) -> dict[str, str | float | bool | None]:
        """Give the row as it stands in results.json."""
        rounded = {"ours": self.ours, "theirs": self.theirs, "ratio": self.ratio}
        return {
            "name": self.name,
            "against": self.against,
            "unit": self.unit,
            **{key: round(value, 3) for key, value in rounded.items()},
            "limit": self.limit if self.limit is None else round(self.limit, 3),
            "holds": self.holds,
        }

    def cells(self) -> tuple[str, ...]:
        """Give the row as it's printed."""
        measured = (f"{self.ours:.3f} {self.unit}", self.against, f"{self.theirs:.3f} {self.unit}")
        limit = "" if self.limit is None else f"{self.limit:.2f}"
        holds = {None: "", True: "yes", False: "NO"}[self.holds]
        return (self.name, *measured, f"{self.ratio:.2f}", limit, holds)


def timed(way: Callable[[], object], before: Callable[[], object] = lambda: None) -> Callable[[], float]:
    """Make a way into one that gives its seconds; what comes before it isn't counted."""

    def measure() -> float:
        before()
        began = time.perf_counter()
        way()
        return time.perf_counter() - began

    return measure


def medians(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Time each way; see :func:`in_turn`."""
    return in_turn({name: timed(way) for name, way in ways.items()}, rounds)


def in_turn(ways: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Measure each way in turn, round after round, so that the machine's moods hit all alike.

    The first round warms caches and isn't counted.
    """
    found: dict[str, list[float]] = {name: [] for name in ways}
    for counted in [False] + [True] * rounds:
        for name, way in ways.items():
            measured = way()
            if counted:
                found[name].append(measured)
    return {name: statistics.median(measured) for name, measured in found.items()}
