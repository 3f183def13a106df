"""The parameters of a restore of days, validated together."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import ErrorDetails

from include.config.section import AbsolutePath, without_wildcards
from include.errors import RequestError
from include.models import Model, TypedDay
from include.ordinal_day import OrdinalDay
from include.restore.selection import EVERYTHING
from include.text import counted, visible

MOST_DAYS = 1000  # Airflow maps a task at most 1,024 times (core.max_map_length)

Folder = Annotated[AbsolutePath, AfterValidator(without_wildcards)]
"""A folder that rsync can write to."""


class DayRestoreRequest(Model):
    """Which days to restore, and where to.

    Args:
        day: the day, or the first of several.
        last: the last of several; None for one.
        revision: the revision of each day; None for the newest that isn't known to be damaged.
        ssh_conn_id: the SSH connection of the target host; None for this machine.
        folder: the folder there that contains the years.
        pattern: a shell pattern that selects files of a day.
        overwrite: whether different files of the same names may be replaced.
        dry_run: whether to write nothing.
    """

    day: TypedDay
    last: TypedDay | None = None
    revision: Annotated[int, Field(ge=1)] | None = None
    ssh_conn_id: Annotated[str, Field(min_length=1)] | None = None
    folder: Folder
    pattern: Annotated[str, Field(min_length=1)] = EVERYTHING
    overwrite: bool = False
    dry_run: bool = False

    @model_validator(mode="after")
    def _a_range(self) -> Self:
        if self.last and self.last < self.day:
            raise ValueError(f"the last day, {self.last}, is before the first, {self.day}.")
        if (count := len(self._span())) > MOST_DAYS:
            raise ValueError(
                f"{count:,} days are too many for one run; restore at most {MOST_DAYS:,} at a time."
            )
        return self

    @classmethod
    def read(cls, form: dict[str, Any]) -> Self:
        """Validate the fields of a form.

        Raises:
            RequestError: some are invalid; the message lists them all.
        """
        try:
            return cls.model_validate(form)
        except ValidationError as wrong:
            mistakes = "; ".join(map(_mistake, wrong.errors()))
            raise RequestError(
                f"The form has {counted(wrong.error_count(), 'mistake')}. {mistakes}. Nothing was restored."
            ) from wrong

    @staticmethod
    def require_folder(path: str) -> None:
        """Check a folder alone.

        Raises:
            RequestError: no day can be restored there.
        """
        try:
            TypeAdapter(Folder).validate_python(path)
        except ValidationError as wrong:
            raise RequestError(f"{'; '.join(map(_reason, wrong.errors()))}.") from wrong

    @property
    def days(self) -> list[OrdinalDay]:
        """All days to restore, oldest first."""
        return [self.day + count for count in self._span()]

    def _span(self) -> range:
        last = self.last or self.day
        return range((last.date - self.day.date).days + 1)


def _mistake(error: ErrorDetails) -> str:
    where = ".".join(map(str, error["loc"])) or "the form"
    return f"{visible(where)}: {_reason(error)}"


def _reason(error: ErrorDetails) -> str:
    return visible(error["msg"].removeprefix("Value error, ").rstrip("."))
