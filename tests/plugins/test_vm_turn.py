"""A VM's turn comes when the VMs before it in its lane are done."""

import asyncio
from typing import Any

import pytest
from airflow.triggers.base import TriggerEvent

from inpe_backup.vm_turn import PAUSE_S, VmTurnTrigger

ARGUMENTS: dict[str, Any] = {
    "dag_id": "vm_weekly",
    "run_id": "a run",
    "tasks": ["g.begin_backup", "g.end_backup"],
    "first": 2,
    "index": 4,
}


def ahead(**states: str | None) -> int:
    """Return how many of the VMs 2 and 3 come before VM 4; those that aren't given are done."""
    done: dict[str, str | None] = {f"g.end_backup_{vm}": "success" for vm in (2, 3)}
    return VmTurnTrigger(**ARGUMENTS).ahead(done | {f"g.{task}": state for task, state in states.items()})


def test_it_is_made_again_from_what_it_stores() -> None:
    """The triggerer gets its path and arguments only."""
    assert VmTurnTrigger(**ARGUMENTS).serialize() == ("inpe_backup.vm_turn.VmTurnTrigger", ARGUMENTS)


def test_the_turn_comes_when_all_before_it_are_done() -> None:
    """VMs of other lanes, and later ones, don't count."""
    assert ahead(end_backup_0=None, end_backup_1="running", end_backup_5=None) == 0


@pytest.mark.parametrize("state", ["success", "failed", "skipped", "upstream_failed", "removed"])
def test_a_vm_is_done_when_its_backup_was_ended_however_that_went(state: str) -> None:
    """A failed one doesn't hold up the others."""
    assert ahead(end_backup_3=state) == 0


def test_a_vm_that_is_backed_up_or_waits_comes_first() -> None:
    """Also one whose transfer is retried: its backup is open."""
    assert ahead(begin_backup_2="success", end_backup_2=None, end_backup_3="running") == 2
    assert ahead(begin_backup_3="deferred", end_backup_3=None) == 1


def test_a_vm_whose_tasks_arent_known_yet_comes_first() -> None:
    """Airflow makes the tasks of a mapped group one by one."""
    assert VmTurnTrigger(**ARGUMENTS).ahead({}) == 2


def test_a_host_that_cant_be_reached_doesnt_hold_up_a_lane() -> None:
    """A VM that waits for a retry lets the next one try."""
    assert ahead(begin_backup_2="up_for_retry", end_backup_2=None, end_backup_3="up_for_retry") == 0


def test_the_more_vms_are_ahead_the_rarer_it_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not all at the same time."""
    seen = [{}, {"g.end_backup_2": "success"}, {"g.end_backup_2": "success", "g.end_backup_3": "failed"}]
    waits = []

    async def states(_: VmTurnTrigger) -> dict[str, str]:
        return seen.pop(0)

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def events() -> list[TriggerEvent]:
        return [event async for event in VmTurnTrigger(**ARGUMENTS).run()]

    monkeypatch.setattr(VmTurnTrigger, "states", states)
    monkeypatch.setattr(asyncio, "sleep", sleep)

    assert len(asyncio.run(events())) == 1
    assert [round(wait / PAUSE_S) for wait in waits] == [2, 1]
