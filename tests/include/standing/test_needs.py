"""What needs a person, and how the page begins; the machines and the room it's judged from."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from include.ordinal_day import OrdinalDay
from include.report import Kind, State
from include.source import State as SourceState
from include.standing.coverage import years
from include.standing.facts import DaysPart, MachinePart, Part, SeenDay, SourcePart
from include.standing.fleet import MachineState, fleet
from include.standing.needs import Action, Standing, Urgency
from include.standing.room import forecast
from include.standing.view import VaultView, fold
from tests.published import NOW, day, machine, rules, run, said

DUE = OrdinalDay.of(NOW.date()) - 2


def judged(*parts: Part, now: datetime = NOW, off: tuple[str, ...] = ()) -> Standing:
    """Judge what was published."""
    [view] = fold(said(part, NOW) for part in (rules(keeps_days=90), *parts))
    return Standing(view, now, years(view, now), fleet(view, now), forecast(view), off)


def held(*back: int, damage: str | None = None) -> DaysPart:
    """Say that the vault holds the days so many before the newest due."""
    days = (day(DUE - each, NOW, damage=damage) for each in sorted(back, reverse=True))
    return DaysPart(year=DUE.year, days=tuple(days))


def changed(part: MachinePart, **what: object) -> MachinePart:
    """Give a machine whose newest image is different."""
    newest = part.generations[-1].model_copy(update=what)
    return part.model_copy(update={"generations": (*part.generations[:-1], newest)})


def test_where_all_is_well_nothing_needs_a_person() -> None:
    """And the page says so first."""
    known = judged(held(0, 1, 2), machine("maq1", NOW))
    assert (known.needs, known.urgency, known.headline) == ([], Urgency.GOOD, "Everything is safe")
    assert known.summary == ("3 of 3 days proven in the vault. 1 of 1 machine with a new, proven image.")


def test_missing_days_are_one_need_with_their_range() -> None:
    """And the headline counts them."""
    gone = SourcePart(days=tuple(SeenDay(day=DUE - n, state=SourceState.COMPLETE, reason="") for n in (3, 2)))
    known = judged(held(0, 1, 4), gone)
    [need] = known.needs
    assert known.headline == "2 days are not safe"
    assert (need.action, need.first, need.last) == (Action.BACK_UP, str(DUE - 3), str(DUE - 2))
    assert need.sentence.endswith("the source still has them. The source drops the first in 85 days.")


def test_a_day_that_the_source_soon_drops_is_urgent() -> None:
    """It must be fetched before."""
    [need] = judged(
        held(80), held(80), SourcePart(days=(SeenDay(day=DUE - 79, state=SourceState.COMPLETE, reason=""),))
    ).needs[:1]
    assert need.urgency is Urgency.LOOK_NOW
    assert "in 9 days" in need.sentence


def test_many_gaps_are_not_a_list_without_end() -> None:
    """What is left out is counted."""
    known = judged(held(*range(0, 40, 2)))
    assert len(known.needs) == 7
    assert known.needs[-1].sentence.startswith("13 older days not in the vault")


def test_old_facts_are_told_before_anything_else() -> None:
    """And the headline promises nothing."""
    known = judged(held(0, 1), now=NOW + timedelta(days=3))
    [first, *_] = known.needs
    assert (
        first.sentence == "What is shown here is 3 days old. Run publish_facts, which reads the vault anew."
    )
    assert known.headline == "Nothing is known since 2026-11-25"


def test_a_dag_that_is_switched_off_needs_somebody() -> None:
    """Nothing would ever run."""
    [need] = judged(held(0), off=("supim_daily",)).needs
    assert need.sentence == "supim_daily is switched off: nothing runs by itself."


@pytest.mark.parametrize(
    ("part", "state", "says"),
    [
        (
            changed(machine("maq1", NOW), damage="A chunk differs."),
            MachineState.DAMAGED,
            "damaged newest image",
        ),
        (machine("maq1", NOW - timedelta(days=8)), MachineState.LATE, "wasn't imaged by the last weekly run"),
        (
            machine("maq1", NOW, weeks=0 + 1).model_copy(update={"generations": ()}),
            MachineState.EMPTY,
            "no image",
        ),
        (machine("maq1", NOW, slow=True), MachineState.SAFE, "longer than its budget"),
    ],
)
def test_a_machine_that_needs_somebody(part: MachinePart, state: MachineState, says: str) -> None:
    """By its newest image."""
    known = judged(held(0), part)
    assert known.machines[0].state is state
    assert says in known.needs[0].sentence


SUNDAY = datetime(2026, 11, 15, 2, tzinfo=ZoneInfo("America/Sao_Paulo"))


@pytest.mark.parametrize(
    ("made", "late_from"),
    [
        (SUNDAY + timedelta(minutes=40), SUNDAY + timedelta(days=9)),
        (SUNDAY + timedelta(hours=40), SUNDAY + timedelta(days=9)),
        (SUNDAY - timedelta(days=1), SUNDAY + timedelta(days=6)),
        (SUNDAY + timedelta(days=3), SUNDAY + timedelta(days=10)),
    ],
    ids=["by the run", "late in a long run", "by hand the day before", "by hand in between"],
)
def test_a_machine_is_late_by_the_weekly_schedule(made: datetime, late_from: datetime) -> None:
    """Two days after the start of the run that should have imaged it again, and never within a week."""
    part = changed(machine("maq1", NOW), instant=made)
    before, after = (
        judged(held(0), part, now=late_from + timedelta(minutes=minutes)).machines[0] for minutes in (-1, 1)
    )
    assert (before.state, after.state) == (MachineState.SAFE, MachineState.LATE)
    assert after.sentence.endswith("old; the next one was due on 2026-11-22.") or made < SUNDAY


def test_where_no_schedule_was_told_an_image_is_late_after_nine_days() -> None:
    """Facts that are older than this software don't have it."""
    part = machine("maq1", NOW)
    made = part.generations[-1].instant
    old = rules(keeps_days=90).model_copy(update={"machines_schedule": None})
    states = [
        judged(old, held(0), part, now=made + timedelta(days=9, minutes=minutes)).machines[0].state
        for minutes in (-1, 1)
    ]
    assert states == [MachineState.SAFE, MachineState.LATE]


