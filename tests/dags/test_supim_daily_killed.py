"""When a copy is cut off half-way: nothing of it goes on unseen, and the day is published once in the end."""

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from tests.dags import GREEN, RED, Daily, Run, await_, contents, troubles
from tests.dags.troubles import Standstill, parent, rsyncs
from tests.site import supim

pytestmark = pytest.mark.xdist_group("airflow")

AT_ONCE_S = 10.0


@pytest.fixture
def standstill(daily: Daily) -> Iterator[Standstill]:
    """Every copy stands still half-way, until the test ends it."""
    with Standstill(daily.institute.cluster) as standing:
        yield standing


def begin(daily: Daily, day: str) -> tuple[Run, int]:
    """Start a run of a day and wait for its copy to stand still; gives it and its rsync's process id."""
    daily.write(day, grid=supim.DEMO)
    run = daily.start(day)
    await_(lambda: any(contents(daily.staged(day)).values()), f"a copy of {day}")
    return run, rsyncs(daily.staged(day))[0]


def kill(*pids: int) -> None:
    """End processes as the kernel does when memory runs out: they learn nothing of it."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def published_once(daily: Daily, day: str) -> bool:
    """Say whether the vault holds one revision of a day, as it is at the source, and no rest of the copy."""
    (only,) = daily.revisions(day)
    source = daily.institute.source / day.replace("-", "/")
    return contents(only.folder) == contents(source) and not daily.staged(day).parent.exists()


@pytest.mark.parametrize(
    ("day", "worker_too"), [("2022-001", False), ("2022-002", True)], ids=["task", "worker"]
)
def test_a_killed_task_takes_its_rsync_along_and_is_tried_again(
    daily: Daily, standstill: Standstill, day: str, *, worker_too: bool
) -> None:
    """Airflow notices by itself, and the second try goes on where the first one was."""
    run, rsync = begin(daily, day)
    task = parent(rsync)
    kill(*([parent(task)] if worker_too else []), task)
    await_(lambda: rsync not in rsyncs(daily.staged(day)), "rsync's end", AT_ONCE_S)
    standstill.end()

    assert run.end() == GREEN
    assert run.tasks()[f"copy_day {day}"]["try_number"] == 2
    assert published_once(daily, day)


@pytest.mark.parametrize(
    ("day", "end"),
    [("2022-003", lambda run: run.change("copy_day 2022-003", RED)), ("2022-004", Run.stop)],
    ids=["task marked failed", "run stopped"],
)
def test_a_copy_that_a_person_ends_stops_at_once(
    daily: Daily, standstill: Standstill, day: str, end: Callable[[Run], None]
) -> None:
    """And it can be cleared: the day is published once then."""
    run, rsync = begin(daily, day)
    end(run)
    await_(lambda: rsync not in rsyncs(daily.staged(day)), "rsync's end", AT_ONCE_S)
    standstill.end()

    assert run.end() == RED
    assert not daily.revisions(day)
    assert run.note

    run.annotate("It stood still; I ended it.")
    run.clear()

    assert run.end() == GREEN
    assert run.note == "It stood still; I ended it."
    assert published_once(daily, day)


def test_a_server_that_goes_away_half_way_costs_another_try(daily: Daily, standstill: Standstill) -> None:
    """What was copied is kept, and the day is published by a later try."""
    run, rsync = begin(daily, "2022-005")
    with troubles.source_down(daily.institute):
        await_(lambda: rsync not in rsyncs(daily.staged("2022-005")), "rsync's end", AT_ONCE_S)
        kept = sum(len(content) for content in contents(daily.staged("2022-005")).values())
    standstill.end()

    assert kept > 0
    assert run.end() == GREEN
    assert run.tasks()["copy_day 2022-005"]["try_number"] > 1
    assert published_once(daily, "2022-005")
