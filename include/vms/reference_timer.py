"""Whether the timer on a host that removes references still runs."""

from datetime import timedelta

from pydantic import AwareDatetime, NonNegativeFloat

from include.models import Model
from include.text import duration, span

MISSED_RUNS = 20  # one that removes large clones takes minutes
_UNITS = "'inpe-backup-references-*'"


class ReferenceTimer(Model):
    """The timer.

    Args:
        every_s: how often it is due.
        last_run: when it ran last, by the host's clock; None: never, as far as known.
        quiet_s: the seconds since its last run, its start or the host's boot.
    """

    every_s: NonNegativeFloat
    last_run: AwareDatetime | None
    quiet_s: NonNegativeFloat

    def warning(self, host: str) -> str:
        """Return a warning that it doesn't run, with what to do; an empty text if it runs.

        Args:
            host: the host's Airflow connection.
        """
        if self.quiet_s <= MISSED_RUNS * self.every_s:
            return ""
        quiet = timedelta(seconds=self.quiet_s)
        quiet_for = span(quiet.days) if quiet > timedelta(days=2) else duration(self.quiet_s)
        return (
            f"The timer that removes clones before they fill the disks hasn't run on {host} for "
            f"{quiet_for}; it is due every {duration(self.every_s)}. See why on that host: systemctl "
            f"list-timers {_UNITS}; journalctl -u {_UNITS}."
        )
