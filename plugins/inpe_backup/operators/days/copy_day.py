"""Copy a day from the source."""

from include.days.backup import DayBackup
from include.days.record import DayRecord
from inpe_backup.operators.days.day_operator import DayOperator


class CopyDayOperator(DayOperator):
    """Copy a day into the vault's staging; wait while it isn't complete at the source."""

    def step(self, backup: DayBackup) -> DayRecord | None:
        """Copy the day; see ``DayBackup.copy``."""
        return backup.copy()
