"""What can go wrong on the host: each kind is a class, and an exit status of the agent's own.

The status tells a program what to do next; the message tells a person.
"""


class AgentError(Exception):
    """Says what happened, and what became of the machine."""

    status = 1


class UsageError(AgentError):
    """What was asked for can't be understood; nothing was done."""

    status = 2


class BusyError(AgentError):
    """Another machine of the host, or another run, has its turn: come again."""

    status = 3


class NotPossibleError(AgentError):
    """The machine can't be backed up this way; nothing was touched."""

    status = 4


class StillRunningError(AgentError):
    """The guest ignored the shutdown and was left running; the lease watches for it going down late."""

    status = 5


class NotFrozenError(AgentError):
    """The disks couldn't be frozen; the machine does what it did before."""

    status = 6


class NotBackError(AgentError):
    """The machine isn't proven to be back: somebody must look at it now."""

    status = 7


class LibvirtError(AgentError):
    """Libvirt said no, or nothing."""

    status = 8


class NothingFrozenError(AgentError):
    """There is nothing frozen to be served."""

    status = 9


class NotRestoredError(AgentError):
    """The machine isn't restored; the message says what each of its disks holds."""

    status = 10
