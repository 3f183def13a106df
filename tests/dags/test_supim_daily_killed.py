"""Copies that are interrupted half-way: no process goes on, and the day is published once in the end."""

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from tests.dags import GREEN, RED, Daily, Run, contents, site_faults, wait_for
from tests.dags.site_faults import Standstill, parent, rsyncs
from tests.site import supim

pytestmark = pytest.mark.worker_group("days")

AT_ONCE_S = 10.0


@pytest.fixture
def standstill(daily: Daily) -> Iterator[Standstill]:
    """Stall every copy half-way, until the test ends that."""
    with Standstill(daily.institute.cluster) as stalled:
        yield stalled


def begin(daily: Daily, day: str) -> tuple[Run, int]:
    """Start a run of a day, and wait until its copy is stalled; return the run and the PID of its rsync."""
    daily.write(day, grid=supim.DEMO)
    run = daily.start(day)
    wait_for(lambda: any(contents(daily.staged(day)).values()), f"a copy of {day}")
    return run, rsyncs(daily.staged(day))[0]


def kill(*pids: int) -> None:
    """Kill processes as the kernel does when memory runs out."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def published_once(daily: Daily, day: str) -> bool:
    """Return whether the vault has one revision of a day, as at the source, and nothing in staging."""
    (only,) = daily.revisions(day)
    source = daily.institute.source / day.replace("-", "/")
    return contents(only.folder) == contents(source) and not daily.staged(day).parent.exists()


@pytest.mark.parametrize(
    ("day", "worker_too"),
    [("2022-001", False), pytest.param("2022-002", True, marks=pytest.mark.slow)],
    ids=["task", "worker"],
)
def test_the_rsync_of_a_killed_task_ends_and_the_task_is_retried(
    daily: Daily, standstill: Standstill, day: str, *, worker_too: bool
) -> None:
    """Airflow notices the missing heartbeat, and the second try resumes."""
    run, rsync = begin(daily, day)
    task = parent(rsync)
    kill(*([parent(task)] if worker_too else []), task)
    wait_for(lambda: rsync not in rsyncs(daily.staged(day)), "rsync's end", AT_ONCE_S)
    standstill.end()

    assert run.end() == GREEN
    assert run.tasks()[f"copy_day {day}"]["try_number"] == 2
    assert published_once(daily, day)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("day", "end"),
    [("2022-003", lambda run: run.change("copy_day 2022-003", RED)), ("2022-004", Run.stop)],
    ids=["task marked failed", "run stopped"],
)
def test_a_copy_whose_task_or_run_is_marked_failed_stops_at_once(
    daily: Daily, standstill: Standstill, day: str, end: Callable[[Run], None]
) -> None:
    """Cleared afterwards, it publishes the day once."""
    run, rsync = begin(daily, day)
    end(run)
    wait_for(lambda: rsync not in rsyncs(daily.staged(day)), "rsync's end", AT_ONCE_S)
    standstill.end()

    assert run.end() == RED
    assert not daily.revisions(day)
    assert run.note
    rows = [task["rendered_map_index"] for task in run.tasks().values() if task["map_index"] >= 0]
    assert rows == [day] * 3  # also of tasks that never ran

    run.annotate("It stood still; I ended it.")
    run.clear()

    assert run.end() == GREEN
    assert run.note == "It stood still; I ended it."
    assert published_once(daily, day)


@pytest.mark.slow
def test_a_copy_whose_server_goes_down_is_retried(daily: Daily, standstill: Standstill) -> None:
    """What was copied is kept, and a later try publishes the day."""
    run, rsync = begin(daily, "2022-005")
    with site_faults.source_down(daily.institute):
        wait_for(lambda: rsync not in rsyncs(daily.staged("2022-005")), "rsync's end", AT_ONCE_S)
        kept = sum(len(content) for content in contents(daily.staged("2022-005")).values())
    standstill.end()

    assert kept > 0
    assert run.end() == GREEN
    assert run.tasks()["copy_day 2022-005"]["try_number"] > 1
    assert published_once(daily, "2022-005")
