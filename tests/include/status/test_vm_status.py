"""The state of VMs: when one is late, and what a wrong clock changes."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from include.status.vm_status import VmState
from tests.include.status.vault_statuses import in_vault, vault_status, with_newest
from tests.sample_status import NOW, rules, vm

SUNDAY = datetime(2026, 11, 15, 2, tzinfo=ZoneInfo("America/Sao_Paulo"))


@pytest.mark.parametrize(
    ("instant", "late_from"),
    [
        (SUNDAY + timedelta(minutes=40), SUNDAY + timedelta(days=9)),
        (SUNDAY + timedelta(hours=40), SUNDAY + timedelta(days=9)),
        (SUNDAY - timedelta(days=1), SUNDAY + timedelta(days=6)),
        (SUNDAY + timedelta(days=3), SUNDAY + timedelta(days=10)),
    ],
    ids=["by the run", "late in a long run", "by hand the day before", "by hand in between"],
)
def test_a_vm_is_late_by_the_weekly_schedule(instant: datetime, late_from: datetime) -> None:
    """Two days after the run that should have imaged it again, and never within a week."""
    part = with_newest(vm("maq1", NOW), instant=instant)
    before, after = (
        vault_status(in_vault(0), part, now=late_from + timedelta(minutes=minutes)).vms[0]
        for minutes in (-1, 1)
    )
    assert (before.state, after.state) == (VmState.SAFE, VmState.LATE)
    assert after.sentence.endswith("old; the next one was due on 2026-11-22.") or instant < SUNDAY


def test_without_a_published_schedule_an_image_is_late_after_nine_days() -> None:
    """Older parts have no schedule."""
    part = vm("maq1", NOW)
    instant = part.generations[-1].instant
    old = rules(keep_days_at_source=90).model_copy(update={"vms_schedule": None})
    states = [
        vault_status(old, in_vault(0), part, now=instant + timedelta(days=9, minutes=minutes)).vms[0].state
        for minutes in (-1, 1)
    ]
    assert states == [VmState.SAFE, VmState.LATE]


@pytest.mark.parametrize(("apart", "known"), [(timedelta(minutes=4), False), (timedelta(days=1), True)])
def test_what_is_sent_per_week_isnt_reckoned_from_minutes(apart: timedelta, *, known: bool) -> None:
    """A VM that is backed up twice at once by hand doesn't send gigabytes each week."""
    one = vm("maq1", NOW)
    newest = one.generations[-1]
    older = newest.model_copy(update={"instant": newest.instant - apart})
    status = vault_status(one.model_copy(update={"generations": (older, newest)}))
    assert (status.vms[0].weekly_bytes is not None) is known


def test_an_image_dated_in_the_future_hides_no_missing_backup() -> None:
    """A clock was wrong: it isn't the newest, but an alert of its own."""
    late = vm("maq1", NOW - timedelta(days=8))
    ahead = late.generations[-1].model_copy(update={"instant": NOW + timedelta(days=4000)})
    status = vault_status(late.model_copy(update={"generations": (*late.generations, ahead)}))
    [found] = status.vms
    assert (found.state, found.newest) == (VmState.LATE, late.generations[-1])
    assert found.weekly_bytes == vault_status(late).vms[0].weekly_bytes
    sentences = [alert.sentence for alert in status.alerts]
    assert "maq1: not imaged by the last weekly run." in sentences
    assert any("maq1: an image is dated in the future" in sentence for sentence in sentences)


def test_a_verification_in_the_future_leaves_a_vm_due() -> None:
    """Or a wrong clock could postpone the next one for years."""
    part = with_newest(vm("maq1", NOW), verified=NOW + timedelta(days=4000))
    assert vault_status(part).vms[0].verification_due
