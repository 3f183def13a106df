"""Check the names, kinds and sizes of all backups' files: a scrub does so each time, whatever it reads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from include.errors import RescheduleError
from include.scrub.backups import Backup, BackupStatus, statuses
from include.scrub.scrubber import Scrubber
from include.scrub.throttle import Throttle
from include.vault.vault import Vault


@dataclass(frozen=True)
class QuickCheck:
    """One check of all backups of a vault.

    Args:
        vault: the vault.
        log: called with a line for each backup that isn't as it was published.
        throttle: ends the check when it is stopped.
    """

    vault: Vault
    log: Callable[[str], None]
    throttle: Throttle = field(default_factory=lambda: Throttle(None))

    def statuses(self, backups: Sequence[Backup]) -> list[BackupStatus]:
        """Return the status of each backup; what the check finds counts as its damage.

        Raises:
            StoppedError: the throttle was stopped.
            VaultUnmarkedError: the vault isn't mounted any more.
        """
        return statuses(backups, self._checked)

    def _checked(self, status: BackupStatus) -> BackupStatus:
        self.throttle.take(0)
        try:
            result = Scrubber(self.vault, run="", pace=None).read(status.backup)
        except RescheduleError:  # it is being removed
            return status
        if not result or result.result == "passed":
            return status
        self.log(f"{status.backup.name}: {result.how}")
        if result.result == "failed":
            return replace(status, damage=result.how, unreported=True)
        return replace(status, unchecked=result.how)
