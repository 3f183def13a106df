"""Alerts, the headline and the summary."""

from datetime import datetime, timedelta

import pytest

from include.days.source import SourceState
from include.results.states import Kind
from include.status.alert import AlertAction, Urgency
from include.status.alerts import SCRUB, VaultStatus
from include.status.day_status import years
from include.status.parts import (
    AcknowledgedPart,
    DayAtSource,
    DaysPart,
    PublishedPart,
    SourcePart,
)
from include.status.view import fold
from tests.include.status.vault_statuses import DUE, in_vault, vault_status, with_newest
from tests.sample_status import NOW, day, published, rules, run, vm


def test_a_safe_vault_has_no_alerts() -> None:
    """The headline and the summary report it."""
    status = vault_status(in_vault(0, 1, 2), vm("maq1", NOW))
    assert (status.alerts, status.urgency, status.headline) == ([], Urgency.GOOD, "Everything is safe")
    assert status.summary == ("3 of 3 days verified in the vault. 1 of 1 VM with a recent, verified image.")


def test_consecutive_missing_days_are_one_alert_with_their_range() -> None:
    """The headline counts each of them."""
    gone = SourcePart(
        days=tuple(DayAtSource(day=DUE - n, state=SourceState.COMPLETE, reason="") for n in (3, 2))
    )
    status = vault_status(in_vault(0, 1, 4), gone)
    [alert] = status.alerts
    assert status.headline == "2 days are not safe"
    assert (alert.action, alert.first, alert.last) == (AlertAction.BACK_UP, str(DUE - 3), str(DUE - 2))
    assert alert.sentence.endswith("the source still has them. The source deletes the first in 85 days.")


def test_a_day_that_the_source_soon_deletes_is_urgent() -> None:
    """Nine days are left to copy it."""
    at_source = DayAtSource(day=DUE - 79, state=SourceState.COMPLETE, reason="")
    [alert] = vault_status(in_vault(80), SourcePart(days=(at_source,))).alerts[:1]
    assert alert.urgency is Urgency.URGENT
    assert "in 9 days" in alert.sentence


def test_only_the_newest_gaps_are_listed_and_the_others_are_counted() -> None:
    """Six of them."""
    status = vault_status(in_vault(*range(0, 40, 2)))
    assert len(status.alerts) == 7
    assert status.alerts[-1].sentence.startswith("13 older days are not in the vault")


def test_an_old_status_is_the_first_alert_and_the_headline() -> None:
    """The headline does not call anything safe."""
    status = vault_status(in_vault(0, 1), now=NOW + timedelta(days=3))
    [first, *_] = status.alerts
    assert first.sentence == "This status is 3 days old. Run vault_status to read the vault again."
    assert status.headline == "No status since 2026-11-25"


def test_a_paused_scrub_breaks_its_promise() -> None:
    """The line has what to do; without a backup there is nothing to scrub."""
    [alert] = vault_status(in_vault(0), vault_scrub=0).alerts
    assert alert.sentence == (
        "vault_scrub is paused: no backup is verified again within 30 days. Switch it on."
    )
    assert (alert.action, alert.subject) == (AlertAction.SHOW_DAG, "vault_scrub")
    assert vault_status(vault_scrub=0).alerts == []


def test_a_scrub_that_never_ran_is_an_alert_once_it_should_have() -> None:
    """A week and a day after the first backup; not if one ran, or has verified a day."""
    never = "vault_scrub has never run: no backup was verified again since it was made. Trigger it."
    fresh, old = (
        DaysPart(year=DUE.year, days=tuple(day(DUE - back, NOW, age=99) for back in reversed(range(count))))
        for count in (5, 12)
    )
    assert [alert.sentence for alert in vault_status(old).alerts] == [never]
    assert vault_status(old, run("vault_scrub", Kind.SCRUB, "SCRUB OK", NOW)).alerts == []
    assert vault_status(fresh).alerts == []
    assert vault_status(in_vault(*range(12))).alerts == []


def test_a_scrub_that_fails_each_week_is_an_alert_by_what_it_didnt_verify() -> None:
    """Days and images alike; damage has an alert of its own, and a paused scrub says it all."""
    scrub = run("vault_scrub", Kind.SCRUB, "SCRUB OK", NOW)
    old = day(DUE - 99, NOW, age=31)
    bad = day(DUE - 98, NOW, age=31, damage="A file differs.")
    days = DaysPart(year=old.day.year, days=(old, bad))
    [late] = [one.sentence for one in vault_status(days, scrub).alerts if SCRUB in one.sentence]
    assert late == (
        "1 day not verified within 30 days: vault_scrub failed, or couldn't keep up. Look at its last run."
    )
    images = with_newest(vm("maq1", NOW, weeks=3), verified=NOW - timedelta(days=31))
    [alert] = vault_status(in_vault(0), images, scrub).alerts
    assert alert.sentence.startswith("1 VM image not verified within 30 days: ")
    assert (alert.urgency, alert.action, alert.subject) == (Urgency.TO_DO, AlertAction.SHOW_DAG, SCRUB)
    [paused] = vault_status(in_vault(0), images, scrub, vault_scrub=0).alerts
    assert paused.sentence.startswith("vault_scrub is paused")
    damaged = with_newest(images, damage="A chunk differs.")
    assert not any(SCRUB in one.sentence for one in vault_status(in_vault(0), damaged, scrub).alerts)


