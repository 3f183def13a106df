"""Every error of the backup, in one tree.

BackupError                      a message for people: what happened, how much, what to do
├── ConfigError                  the site file or an Airflow connection is wrong
│   └── RequestError             what somebody asked for in a form can't be done
├── InvalidDayError              the text isn't a day of the calendar
├── VaultError                   the vault can't be used
│   ├── VaultUnmarkedError       it has no marker: it isn't a vault, or its disk isn't mounted
│   ├── NoSpaceError             it has too little free space
│   ├── DamagedError             a backup in it differs from what was published
│   └── ProtectedError           a person protects the backup from removal
├── NoWorkerError                no worker takes the vault's tasks
├── UnexpectedAnswerError        a program on a host answers in another form than agreed
├── SourceRefusedError           the source refuses the key, shows another host key, or denies a permission
│   └── SourceFolderError        its folder of days is missing, or can't be read
├── DayError                     this day can't be backed up now; other days can
│   ├── DayMissingError          the source doesn't have it
│   ├── DayIncompleteError       the source has only part of it
│   ├── DayUnusableError         somebody must fix it at the source
│   └── DayNotVerifiedError      its copy fails verification
├── HostError                    a KVM host refuses, or lacks something that somebody must install or fix
├── VmError                      this VM can't be backed up now; other VMs can
│   ├── VmNotPossibleError       it can't be backed up this way; nothing was touched
│   ├── VmWithheldError          it was left alone, because another VM of its host isn't seen to be back
│   ├── VmNotStoppedError        it ignored the shutdown and was left running
│   ├── VmNotImagedError         there is no verified image; the VM is in the state it was in before
│   ├── VmDisksChangedError      it was off, and was started or written to while its disks were read
│   ├── VmRereadError            what its host's file system had as unchanged has changed
│   ├── ImageGoneError           the host has no open backup of it any more
│   ├── VmNotRestoredError       the restore failed; the message lists what each disk holds
│   └── VmNotBackError           it isn't seen to run; somebody must look now
│       └── VmNotThawedError     its file systems aren't seen to be thawed, so its writes may hang
├── RestoreError                 the backup can't be restored as requested; nothing was overwritten
│   ├── NotInVaultError          the vault doesn't have it
│   ├── TargetError              the target can't take it
│   └── TargetOccupiedError      the target has something else under its name
├── TooLateError                 it is too late in a scheduled run to stop VMs
├── RunFailedError               the run's report lists something that isn't safe
└── TransientError               waiting may help; only this branch is retried
    ├── SourceUnreachableError   network, timeout, or a server that disconnected
    ├── HostNotReadyError        libvirt is down, or a call to it was interrupted
    ├── NotSettledError          the day changed at the source during its copy
    └── RescheduleError          try again later: the day is incomplete, or another run is busy
"""


class BackupError(Exception):
    """The base of all errors; its message is what happened, how much, and what to do."""


class ConfigError(BackupError):
    """The site file or an Airflow connection is wrong."""


class RequestError(ConfigError):
    """What somebody asked for in a form can't be done."""


class InvalidDayError(BackupError, ValueError):
    """The text isn't a day of the calendar."""


class VaultError(BackupError):
    """The vault can't be used."""


class VaultUnmarkedError(VaultError):
    """The folder has no vault marker: it isn't a vault, or its disk isn't mounted."""


class NoSpaceError(VaultError):
    """The vault has too little free space."""


class DamagedError(VaultError):
    """A backup in the vault differs from what was published."""


class ProtectedError(VaultError):
    """A person protects the backup from removal."""


class NoWorkerError(BackupError):
    """No worker takes the tasks of the vault's queue."""


class UnexpectedAnswerError(BackupError):
    """A program on a host answers in another form than agreed: something else runs, or changes it, there."""


class SourceRefusedError(BackupError):
    """The source refuses the key, shows another host key, or denies a permission."""


class SourceFolderError(SourceRefusedError):
    """The source's folder of days is missing, or can't be read."""


class DayError(BackupError):
    """This day can't be backed up now; other days can."""


class DayMissingError(DayError):
    """The source doesn't have the day, and the time to wait for it is over."""


class DayIncompleteError(DayError):
    """The source has only part of the day, and the time to wait for the rest is over."""


class DayUnusableError(DayError):
    """The source has the day in a form that somebody must fix."""


class DayNotVerifiedError(DayError):
    """The copy of the day fails verification.

    Args:
        message: for people.
        found: what is wrong with the vault's own copy; empty if the vault's copy isn't the cause.
    """

    def __init__(self, message: str, *, found: str = "") -> None:
        super().__init__(message)
        self.found = found


class HostError(BackupError):
    """A KVM host refuses, or lacks something that somebody must install or fix."""


class VmError(BackupError):
    """This VM can't be backed up now; other VMs can."""


class VmNotPossibleError(VmError):
    """The VM can't be backed up this way; nothing was touched."""


class VmWithheldError(VmError):
    """The VM was left alone, because another VM of its host isn't seen to be back."""


class VmNotStoppedError(VmError):
    """The guest ignored the shutdown and was left running; the host's watchdog guards it."""


class VmNotImagedError(VmError):
    """There is no verified image; the VM is in the state it was in before."""


class VmDisksChangedError(VmError):
    """The VM was off, and was started, or a disk written to, while its disks were read: there is no image."""


class VmRereadError(VmError):
    """What counted as unchanged by the evidence of the host's file system has changed: nothing is carried."""


class ImageGoneError(VmError):
    """The host has no open backup of the VM any more; only a new backup can give an image."""


class VmNotRestoredError(VmError):
    """The restore of the VM failed; the message lists what each of its disks holds."""


class VmNotBackError(VmError):
    """The VM isn't seen to run again: somebody must look at it now."""


class VmNotThawedError(VmNotBackError):
    """The VM's file systems aren't seen to be thawed: somebody must look at it now."""


class RestoreError(BackupError):
    """A backup can't be restored as requested."""


class NotInVaultError(RestoreError):
    """The vault doesn't have the requested backup.

    Args:
        message: for people.
        about: what was requested, as it can be shown.
    """

    def __init__(self, message: str, *, about: str = "") -> None:
        super().__init__(message)
        self.about = about


class TargetError(RestoreError):
    """The target of a restore can't take it: full, read-only, refused, or a vault."""


class TargetOccupiedError(RestoreError):
    """The target of a restore has something else under a name that is to be restored."""


class TooLateError(BackupError):
    """It is too late in a scheduled run to stop VMs."""


class RunFailedError(BackupError):
    """The report of a run lists something that isn't safe."""


class TransientError(BackupError):
    """Waiting may help: only this branch of errors is retried."""


class SourceUnreachableError(TransientError):
    """The source can't be reached, or disconnected."""


class HostNotReadyError(TransientError):
    """The host's libvirt is down, or a call to it was interrupted."""


class NotSettledError(TransientError):
    """The day changed at the source during its copy, or its copy differs from it."""


class RescheduleError(TransientError):
    """Not now: try again later.

    Args:
        message: for people.
        retry_in_s: seconds to wait; None: nobody knows how long another run stays busy, so the waits grow.
    """

    def __init__(self, message: str, *, retry_in_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_in_s = retry_in_s
