"""The base of the site file's sections, and the types of their paths and cron lines."""

import re
from datetime import datetime
from pathlib import PurePosixPath
from typing import Annotated

from croniter import croniter
from pydantic import AfterValidator, BaseModel, ConfigDict

_WILDCARDS = frozenset("*?[\\")


class Section(BaseModel):
    """The base of all sections: every key is described, and immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


def _absolute(path: str) -> str:
    if not PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts or "\0" in path:
        raise ValueError(f"{path!r} must be an absolute path without '..', such as /backup/vault.")
    return path


def without_wildcards(path: str) -> str:
    """Return a path that rsync takes literally.

    Raises:
        ValueError: it has a wildcard.
    """
    if set(path) & _WILDCARDS:
        raise ValueError(f"{path!r} must not contain * ? [ or a backslash: rsync would expand them.")
    return path


def _daily(cron: str) -> str:
    if not re.fullmatch(r"[0-5]?[0-9] ([01]?[0-9]|2[0-3]) \* \* \*", cron):
        raise ValueError(
            f"{cron!r} must be once a day: minute, hour, then three stars, such as '30 6 * * *'."
        )
    return cron


def _weekly(cron: str) -> str:
    if not re.fullmatch(r"[0-5]?[0-9] ([01]?[0-9]|2[0-3]) \* \* ([0-7]|SUN|MON|TUE|WED|THU|FRI|SAT)", cron):
        raise ValueError(
            f"{cron!r} must be once a week: minute, hour, two stars, day of the week, such as '0 2 * * 0'."
        )
    return cron


def _monthly(cron: str) -> str:
    if not re.fullmatch(r"[0-5]?[0-9] ([01]?[0-9]|2[0-3]) ([1-9]|1[0-9]|2[0-8]) \* \*", cron):
        raise ValueError(
            f"{cron!r} must be once a month: minute, hour, day of the month (1 to 28), two stars, such as "
            "'0 12 10 * *'."
        )
    return cron


def next_run(cron: str, after: datetime) -> datetime:
    """Return when a cron line fires next.

    Args:
        cron: a ``DailyCron``, ``WeeklyCron`` or ``MonthlyCron``.
        after: an aware moment in the zone of the line.
    """
    fires: datetime = croniter(cron, after).get_next(datetime)
    return fires


AbsolutePath = Annotated[str, AfterValidator(_absolute)]
"""An absolute path without ``..``."""

DailyCron = Annotated[str, AfterValidator(_daily)]
WeeklyCron = Annotated[str, AfterValidator(_weekly)]
MonthlyCron = Annotated[str, AfterValidator(_monthly)]
"""Cron lines that fire once a day, a week, a month."""
