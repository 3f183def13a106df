"""A measurement beside another, and how to measure."""

import statistics
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A measurement of ours beside another.

    Args:
        name: what was measured.
        ours: the median.
        against: what it is compared with.
        theirs: the median of that, or a fixed limit.
        limit: the maximum of ``ours / theirs``; None where there is none.
        unit: of ``ours`` and ``theirs``.
        least: the minimum of ``ours / theirs``, where more is better.
    """

    name: str
    ours: float
    against: str
    theirs: float
    limit: float | None
    unit: str = "s"
    least: float | None = None

    @property
    def ratio(self) -> float:
        """``ours / theirs``."""
        return self.ours / self.theirs

    @property
    def holds(self) -> bool | None:
        """Whether the limit is met; None where there is none."""
        if self.least is not None:
            return self.ratio >= self.least
        return None if self.limit is None else self.ratio <= self.limit

    def fields(self) -> dict[str, str | float | bool | None]:
        """Return the row as written to results.json."""
        rounded = {"ours": self.ours, "theirs": self.theirs, "ratio": self.ratio}
        return {
            "name": self.name,
            "against": self.against,
            "unit": self.unit,
            **{key: round(value, 3) for key, value in rounded.items()},
            "limit": self.limit if self.limit is None else round(self.limit, 3),
            **({} if self.least is None else {"least": self.least}),
            "holds": self.holds,
        }

    def cells(self) -> tuple[str, ...]:
        """Return the row as printed."""
        measured = (f"{self.ours:.3f} {self.unit}", self.against, f"{self.theirs:.3f} {self.unit}")
        holds = {None: "", True: "yes", False: "NO"}[self.holds]
        return (self.name, *measured, f"{self.ratio:.2f}", limit_cell(self.limit, self.least), holds)


def limit_cell(limit: float | None, least: float | None) -> str:
    """Return a row's limit as printed; empty if it has none."""
    if least is not None:
        return f">= {least:.2f}"
    return "" if limit is None else f"{limit:.2f}"


def timed(
    action: Callable[[], object],
    before: Callable[[], object] = lambda: None,
    after: Callable[[], object] = lambda: None,
) -> Callable[[], float]:
    """Return a function that times an action in seconds; what is done before and after isn't timed."""

    def measure() -> float:
        before()
        began = time.perf_counter()
        action()
        took = time.perf_counter() - began
        after()
        return took

    return measure


def medians(actions: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median seconds of each action; see :func:`in_turn`."""
    return in_turn({name: timed(action) for name, action in actions.items()}, rounds)


def in_turn(measurements: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Return the median of each measurement.

    They are made in turn, so that changes in the machine's load affect all alike; each round begins with
    another one, so that none always comes first. The first round fills caches and isn't counted.
    """
    values: dict[str, list[float]] = {name: [] for name in measurements}
    order = deque(measurements)
    for counted in [False] + [True] * rounds:
        for name in order:
            value = measurements[name]()
            if counted:
                values[name].append(value)
        order.rotate(-1)
    return {name: statistics.median(measured) for name, measured in values.items()}
