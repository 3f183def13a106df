"""What a person may ask to be restored, checked at once, and the days that it's about."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from include.errors import ConfigError
from include.facts import Day, Facts
from include.ordinal_day import OrdinalDay
from include.restore.sending import WILDCARDS
from include.restore.wanted import EVERYTHING
from include.section import AbsolutePath
from include.wording import counted, visible

MOST_DAYS = 1000  # one of Airflow's maps takes 1,024 (core.max_map_length)


def _no_wildcards(path: str) -> str:
    if WILDCARDS & set(path):
        raise ValueError(f"{path!r} must hold none of * ? [ and backslash: rsync would expand them.")
    return path


class RestoreRequest(Facts):
    """Days to be restored, and where to.

    Args:
        day: the day, or the first of several.
        last: the last of several; None for one.
        revision: which of each day; None is the newest that isn't known to be damaged.
        connection: the SSH connection of the host; None is this machine.
        folder: the folder there that holds the years.
        pattern: which files of a day.
        overwrite: whether other files of the same names may be replaced.
        dry_run: whether to look only.
    """

    day: Day
    last: Day | None = None
    revision: Annotated[int, Field(ge=1)] | None = None
    connection: Annotated[str, Field(min_length=1)] | None = None
    folder: Annotated[AbsolutePath, AfterValidator(_no_wildcards)]
    pattern: Annotated[str, Field(min_length=1)] = EVERYTHING
    overwrite: bool = False
    dry_run: bool = False

    @model_validator(mode="after")
    def _a_range(self) -> Self:
        if self.last and self.last < self.day:
            raise ValueError(f"the last day, {self.last}, is before the first, {self.day}.")
        if (count := len(self._span())) > MOST_DAYS:
            raise ValueError(f"{count:,} days are too many for one run: take {MOST_DAYS:,} at a time.")
        return self

    @classmethod
    def read(cls, form: dict[str, Any]) -> Self:
        """Read a form.

        Raises:
            ConfigError: everything that is wrong with it.
        """
        try:
            return cls.model_validate(form)
        except ValidationError as wrong:
            told = "; ".join(map(_complaint, wrong.errors()))
            raise ConfigError(
                f"The form has {counted(wrong.error_count(), 'mistake')}. {told}. Nothing was restored."
            ) from wrong

    @property
    def days(self) -> list[OrdinalDay]:
        """All days that are asked for, oldest first."""
        return [self.day + count for count in self._span()]

    def _span(self) -> range:
        last = self.last or self.day
        return range((last.date - self.day.date).days + 1)


def _complaint(error: ErrorDetails) -> str:
    where = ".".join(map(str, error["loc"])) or "the form"
    return visible(f"{where}: {error['msg'].removeprefix('Value error, ').rstrip('.')}")
