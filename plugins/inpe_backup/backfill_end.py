"""The end of a backfill: it is waited for in the triggerer, without a worker."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from inpe_backup.backfill_report import UNFINISHED

PAUSE_S = 10.0
ENDED, STUCK = "ended", "stuck"
_AT_ONCE = 100  # run ids in one question: they travel in its address


@dataclass
class BackfillProgress:
    """What has been seen of a backfill.

    Args:
        patience_s: for how long a failed run, or none that ended, is no reason for a mail yet.
        since: when its number of unfinished runs last changed, in seconds of a monotonic clock.
    """

    patience_s: float
    since: float
    _unfinished: int = -1
    _failed_since: float | None = field(default=None)

    def event(self, now: float, unfinished: int, failed: int) -> str | None:
        """Return what has become of it, if anything."""
        if unfinished != self._unfinished:
            self._unfinished, self.since = unfinished, now
        if failed and self._failed_since is None:
            self._failed_since = now
        if not unfinished:
            return ENDED
        oldest = min(self.since, self._failed_since if self._failed_since is not None else now)
        return STUCK if now - oldest >= self.patience_s else None


class BackfillEndTrigger(BaseTrigger):
    """Fires when a backfill is over, or once before that, if it is stuck.

    The clock of that starts anew when the triggerer does: the mail may then be later.

    Args:
        dag_id: the DAG.
        run_ids: the runs of the backfill.
        stuck_s: a backfill is stuck if a run failed so long ago, or none ended for so long; None: never.
    """

    def __init__(self, *, dag_id: str, run_ids: Sequence[str], stuck_s: float | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._dag_id, self._run_ids, self._stuck_s = dag_id, list(run_ids), stuck_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class's path and its arguments."""
        arguments = {"dag_id": self._dag_id, "run_ids": self._run_ids, "stuck_s": self._stuck_s}
        return f"{__name__}.{type(self).__name__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for the end."""
        patience_s = self._stuck_s if self._stuck_s is not None else float("inf")
        progress = BackfillProgress(patience_s, time.monotonic())
        while True:
            unfinished, failed = await self._count(UNFINISHED), await self._count(["failed"])
            if event := progress.event(time.monotonic(), unfinished, failed):
                yield TriggerEvent(event)  # type: ignore[no-untyped-call]
                return
            await asyncio.sleep(PAUSE_S)

    async def _count(self, states: list[str]) -> int:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance  # noqa: PLC0415 - in tasks only

        count = sync_to_async(RuntimeTaskInstance.get_dr_count)
        chunks = [self._run_ids[first : first + _AT_ONCE] for first in range(0, len(self._run_ids), _AT_ONCE)]
        return sum([await count(dag_id=self._dag_id, run_ids=ids, states=states) for ids in chunks])
