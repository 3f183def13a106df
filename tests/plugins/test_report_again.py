"""A report is built again if a task before it was cleared."""

from dataclasses import dataclass

import pytest

from inpe_backup.report_again import outdated

AFTER = {"email_report", "check_result", "refresh_status"}


@dataclass
class Task:
    """A task of a run; cleared tasks have no state."""

    task_id: str
    state: str | None = "success"


def run(*cleared: str) -> list[Task]:
    """Return the tasks of a run, some of them cleared."""
    names = ("survey_source", "copy_day", "build_report", *sorted(AFTER))
    return [Task(name, None if name in cleared else "success") for name in names]


@pytest.mark.parametrize(
    ("cleared", "again"),
    [
        ((), []),
        (("survey_source", "copy_day", "check_result"), ["build_report", "email_report", "refresh_status"]),
        (("build_report",), sorted(AFTER)),
        (("email_report",), []),
        (("check_result", "refresh_status"), []),
        (("survey_source", "copy_day", "build_report", *AFTER), []),
    ],
    ids=["started", "only failed", "report", "mail", "end", "all"],
)
def test_the_report_and_what_follows_are_cleared_after_a_task_before(
    cleared: tuple[str, ...], again: list[str]
) -> None:
    """A mail that failed is sent again without anything else."""
    assert [task.task_id for task in outdated(run(*cleared), "build_report", AFTER)] == again
