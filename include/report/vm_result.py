"""What the tasks of one VM left, and what that says of the VM: whether it came back, or was left alone."""

from collections.abc import Iterable

from include.errors import (
    NoSpaceError,
    TooLateError,
    VmNotBackError,
    VmNotPossibleError,
    VmNotThawedError,
    VmWithheldError,
)
from include.models import Model
from include.results.failure import Failure
from include.vms.models import BegunBackup, EndedBackup
from include.vms.record import VmRecord

RUNNING = ("running", "idle")
"""libvirt's states of a VM that runs."""
UNTOUCHED = (VmNotPossibleError.__name__, VmWithheldError.__name__, TooLateError.__name__)
"""Errors of a VM that its host never touched."""
NOT_BACK = (VmNotBackError.__name__, VmNotThawedError.__name__)
"""Errors of a VM that may be down, or frozen."""


class VmResult(Model):
    """What the tasks of one VM left.

    Args:
        begun: from ``begin_backup``.
        record: of the generation that the run published.
        ended: from ``end_backup``.
        failures: of the VM's tasks, in the order of the tasks.
    """

    begun: BegunBackup | None = None
    record: VmRecord | None = None
    ended: EndedBackup | None = None
    failures: tuple[Failure, ...] = ()


def never_came_back(was: str, begun: object, failures: Iterable[Failure], ended: EndedBackup) -> str | None:
    """Return why a VM isn't seen to run whose backup ended without anybody reporting how it began.

    Args:
        was: its state before, ``running`` or ``off``.
        begun: what ``begin_backup`` left; None if it left nothing, as when its worker died.
        failures: of the VM's tasks.
        ended: what its host reports now.

    Returns:
        a sentence; None if it runs, was off, or was left alone.
    """
    cause = next((failure for failure in failures if not is_of_end_backup(failure)), None)
    if begun or was != "running" or ended.state in RUNNING or is_left_alone(cause):
        return None
    return went_down(ended.state)


def went_down(state: str) -> str:
    """Return that a VM isn't running any more, as a sentence."""
    return f"It was running before the backup; its host reports it {state} now."


def is_left_alone(cause: Failure | None) -> bool:
    """Return whether a run that couldn't begin a VM's backup never touched the VM."""
    return cause is not None and cause.error in (*UNTOUCHED, NoSpaceError.__name__)


def is_of_end_backup(failure: Failure) -> bool:
    """Return whether a failure is of the task ``end_backup``."""
    return failure.task.rpartition(".")[2] == "end_backup"
