"""Verify a copied day."""

from include.days.backup import DayBackup
from include.days.record import DayRecord
from inpe_backup.operators.days.day_operator import DayOperator


class VerifyDayOperator(DayOperator):
    """Verify a copied day against the source's SHA-256 and its own GrADS descriptors."""

    def step(self, backup: DayBackup) -> DayRecord | None:
        """Verify the day; see ``DayBackup.verify``."""
        return backup.verify()
