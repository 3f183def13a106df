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
        ours: seconds, the median.
        against: what else was done.
        theirs: seconds, the median; of a fixed limit, the limit.
        limit: the most that ``ours / theirs`` may be.
    """

    name: str
    ours: float
    against: str
    theirs: float
    limit: float

    @property
    def ratio(self) -> float:
        """Ours by theirs."""
        return self.ours / self.theirs

    @property
    def holds(self) -> bool:
        """Whether the limit is kept."""
        return self.ratio <= self.limit

    def facts(self) -> dict[str, str | float | bool]:
        """Give the row as it stands in results.json."""
        rounded = {"ours": self.ours, "theirs": self.theirs, "ratio": self.ratio}
        return {
            "name": self.name,
            "against": self.against,
            **{key: round(value, 3) for key, value in rounded.items()},
            "limit": self.limit,
            "holds": self.holds,
        }


def medians(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Time each way in turn, round after round, so that the machine's moods hit all alike.

    The first round warms caches and isn't counted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for counted in [False] + [True] * rounds:
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            if counted:
                seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(taken) for name, taken in seconds.items()}
