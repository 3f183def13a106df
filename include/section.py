"""What the site file's sections are made of."""

import re
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


class Section(BaseModel):
    """One section: no key that isn't described, and none that changes later."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


def _absolute(path: str) -> str:
    if not PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts or "\0" in path:
        raise ValueError(f"{path!r} must be an absolute path without '..', such as /backup/vault.")
    return path


def _weekly(cron: str) -> str:
    if not re.fullmatch(r"[0-5]?[0-9] ([01]?[0-9]|2[0-3]) \* \* ([0-7]|SUN|MON|TUE|WED|THU|FRI|SAT)", cron):
        raise ValueError(
            f"{cron!r} must be once a week: minute, hour, two stars, day of the week, such as '0 2 * * 0'."
        )
    return cron


def next_week(cron: str, after: datetime) -> datetime:
    """Give when a weekly cron line fires next.

    Args:
        cron: a ``WeeklyCron``.
        after: an aware moment in the zone in which the line is meant.
    """
    minute, hour, _, _, weekday = cron.split()
    sunday_first = _WEEKDAYS.index(weekday) if weekday in _WEEKDAYS else int(weekday) % 7
    days = (sunday_first - after.isoweekday()) % 7
    fires = (after + timedelta(days=days)).replace(
        hour=int(hour), minute=int(minute), second=0, microsecond=0
    )
    return fires if fires > after else fires + timedelta(weeks=1)


AbsolutePath = Annotated[str, AfterValidator(_absolute)]
"""A path that means the same wherever it's used."""

WeeklyCron = Annotated[str, AfterValidator(_weekly)]
"""A cron line that fires once a week."""
