"""Why a run or an item failed, as a phrase for the subject: by the error's class, never by its message."""

from include import errors
from include.report.model import Report
from include.results.failure import Failure
from include.results.states import Kind
from include.results.task_labels import task_label
from include.results.tasks import Results

_WHOLE_RUN = {
    Kind.DAYS: ("choose_days", "survey_source", "plan_days", "check_free_space"),
    Kind.VMS: ("check_free_space",),
    Kind.SCRUB: ("plan_scrub",),
    Kind.RESTORE: ("plan",),
    Kind.BOOT_TEST: ("plan",),
}
"""The tasks without which a run can't do its work."""

_BY_REQUEST = (errors.InvalidDayError, errors.RestoreError, errors.ConfigError)
"""Errors of a task that reads what somebody asked for, if that was wrong."""

_PHRASES: dict[type[errors.BackupError], str] = {
    errors.ConfigError: "configuration wrong",
    errors.RequestError: "request refused",
    errors.InvalidDayError: "no such day",
    errors.VaultUnmarkedError: "vault not mounted",
    errors.NoSpaceError: "not enough space",
    errors.DamagedError: "damaged in the vault",
    errors.VaultError: "vault can't be used",
    errors.SourceUnreachableError: "{there} unreachable",
    errors.SourceFolderError: "the source's folder can't be read",
    errors.SourceRefusedError: "{there} refused the connection",
    errors.DayNotVerifiedError: "verification failed",
    errors.NotSettledError: "still changing at the source",
    errors.HostError: "host refused",
    errors.HostNotReadyError: "libvirt not ready",
    errors.NotInVaultError: "no backup of {about}",
    errors.TargetOccupiedError: "other files are in the way",
    errors.TargetError: "target can't be used",
    errors.VmDisksChangedError: "disks changed meanwhile",
    errors.ImageGoneError: "no backup open on the host",
    errors.VmNotRestoredError: "not restored",
    errors.TooLateError: "too late to stop VMs",
}


def with_cause(report: Report, results: Results) -> Report:
    """Add why the whole run failed, if it did, and whether that was somebody's request."""
    failures = results.failures(*_WHOLE_RUN[report.kind])
    if not failures:
        return report
    first = failures[0]
    refused = _is_request(first, report.kind)
    phrase = cause(first, report.kind) or (
        "request refused" if refused else f"{task_label(first.task)} failed"
    )
    return report.model_copy(update={"cause": phrase, "refused": refused})


def cause(failure: Failure, kind: Kind) -> str | None:
    """Return why something failed: ``cluster unreachable, 4 tries``; None if its class says nothing."""
    for one in _class(failure).__mro__:
        if phrase := _PHRASES.get(one):
            there = "cluster" if kind in (Kind.DAYS, Kind.SCRUB) else "host"
            text = phrase.format(there=there, about=failure.about or "what was asked for")
            return f"{text}, {failure.tries} tries" if failure.tries > 1 else text
    return None


def _is_request(failure: Failure, kind: Kind) -> bool:
    if kind in (Kind.RESTORE, Kind.BOOT_TEST):
        # A target that is full or read-only is everybody's business, whoever named it.
        found = _class(failure)
        return issubclass(found, _BY_REQUEST) and not issubclass(found, errors.TargetError)
    return issubclass(_class(failure), (errors.InvalidDayError, errors.RequestError, errors.NotInVaultError))


def _class(failure: Failure) -> type[BaseException]:
    found = getattr(errors, failure.error, None)
    return found if isinstance(found, type) and issubclass(found, BaseException) else Exception
