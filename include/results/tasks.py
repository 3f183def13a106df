"""What a report is built from: its run, and what the run's tasks left."""

from typing import Any, Protocol

from pydantic import AwareDatetime

from include.models import Day, Model
from include.results.failure import Failure
from include.results.task_labels import task_label


class RunFacts(Model):
    """A run.

    Args:
        run_id: the run's id.
        started: when it began.
        dry_run: whether it only planned.
        url: its page in the web UI.
        day: the day that it backs up; None for a run that isn't about a day, or that was given no valid one.
        requested: names or patterns of the VMs that it was asked for; empty: all.
    """

    run_id: str
    started: AwareDatetime
    dry_run: bool
    url: str | None
    day: Day | None = None
    requested: tuple[str, ...] = ()


class Results(Protocol):
    """What the tasks of a run left, by the names that the report uses for them."""

    def result(self, task: str, index: int = -1) -> Any:  # noqa: ANN401 - whatever the task returned
        """Return what a task, or a mapped task at an index, returned; None unless it succeeded."""

    def refused(self, task: str) -> dict[str, str]:
        """Return the items that a task refused although it succeeded, each with the reason."""

    def failures(self, *tasks: str, index: int = -1) -> list[Failure]:
        """Return the failures that some tasks left, in the order of the tasks."""

    def task_id(self, task: str) -> str:
        """Return a task's id."""


def failures_of(results: Results, needed: str, *others: str) -> list[Failure]:
    """Return the failures of tasks that work for the whole run.

    If there are none, and the needed task left no result, that is returned as a failure.
    """
    failures = results.failures(needed, *others)
    if failures or results.result(needed) is not None:
        return failures
    message = (
        f"The task {task_label(results.task_id(needed))} left no result; it was killed or never started. "
        "Check its log, then clear it."
    )
    return [Failure(task=needed, error="BackupError", message=message)]
