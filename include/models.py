"""The base of the project's models: immutable, validated, and plain JSON in XCom and in records."""

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from include.ordinal_day import OrdinalDay


def _day(value: object) -> object:
    return OrdinalDay.parse(value) if isinstance(value, str) else value


def _typed_day(value: object) -> object:
    return OrdinalDay.read(value) if isinstance(value, str) else value


def _known_zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as unknown:
        raise ValueError(
            f"{name!r} is no time zone. Write one such as America/Sao_Paulo or UTC."
        ) from unknown


ZoneName = Annotated[str, AfterValidator(_known_zone)]
"""The name of a time zone that this machine knows."""

Day = Annotated[OrdinalDay, BeforeValidator(_day), PlainSerializer(str)]
"""An ordinal day; in JSON ``"2026-268"``."""

TypedDay = Annotated[OrdinalDay, BeforeValidator(_typed_day), PlainSerializer(str)]
"""A day as a person types it: also as a date, ``"2026-09-25"``."""


class Model(BaseModel):
    """The base of every model that goes through XCom or into a record."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
