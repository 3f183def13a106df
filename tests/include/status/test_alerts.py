"""Alerts, the headline and summary, the state of VMs, and the forecast of space."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from include.days.source import SourceState
from include.ordinal_day import OrdinalDay
from include.results.states import Kind, State
from include.status.alert import AlertAction, Urgency
from include.status.alerts import VaultStatus
from include.status.day_status import years
from include.status.forecast import forecast
from include.status.parts import (
    AcknowledgedPart,
    DayAtSource,
    DaysPart,
    Part,
    PublishedPart,
    SourcePart,
    VmPart,
)
from include.status.view import VaultView, fold
from include.status.vm_status import VmState, vm_statuses
from tests.sample_status import NOW, day, published, rules, run, vm

DUE = OrdinalDay.of(NOW.date()) - 2


def vault_status(*parts: Part, now: datetime = NOW, **paused: int) -> VaultStatus:
    """Return the status of a vault of which some parts were published."""
    [view] = fold(published(part, NOW) for part in (rules(keep_days_at_source=90), *parts))
    return VaultStatus(view, now, years(view, now), vm_statuses(view, now), forecast(view), paused)


def in_vault(*back: int) -> DaysPart:
    """Return the vault's days, by how many days before the newest due day they are."""
    days = (day(DUE - each, NOW) for each in sorted(back, reverse=True))
    return DaysPart(year=DUE.year, days=tuple(days))


def with_newest(part: VmPart, **fields: object) -> VmPart:
    """Change fields of a VM's newest image."""
    newest = part.generations[-1].model_copy(update=fields)
    return part.model_copy(update={"generations": (*part.generations[:-1], newest)})


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


def test_who_has_triggered_vault_status_isnt_asked_to() -> None:
    """Its run waits."""
    first, second = vault_status(in_vault(0, 1), now=NOW + timedelta(days=3), vault_status=1).alerts[:2]
    assert first.sentence == "This status is 3 days old."
    assert second.sentence == "vault_status is paused. Its run waits until you switch it on."


@pytest.mark.parametrize(
    ("part", "state", "problem"),
    [
        (
            with_newest(vm("maq1", NOW), damage="A chunk differs."),
            VmState.DAMAGED,
            "the newest image is damaged",
        ),
        (vm("maq1", NOW - timedelta(days=8)), VmState.LATE, "not imaged by the last weekly run"),
        (
            vm("maq1", NOW, weeks=1).model_copy(update={"generations": ()}),
            VmState.EMPTY,
            "no image",
        ),
        (vm("maq1", NOW, slow=True), VmState.SAFE, "the last downtime exceeded its budget"),
    ],
)
def test_a_problem_of_a_vm_is_an_alert(part: VmPart, state: VmState, problem: str) -> None:
    """Of its newest image, or of its last downtime."""
    status = vault_status(in_vault(0), part)
    assert status.vms[0].state is state
    assert problem in status.alerts[0].sentence


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


def test_a_failed_boot_test_is_urgent() -> None:
    """Its image may be useless."""
    part = vm("maq1", NOW)
    assert part.boot_test
    boot_test = part.boot_test.model_copy(update={"result": State.FAILED})
    [alert] = vault_status(in_vault(0), part.model_copy(update={"boot_test": boot_test})).alerts
    assert (alert.urgency, alert.action, alert.subject) == (Urgency.URGENT, AlertAction.SHOW_VM, "maq1")


def test_vms_with_the_same_problem_are_one_alert() -> None:
    """Which names six of them."""
    status = vault_status(in_vault(0), *(vm(f"maq{number}", NOW, slow=True) for number in range(9)))
    [alert] = status.alerts
    assert "and 3 more: the last downtime exceeded" in alert.sentence


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


def measured(*used: int, every: int = 1) -> VaultView:
    """Return a view with measurements of used space, some days apart, the last one now."""
    times = [NOW - timedelta(days=every * back) for back in reversed(range(len(used)))]
    [view] = fold(published(rules(each), at) for each, at in zip(used, times, strict=True))
    return view


def test_the_forecast_extrapolates_the_last_weeks_to_the_reserve() -> None:
    """With a least-squares line."""
    terabyte = 10**12
    found = forecast(measured(8 * terabyte, 9 * terabyte, 10 * terabyte, every=10))
    assert found.growth_bytes_per_day == pytest.approx(terabyte / 10)
    assert found.days_left == 14
    assert found.sentence.startswith(
        "Usage grows by 100 GB a day. The free space lasts 14 days, until December 2026."
    )


def test_a_vault_that_shrinks_is_never_full() -> None:
    """So there is no date."""
    assert forecast(measured(10**12, 10**11, every=9)).sentence == "Usage is not growing."


def test_two_measurements_of_one_day_are_no_trend() -> None:
    """Until measurements span a week, the worker's own growth counts."""
    assert forecast(measured(10**12)).growth_bytes_per_day == 2_400_000_000


def test_a_vault_at_its_reserve_is_urgent() -> None:
    """Nothing more is copied into it."""
    status = vault_status(in_vault(0), rules(11_700_000_000_000))
    assert status.forecast.days_left == 0
    assert (status.alerts[0].urgency, status.alerts[0].action) == (Urgency.URGENT, None)
    assert "nothing more is copied" in status.alerts[0].sentence
