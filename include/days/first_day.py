"""Where a calendar of days begins, on the page and in mails."""

from collections.abc import Iterable

from include.ordinal_day import OrdinalDay


def first_day(had: Iterable[OrdinalDay], checked: Iterable[OrdinalDay]) -> OrdinalDay | None:
    """Return the oldest day that the vault or the source had; if neither had any, the oldest checked.

    What is older was never there: a new vault lacks nothing of the time before its source's first day, and a
    run for a mistyped day of long ago doesn't make every day since then a missing one.

    Args:
        had: the days that the vault has, or the source had when it was checked.
        checked: all days that were checked at the source.
    """
    return min(had, default=None) or min(checked, default=None)
