"""The site file's section ``scrub``: when, how often and how fast the vault is verified again."""

from datetime import timedelta

from pydantic import Field

from include.config.section import Section, WeeklyCron


class ScrubSection(Section):
    """The weekly scrub of the vault."""

    schedule: WeeklyCron = Field(
        default="0 3 * * 3", description="When the scrub starts, as a cron line in the institute's zone."
    )
    max_age_days: int = Field(
        default=30, ge=1, description="Days within which every byte of the vault is verified again."
    )
    max_read_mb_s: float | None = Field(
        default=None,
        gt=0,
        description="The fastest that it reads, in MB (10^6 bytes) a second; null: no limit.",
    )

    @property
    def max_age(self) -> timedelta:
        """How old a verification may be."""
        return timedelta(days=self.max_age_days)
