"""A report is built again if a task before it was cleared, and a backup that begins again is ended."""

from dataclasses import dataclass

import pytest

from inpe_backup.report_again import outdated

AFTER = {"email_report", "check_result", "refresh_status"}


@dataclass
class Task:
    """A task of a run; cleared tasks have no state."""

    task_id: str
    state: str | None = "success"
    map_index: int = -1
    operator: str | None = None


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


def weekly(*cleared: tuple[str, int]) -> list[Task]:
    """Return the tasks of a run that backed up two VMs, some of them cleared, by step and VM."""
    steps = {"begin_backup": "BeginBackupOperator", "publish_image": "", "end_backup": "EndBackupOperator"}
    tasks = [
        Task(f"back_up_vm.{step}", None if (step, vm) in cleared else "success", vm, operator)
        for vm in (0, 1)
        for step, operator in steps.items()
    ]
    return [Task("list_vms"), *tasks, Task("build_report")]


@pytest.mark.parametrize(
    ("cleared", "again"),
    [
        ([("begin_backup", 1)], [("back_up_vm.end_backup", 1), ("build_report", -1)]),
        ([("publish_image", 0)], [("back_up_vm.end_backup", 0), ("build_report", -1)]),
        ([("end_backup", 0)], [("build_report", -1)]),
        ([], []),
    ],
    ids=["begin", "publish", "end", "nothing"],
)
def test_the_end_of_a_backup_is_cleared_after_another_task_of_its_vm(
    cleared: list[tuple[str, int]], again: list[tuple[str, int]]
) -> None:
    """Else the host would keep the job open; other VMs' backups have ended."""
    found = outdated(weekly(*cleared), "build_report", ())
    assert [(task.task_id, task.map_index) for task in found] == again


@pytest.mark.parametrize("survey", [None, "success"], ids=["a task was running", "none was"])
def test_what_was_skipped_as_a_person_marked_the_run_as_failed_runs_after_all(survey: str | None) -> None:
    """*Clear only failed* clears what was running, if anything was, and the task that checks the result."""
    rest = {name: Task(name, "skipped") for name in ("copy_day", "build_report", *sorted(AFTER))}
    rest["check_result"] = Task("check_result", None, operator="CheckResultOperator")
    again = outdated([Task("survey_source", survey), *rest.values()], "build_report", AFTER)
    assert [task.task_id for task in again] == ["copy_day", "build_report", "email_report", "refresh_status"]


def test_one_task_of_such_a_run_can_be_cleared_alone() -> None:
    """No VM is stopped because the page is to be refreshed."""
    rest = {name: Task(name, "skipped") for name in ("begin_backup", "build_report", *sorted(AFTER))}
    rest["refresh_status"] = Task("refresh_status", None)
    assert outdated(list(rest.values()), "build_report", AFTER) == []
