"""The agent's errors, each with an exit status of its own.

The status tells a program what to do next; the message tells a person what happened.
"""

from __future__ import annotations


class AgentError(Exception):
    """A command failed; the message says what happened and what state the VM is in."""

    status = 1


class UsageError(AgentError):
    """The request is malformed; nothing was done."""

    status = 2


class BusyError(AgentError):
    """Another VM of this host, or another run, is being processed; retry later."""

    status = 3


class NotPossibleError(AgentError):
    """The VM can't be backed up this way; nothing was touched."""

    status = 4


class StillRunningError(AgentError):
    """The guest ignored the shutdown and runs on; its watchdog restarts it if it shuts down late."""

    status = 5


class BackupNotBegunError(AgentError):
    """The backup couldn't be started, or a disk can't be read; the VM is in the state it was in before."""

    status = 6


class NotBackError(AgentError):
    """The VM isn't seen to run again: a person must look at it now."""

    status = 7


class NotThawedError(NotBackError):
    """The VM's file systems aren't seen to be thawed: its writes may hang; a person must look at it now."""

    status = 13


class LibvirtError(AgentError):
    """Libvirt failed or gave no answer."""

    status = 8


class NotResumedError(LibvirtError):
    """A VM that was suspended for its backup isn't seen to be resumed."""


class NoOpenBackupError(AgentError):
    """No backup of the VM is open, or it isn't open any more."""

    status = 9


class NotRestoredError(AgentError):
    """The VM isn't restored; the message says what each of its disks holds."""

    status = 10


class WithheldError(AgentError):
    """Another VM of the host isn't seen to be back, so this VM was left alone."""

    status = 11


class DisksChangedError(AgentError):
    """The VM was off, and was started, or a disk written to, while it was read; there is no image."""

    status = 12


def error_json(error: AgentError) -> dict[str, object]:
    """Return an error as it is sent to the caller: its class, message and exit status."""
    return {"error": type(error).__name__, "message": str(error), "status": error.status}
