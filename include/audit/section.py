"""The site file's section ``audit``: when the vault is read again, how old a proof may grow, and how fast."""

from datetime import timedelta

from pydantic import Field

from include.section import Section, WeeklyCron


class AuditSection(Section):
    """The weekly reading of the vault."""

    schedule: WeeklyCron = Field(
        default="0 3 * * 3", description="When the audit starts, as a cron line in the institute's zone."
    )
    proof_age_days: int = Field(
        default=30, ge=1, description="Days within which every byte of the vault is proven again."
    )
    rate_mb_s: float | None = Field(
        default=None, gt=0, description="The most that is read, in MB (10^6 bytes) a second; null: no limit."
    )

    @property
    def proof_age(self) -> timedelta:
        """How old a proof may grow."""
        return timedelta(days=self.proof_age_days)
