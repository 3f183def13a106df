"""The site file's section ``machines.drill``: machines booted from their images, and what proves it."""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ByteSize, Field

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


class DrillTreatment(Section):
    """How a machine is booted from its image."""

    timeout_s: float = Field(default=600, ge=1, le=7200, description="Seconds that booting may take.")
    memory_max: ByteSize = Field(
        default=ByteSize(2 * 10**9), ge=2**20, description="The most memory that a drilled machine gets."
    )
    proof: BootSigns = Field(default=BootSigns(), description="What must be seen; nothing: not checked.")


class SpecialDrill(DrillTreatment):
    """Another way for some machines; what isn't given is as usual, in ``proof`` too."""

    boot: bool = Field(default=True, description="Whether they are booted at all; 'drill: off' says no, too.")


class DrillSection(DrillTreatment):
    """The drills."""

    schedule: Annotated[str, AfterValidator(_monthly)] = Field(
        default="0 12 10 * *",
        description="When the monthly run starts, as a cron line in the institute's zone.",
    )
    per_run: int = Field(default=4, ge=1, le=1000, description="How many machines are booted in a run.")
    required: bool = Field(
        default=False, description="Whether an image goes only once a newer one was booted."
    )

    def of(self, special: SpecialDrill | None) -> DrillTreatment | None:
        """Give how a machine is booted that is treated specially; None: it isn't."""
        if special and not special.boot:
            return None
        usual = self.model_dump(include=set(DrillTreatment.model_fields))
        others = special.model_dump(exclude_unset=True, exclude={"boot"}) if special else {}
        proof = usual["proof"] | others.get("proof", {})
        return DrillTreatment.model_validate(usual | others | {"proof": proof})


def _off(value: object) -> object:
    return {"boot": False} if value is False else value  # YAML's off


MaybeDrill = Annotated[SpecialDrill, BeforeValidator(_off)]
"""A special drill, or ``off``."""
