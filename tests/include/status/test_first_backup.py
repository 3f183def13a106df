"""A new vault frightens nobody: what isn't backed up yet isn't missing, and the page says what comes next."""

from datetime import timedelta
from typing import Any

import pytest

from include.days.source import SourceState
from include.results.states import Kind
from include.status.alert import Urgency
from include.status.first_backup import first_run, is_empty, is_filling
from include.status.parts import DayAtSource, DaysPart, SourcePart
from tests.include.status.vault_statuses import DUE, in_vault, vault_status
from tests.sample_status import NOW, day, run, vm

AT_SOURCE = SourcePart(
    days=tuple(DayAtSource(day=DUE - back, state=SourceState.COMPLETE, reason="") for back in (1, 2, 4))
)


def just_copied(*back: int) -> DaysPart:
    """Return days that were copied an hour ago, by how many days before the newest due day they are."""
    copied = {"copied": NOW - timedelta(hours=1), "verified": NOW - timedelta(hours=1)}
    days = tuple(day(DUE - each, NOW).model_copy(update=copied) for each in sorted(back, reverse=True))
    return DaysPart(year=DUE.year, days=days)


@pytest.mark.parametrize(
    ("running", "paused", "sentence"),
    [
        ({}, {"supim_daily": 0}, "supim_daily waits until you switch it on."),
        ({"supim_daily": 1}, {}, "The first run of supim_daily is on its way."),
        ({}, {}, "The first run of supim_daily starts on its schedule."),
    ],
)
def test_an_empty_vault_says_when_its_first_run_is(
    running: dict[str, int], paused: dict[str, Any], sentence: str
) -> None:
    """Nothing is counted of nothing, and nothing is safe."""
    assert first_run(running, paused) == sentence
    status = vault_status(running=running, **paused)
    assert (status.headline, status.summary) == ("Nothing has been backed up yet", sentence)
    assert status.urgency is Urgency.TO_DO


def test_while_the_first_runs_copy_nothing_is_missing() -> None:
    """Once they have ended, what isn't there is."""
    busy, idle = (
        vault_status(just_copied(0, 3), AT_SOURCE, running={"supim_daily": count}) for count in (4, 0)
    )
    assert (busy.headline, busy.alerts) == ("The first backup is under way", [])
    assert busy.summary == (
        "2 of 5 days verified in the vault. No VM has an image yet. The rest is on its way."
    )
    assert busy.urgency is Urgency.TO_DO
    assert idle.headline == "3 days are not safe"
    done = vault_status(just_copied(0, 1), running={"supim_daily": 1})
    assert (done.headline, done.urgency) == ("All backups are safe", Urgency.GOOD)
    assert done.summary == "2 of 2 days verified in the vault. No VM has an image yet."


def test_an_old_vault_isnt_filled_for_the_first_time() -> None:
    """Its gaps stay alerts while a run is under way."""
    status = vault_status(in_vault(0, 3), AT_SOURCE, running={"supim_daily": 1})
    assert status.headline == "3 days are not safe"
    assert not is_filling(status.view, NOW, {"supim_daily": 1})


def test_a_first_run_that_failed_isnt_nothing() -> None:
    """Its failure shows; an image of a VM is a backup, too."""
    failed = run("supim_daily", Kind.DAYS, "SUPIM FAILED", NOW, good=False)
    assert not is_empty(vault_status(failed).view)
    assert not is_empty(vault_status(vm("maq1", NOW)).view)
    assert vault_status(failed).summary == "No day is in the vault yet. No VM has an image yet."
