"""Why something failed, in the subject: from the error's class and fields, never from its message."""

from typing import Any

import pytest

from include.report import subject
from include.report.causes import cause, with_cause
from include.results.failure import Failure
from include.results.states import Kind
from tests.include.report.sample_items import bad, of_backups, report


class Left:
    """The failures that the tasks of a run left."""

    def __init__(self, *failures: Failure) -> None:
        self._failures = failures

    def failures(self, *tasks: str, index: int = -1) -> list[Failure]:  # noqa: ARG002 - the interface
        """Return the failures of some tasks."""
        return [failure for failure in self._failures if failure.task in tasks]

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - of the interface, not used here
        raise NotImplementedError(name)


def failure(task: str, error: str, **fields: Any) -> Failure:  # noqa: ANN401 - fields of Failure
    """Return a failure whose message says nothing."""
    return Failure(task=task, error=error, message="?", **fields)


def summed_up(kind: str, *failures: Failure, **fields: object) -> str:
    """Return the subject of a run whose tasks failed."""
    given = report(bad("failed")) if kind == "days" else of_backups(kind, **fields)
    return subject(with_cause(given, Left(*failures)))


def test_the_subject_of_a_day_says_why_nothing_was_copied() -> None:
    """With the number of tries."""
    unreachable = failure("survey_source", "SourceUnreachableError", tries=4)
    assert summed_up("days", unreachable).endswith("SUPIM 2026-268 FAILED · cluster unreachable, 4 tries")
    unmounted = failure("survey_source", "SourceFolderError")
    assert summed_up("days", unmounted).endswith("FAILED · the source's folder can't be read")
    unmounted = failure("check_free_space", "VaultUnmarkedError")
    assert summed_up("days", unmounted).endswith("FAILED · vault not mounted")


def test_a_restore_of_what_the_vault_lacks_failed_and_names_it() -> None:
    """Nothing was checked, but that isn't the news."""
    missing = failure("plan", "NotInVaultError", about="'maq9'")
    assert summed_up("restore", missing) == "[INPE backup] RESTORE FAILED · no backup of 'maq9'"
    assert with_cause(of_backups("restore"), Left(missing)).refused


def test_a_mistyped_form_isnt_a_wrong_configuration() -> None:
    """Nothing in the site file or a connection is to be mended."""
    assert summed_up("restore", failure("plan", "RequestError")).endswith("RESTORE FAILED · request refused")
    missing = failure("plan_scrub", "NotInVaultError", about="'2026-999'")
    assert summed_up("scrub", missing).endswith("SCRUB FAILED · no backup of '2026-999'")


@pytest.mark.parametrize(
    ("kind", "error", "refused"),
    [
        ("restore", "ConfigError", True),
        ("boot_test", "ConfigError", True),
        ("restore", "TargetError", False),
        ("restore", "VaultUnmarkedError", False),
        ("scrub", "ConfigError", False),
        ("scrub", "NotInVaultError", True),
        ("vms", "ConfigError", False),
        ("vms", "RequestError", True),
        ("days", "ConfigError", False),
        ("days", "InvalidDayError", True),
    ],
)
def test_a_request_is_refused_only_for_what_it_asks(kind: str, error: str, *, refused: bool) -> None:
    """A vault that isn't mounted is everybody's business."""
    task = {"days": "choose_days", "scrub": "plan_scrub", "vms": "check_free_space"}.get(kind, "plan")
    given = of_backups(kind) if kind != "days" else report(bad("failed"))
    assert with_cause(given, Left(failure(task, error))).refused is refused


def test_a_class_without_a_phrase_has_its_parents() -> None:
    """An unknown one has none: the task's name then stands for it."""
    assert cause(failure("x", "SourceUnreachableError"), Kind.VMS) == "host unreachable"
    assert cause(failure("x", "TargetError", tries=2), Kind.RESTORE) == "target can't be used, 2 tries"
    assert cause(failure("x", "KeyError"), Kind.DAYS) is None
    failed = summed_up("scrub", failure("plan_scrub", "KeyError"))
    assert failed.endswith('SCRUB FAILED · "Plan scrub" failed')


def test_a_run_without_such_a_failure_stays_as_it_is() -> None:
    """Its items have the causes."""
    given = report(bad("failed"))
    assert with_cause(given, Left(failure("copy_day", "NoSpaceError"))) == given
