"""Times that can't be true: when they were written, a clock was ahead.

The vault's clock is the worker's. What it says now is the latest that anything in the vault can be.
"""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

TOLERANCE = timedelta(minutes=10)
"""How far clocks that are kept right may differ."""


def is_ahead(when: datetime, now: datetime | None = None) -> bool:
    """Return whether a time is in the future; ``now`` is by default that of this machine's clock."""
    return when > (now or datetime.now(UTC)) + TOLERANCE


def trusted_first(when: datetime, now: datetime | None = None) -> tuple[bool, datetime]:
    """Return a key that sorts by time, those in the future before all others: they must hide none."""
    return not is_ahead(when, now), when


def is_old(path: Path, older_than_s: float) -> bool:
    """Return whether a path hasn't changed for so many seconds, or has a time in the future: a wrong clock's.

    Raises:
        FileNotFoundError: there is no such path.
    """
    age_s = time.time() - path.stat().st_mtime
    return age_s > older_than_s or age_s < -TOLERANCE.total_seconds()