def test_a_machine_that_did_not_boot_is_urgent() -> None:
    """Its image may be worthless."""
    part = machine("maq1", NOW)
    assert part.drill
    drill = part.drill.model_copy(update={"result": State.FAILED})
    [need] = judged(held(0), part.model_copy(update={"drill": drill})).needs
    assert (need.urgency, need.action, need.subject) == (Urgency.LOOK_NOW, Action.SHOW_MACHINE, "maq1")


def test_machines_with_the_same_trouble_are_one_need() -> None:
    """Not five hundred."""
    known = judged(held(0), *(machine(f"maq{number}", NOW, slow=True) for number in range(9)))
    [need] = known.needs
    assert "and 3 more: each was down for longer" in need.sentence


def test_the_last_run_of_each_dag_tells_what_it_left_to_people() -> None:
    """Older ones don't."""
    old = run("vm_weekly", Kind.MACHINES, "VM FAILED", NOW - timedelta(days=7), good=False)
    new = run("vm_weekly", Kind.MACHINES, "VM OK", NOW, needs_person=("Look at maq2's fan.",))
    [need] = judged(held(0), old, new).needs
    assert (need.sentence, need.run) == ("Look at maq2's fan.", new.run)


def filled(*used: int, every: int = 1) -> VaultView:
    """Measure the vault's room again and again, so many days apart; the last time now."""
    times = [NOW - timedelta(days=every * back) for back in reversed(range(len(used)))]
    [view] = fold(said(rules(each), at) for each, at in zip(used, times, strict=True))
    return view


def test_the_forecast_draws_a_line_through_the_last_weeks() -> None:
    """Until only the reserve is left."""
    terabyte = 10**12
    found = forecast(filled(8 * terabyte, 9 * terabyte, 10 * terabyte, every=10))
    assert found.growth_bytes_per_day == pytest.approx(terabyte / 10)
    assert found.days_left == 14
    assert found.sentence.startswith("It grows by 100 GB a day; at this pace there is room for 14 days")


def test_a_vault_that_shrinks_is_never_full() -> None:
    """And no date is made up."""
    assert forecast(filled(10**12, 10**11, every=9)).sentence == "It isn't growing."


def test_two_measurements_of_one_day_are_no_trend() -> None:
    """The worker's own is taken, until there is a week of them."""
    assert forecast(filled(10**12)).growth_bytes_per_day == 2_400_000_000


def test_a_vault_without_room_stops_everything_and_is_urgent() -> None:
    """The reserve is all that is left."""
    known = judged(held(0), rules(11_700_000_000_000))
    assert known.forecast.days_left == 0
    assert (known.needs[0].urgency, known.needs[0].action) == (Urgency.LOOK_NOW, None)
    assert "nothing more is copied" in known.needs[0].sentence
