"""What was acknowledged never hides the next problem of the same kind."""

from datetime import datetime, timedelta

import pytest

from include.status.alert import Acknowledgement, Alert, Urgency
from include.status.alerts import VaultStatus
from tests.include.status.vault_statuses import in_vault, vault_status
from tests.sample_status import NOW

LATER = timedelta(days=30)


def test_a_fact_without_a_date_is_folded_away_for_a_month_at_most() -> None:
    """A DAG that is switched on, and off again half a year later, is the same fact."""
    [paused] = vault_status(in_vault(0), supim_daily=0).alerts
    for_ever = Acknowledgement("ana", NOW, None).of(paused)
    assert (for_ever.until, for_ever.holds(NOW), for_ever.holds(NOW + LATER)) == (NOW + LATER, True, False)
    assert for_ever.of(paused) == for_ever


@pytest.mark.parametrize("until", [NOW, NOW + timedelta(days=7)])
def test_a_shorter_time_stays_as_it_was_chosen(until: datetime) -> None:
    """Also one that was withdrawn."""
    [paused] = vault_status(in_vault(0), supim_daily=0).alerts
    assert Acknowledgement("ana", NOW, until).of(paused).until == until


def test_a_fact_with_a_date_is_folded_away_until_it_changes() -> None:
    """It can't come back as the same one."""
    [gap] = vault_status(in_vault(0, 2)).alerts
    assert Acknowledgement("ana", NOW, None).of(gap).until is None


def test_other_older_days_are_another_alert() -> None:
    """Even if they are as many: one is repaired, another is missing."""
    missing = vault_status(in_vault(*range(0, 40, 2)))
    others = vault_status(in_vault(*range(0, 30, 2), 29, *range(31, 40, 2)))
    assert _older(missing).sentence == _older(others).sentence
    assert _older(missing).key != _older(others).key


def test_a_run_that_waits_for_a_paused_dag_is_another_alert() -> None:
    """Who acknowledged the pause didn't know of the run."""
    keys = {vault_status(in_vault(0), vm_weekly=waiting).alerts[0].key for waiting in (0, 1)}
    assert len(keys) == 2
    [one], [three] = (vault_status(in_vault(0), vm_weekly=waiting).alerts for waiting in (1, 3))
    assert one.key == three.key


def _older(status: VaultStatus) -> Alert:
    [alert] = [alert for alert in status.alerts if "older day" in alert.sentence]
    assert alert.urgency is Urgency.TO_DO
    return alert
