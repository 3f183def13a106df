"""When a backfill is over, and when it is stuck."""

import asyncio

import pytest
from airflow.triggers.base import TriggerEvent

from inpe_backup.backfill_end import ENDED, STUCK, BackfillEndTrigger, BackfillProgress


def events(*seen: tuple[float, int, int], patience_s: float = 60) -> list[str | None]:
    """Return what each look finds: at a time, so many unfinished runs, so many that failed."""
    progress = BackfillProgress(patience_s, since=0)
    return [progress.event(now, unfinished, failed) for now, unfinished, failed in seen]


def test_a_backfill_is_over_when_no_run_is_left() -> None:
    """However they ended."""
    assert events((0, 2, 0), (10, 1, 1), (20, 0, 2)) == [None, None, ENDED]


def test_a_backfill_is_stuck_when_no_run_ends_for_long() -> None:
    """Each that ends gives it time."""
    assert events((0, 2, 0), (59, 2, 0), (60, 1, 0), (119, 1, 0), (120, 1, 0)) == [
        *(None, None, None, None),
        STUCK,
    ]


def test_a_failed_run_is_mailed_before_a_long_backfill_ends() -> None:
    """Not at once: most backfills are over by then."""
    assert events((0, 9, 0), (30, 8, 1), (60, 7, 1), (89, 6, 1), (90, 5, 1)) == [
        *(None, None, None, None),
        STUCK,
    ]


class Seen(BackfillEndTrigger):
    """Sees one run that never ends."""

    async def _count(self, states: list[str]) -> int:
        return 1 if "running" in states else 0


async def _first(trigger: BackfillEndTrigger) -> TriggerEvent:
    return await anext(trigger.run())


def test_the_trigger_fires_once_it_is_stuck() -> None:
    """Without a limit, it waits for the end only."""
    stuck = Seen(dag_id="supim_daily", run_ids=["a"], stuck_s=0)
    assert asyncio.run(_first(stuck)).payload == STUCK
    patient = Seen(**{**stuck.serialize()[1], "stuck_s": None})
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(_first(patient), 0.05))


def test_the_trigger_can_be_stored() -> None:
    """Airflow makes it again from its path and arguments."""
    path, arguments = BackfillEndTrigger(dag_id="d", run_ids=("a", "b"), stuck_s=5).serialize()
    assert path == "inpe_backup.backfill_end.BackfillEndTrigger"
    assert arguments == {"dag_id": "d", "run_ids": ["a", "b"], "stuck_s": 5}