def test_a_paused_dag_is_an_alert() -> None:
    """Its schedule does not run."""
    [alert] = vault_status(in_vault(0), supim_daily=0).alerts
    assert alert.sentence == "supim_daily is paused and does not run on its schedule."


@pytest.mark.parametrize(
    ("waiting", "sentence"),
    [
        (1, "vm_restore is paused. Its run waits until you switch it on."),
        (3, "vm_restore is paused. Its 3 runs wait until you switch it on."),
    ],
)
def test_a_run_of_a_paused_dag_waits_until_it_is_switched_on(waiting: int, sentence: str) -> None:
    """Nothing else is wrong with it."""
    [alert] = vault_status(in_vault(0), vm_restore=waiting).alerts
    assert (alert.sentence, alert.subject) == (sentence, "vm_restore")


def test_a_vault_without_a_worker_is_urgent() -> None:
    """No report of such a run reaches the page."""
    alert, *others = vault_status(in_vault(0), without_worker="supim_daily", supim_daily=0).alerts
    assert alert.sentence == (
        "The vault's worker didn't answer the last run of supim_daily. Nothing is backed up until it does."
    )
    assert (alert.urgency, alert.subject, len(others)) == (Urgency.URGENT, "supim_daily", 1)


def test_who_has_triggered_vault_status_isnt_asked_to() -> None:
    """Its run waits."""
    first, second = vault_status(in_vault(0, 1), now=NOW + timedelta(days=3), vault_status=1).alerts[:2]
    assert first.sentence == "This status is 3 days old."
    assert second.sentence == "vault_status is paused. Its run waits until you switch it on."


def acknowledged(key: str, until: datetime | None, when: datetime = NOW) -> PublishedPart:
    """Return the event of an acknowledgement."""
    return published(AcknowledgedPart(key=key, by="ana", until=until), when)


def with_acknowledgement(status: VaultStatus, event: PublishedPart, now: datetime = NOW) -> VaultStatus:
    """Return a status after somebody acknowledged an alert."""
    events = [published(each, NOW - timedelta(hours=1)) for each in (rules(), in_vault(0, 3))]
    [view] = fold([*events, event])
    return VaultStatus(view, now, years(view, now), status.vms, status.forecast, status.paused)


def test_an_acknowledged_alert_is_folded_away_until_its_time_is_over() -> None:
    """Who acknowledged it, and when, stays with it; the headline doesn't call it safe."""
    before = vault_status(in_vault(0, 3))
    [gap] = before.alerts
    event = acknowledged(gap.key, NOW + timedelta(days=1))
    during, after = (with_acknowledgement(before, event, NOW + timedelta(hours=hours)) for hours in (23, 24))
    [folded] = during.acknowledged
    assert (folded.alert.key, folded.acknowledgement.by, during.alerts) == (gap.key, "ana", [])
    assert (during.headline, during.urgency) == ("2 days are not safe", Urgency.TO_DO)
    assert during.view.taken < NOW  # nobody read the vault for it
    assert (after.acknowledged, after.alerts[0].key) == ([], gap.key)


def test_an_acknowledged_alert_comes_back_when_its_fact_changes() -> None:
    """As when a third day is missing; only its text, such as the days that are left, may change."""
    [two] = vault_status(in_vault(0, 3)).alerts
    [three] = vault_status(in_vault(0, 4)).alerts
    [later] = vault_status(in_vault(0, 3), now=NOW + timedelta(minutes=1)).alerts
    assert two.key == later.key != three.key


def test_a_withdrawn_acknowledgement_shows_the_alert_again() -> None:
    """The last word counts."""
    before = vault_status(in_vault(0, 3))
    event = acknowledged(before.alerts[0].key, NOW)
    assert with_acknowledgement(before, event).alerts == before.alerts


def test_a_vault_at_its_reserve_is_urgent() -> None:
    """Nothing more is copied into it."""
    status = vault_status(in_vault(0), rules(11_700_000_000_000))
    assert status.forecast.days_left == 0
    assert (status.alerts[0].urgency, status.alerts[0].action) == (Urgency.URGENT, None)
    assert "nothing more is copied" in status.alerts[0].sentence
