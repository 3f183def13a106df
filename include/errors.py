"""Everything that can go wrong, as one tree.

BackupError                  a sentence for people: what happened, how much, what to do
├── ConfigError              the site file or a connection is wrong; a person must mend it
├── InvalidDayError          a text that names no day of the calendar
├── VaultError               the vault can't be trusted or used
│   ├── VaultUnmarkedError   no marker: not a vault, or its disk isn't mounted
│   ├── NoSpaceError         the room isn't there
│   └── DamagedError         a backup isn't as it was published
├── SourceRefusedError       the source said no: key, host key, permission
├── DayError                 this day can't be secured now; others can
│   ├── DayMissingError      the source doesn't have it
│   ├── DayIncompleteError   the source has only a part of it
│   ├── DayUnusableError     a person must mend something at the source
│   └── DayNotProvenError    the copy can't be proven to be the day
├── HostError                a KVM host refuses, or lacks something; a person must mend it
├── MachineError             this machine can't be secured now; others can
│   ├── MachineNotPossibleError  it can't be backed up this way; nothing was touched
│   ├── MachineNotStoppedError   its guest ignored the shutdown; it was left running
│   ├── MachineNotImagedError    there is no proven image; it does what it did before
│   ├── ImageGoneError           the host doesn't hold the frozen disks any more
│   ├── MachineNotRestoredError  it couldn't be brought back; says what each of its disks holds
│   └── MachineNotBackError      it isn't proven to run again: look now
├── RestoreError             it can't be brought back so; nothing of it was written
│   ├── NotInVaultError      the vault doesn't hold it
│   ├── TargetError          where it was to go can't take it
│   └── TargetOccupiedError  something else has its name there
├── TooLateError             a run comes so late that it must not stop machines
├── RunNotGoodError          a run's report says that something isn't safe
└── PassingError             waiting may mend it; the only branch that is retried
    ├── SourceUnreachableError   network, time-out, a server that went away
    ├── HostNotReadyError        libvirt is away, or a call to it was cut off
    ├── NotSettledError          the day changed while it was copied
    └── NotYetError              not before ``retry_in_s``: incomplete, or somebody else is at it
"""


class BackupError(Exception):
    """Says what happened, how much, and what to do."""


class ConfigError(BackupError):
    """The site file or an Airflow connection is wrong."""


class InvalidDayError(BackupError, ValueError):
    """A text that names no day of the calendar."""


class VaultError(BackupError):
    """The vault can't be trusted or used."""


class VaultUnmarkedError(VaultError):
    """The folder has no vault marker: it isn't a vault, or its disk isn't mounted."""


class NoSpaceError(VaultError):
    """The room isn't there."""


class DamagedError(VaultError):
    """What the vault gives back of a backup isn't what was published."""


class SourceRefusedError(BackupError):
    """The source said no: the key, the host key, or a permission."""


class DayError(BackupError):
    """This day can't be secured now; others can."""


class DayMissingError(DayError):
    """The source doesn't have the day, and waiting for it has ended."""


class DayIncompleteError(DayError):
    """The source has only a part of the day, and waiting for the rest has ended."""


class DayUnusableError(DayError):
    """The source has the day in a way that a person must mend."""


class DayNotProvenError(DayError):
    """The copy can't be proven to be the day; ``found`` says what is wrong with the vault's, if that is."""

    def __init__(self, message: str, *, found: str = "") -> None:
        super().__init__(message)
        self.found = found


class HostError(BackupError):
    """A KVM host refuses, or lacks something that a person must give it."""


class MachineError(BackupError):
    """This machine can't be secured now; others can."""


class MachineNotPossibleError(MachineError):
    """The machine can't be backed up this way; nothing was touched."""


class MachineNotStoppedError(MachineError):
    """The guest ignored the shutdown and was left running; its host guards it."""


class MachineNotImagedError(MachineError):
    """There is no proven image; the machine does what it did before."""


class ImageGoneError(MachineError):
    """The host doesn't hold the frozen disks any more; only a new freeze can give an image."""


class MachineNotRestoredError(MachineError):
    """The machine couldn't be brought back; says what each of its disks holds."""


class MachineNotBackError(MachineError):
    """The machine isn't proven to run again: a person must look at it now."""


class RestoreError(BackupError):
    """A backup can't be brought back so."""


class NotInVaultError(RestoreError):
    """The vault doesn't hold what is asked for."""


class TargetError(RestoreError):
    """Where a backup was to go can't take it: full, read-only, refused, or a vault."""


class TargetOccupiedError(RestoreError):
    """Something else has a name there that is to be restored."""


class TooLateError(BackupError):
    """A scheduled run comes so late that it must not stop machines."""


class RunNotGoodError(BackupError):
    """A run's report says that something isn't safe."""


class PassingError(BackupError):
    """Waiting may mend it: the only branch of errors worth a retry."""


class SourceUnreachableError(PassingError):
    """The source can't be reached, or went away."""


class HostNotReadyError(PassingError):
    """The host's libvirt is away, or a call to it was cut off."""


class NotSettledError(PassingError):
    """The day changed at the source while it was being copied."""


class NotYetError(PassingError):
    """Not now: look again in ``retry_in_s`` seconds."""

    def __init__(self, message: str, *, retry_in_s: float) -> None:
        super().__init__(message)
        self.retry_in_s = retry_in_s
