"""The site file's section ``machines.drill``: machines booted from their images, and what proves it."""

import re
from typing import Annotated

from pydantic import AfterValidator, ByteSize, Field

from include.section import Section


def _monthly(cron: str) -> str:
    if not re.fullmatch(r"[0-5]?[0-9] ([01]?[0-9]|2[0-3]) ([1-9]|1[0-9]|2[0-8]) \* \*", cron):
        raise ValueError(
            f"{cron!r} must be once a month: minute, hour, day of the month (1 to 28), two stars, such as "
            "'0 12 10 * *'."
        )
    return cron


class BootSigns(Section):
    """What proves that a machine booted; all that are given must be seen."""

    serial: str | None = Field(
        default=None, min_length=1, description="A text on its serial console, such as 'login:'."
    )
    guest_agent: bool = Field(default=False, description="Its guest agent answers.")
    screen_s: float | None = Field(
        default=None,
        ge=1,
        description="Seconds in which its screen shows something, and doesn't change; a weak sign.",
    )

    @property
    def asked(self) -> bool:
        """Whether anything at all is to be seen."""
        return bool(self.serial or self.guest_agent or self.screen_s)


class DrillSection(Section):
    """The drills."""

    schedule: Annotated[str, AfterValidator(_monthly)] = Field(
        default="0 12 10 * *",
        description="When the monthly run starts, as a cron line in the institute's zone.",
    )
    per_run: int = Field(default=4, ge=1, le=1000, description="How many machines are booted in a run.")
    timeout_s: float = Field(default=600, ge=1, le=7200, description="Seconds that booting may take.")
    memory_max: ByteSize = Field(
        default=ByteSize(2 * 10**9), ge=2**20, description="The most memory that a drilled machine gets."
    )
    proof: BootSigns = Field(default=BootSigns(), description="What must be seen; nothing: not checked.")
    required: bool = Field(
        default=False, description="Whether an image goes only once a newer one was booted."
    )
