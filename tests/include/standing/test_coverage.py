"""In which state a day stands, why, and what the next step is."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from include.ordinal_day import OrdinalDay
from include.report import Kind, Outcome, State
from include.source import State as SourceState
from include.standing.coverage import DayState, Step, gaps, standing, years
from include.standing.facts import DayFacts, DaysPart, Part, RunPart, SeenDay, SourcePart, TroubledItem
from include.standing.view import VaultView, fold
from tests.published import NOW, day, rules, run, said

TODAY = OrdinalDay.of(NOW.date())
DUE = TODAY - 2
DAY = TODAY - 20


def view(*parts: Part, keeps_days: int | None = None, taken: datetime = NOW) -> VaultView:
    """Fold parts published at one instant."""
    [found] = fold(said(part, taken) for part in (rules(keeps_days=keeps_days), *parts))
    return found


def held(*days: DayFacts) -> list[DaysPart]:
    """Say what the vault holds, year by year."""
    known = sorted({each.day.year for each in days})
    return [DaysPart(year=year, days=tuple(each for each in days if each.day.year == year)) for year in known]


def seen(which: OrdinalDay, state: SourceState, reason: str = "") -> SourcePart:
    """Say what the source held of a day."""
    return SourcePart(days=(SeenDay(day=which, state=state, reason=reason),))


def failed(which: OrdinalDay, when: datetime = NOW) -> RunPart:
    """Give a run that failed to copy a day."""
    item = TroubledItem(name=str(which), state=State.FAILED, outcome=Outcome.FAILED, reason="It broke off.")
    return run("supim_daily", Kind.DAYS, "FAILED", when, good=False, troubled=(item,))


@pytest.mark.parametrize(
    ("facts", "state", "step"),
    [
        (day(DAY, NOW), DayState.PROVEN, Step.RESTORE),
        (day(DAY, NOW, revision=2), DayState.REVISED, Step.RESTORE),
        (day(DAY - 100, NOW, age=31), DayState.DUE, Step.AUDIT),
        (day(DAY - 100, NOW, revision=2, age=31), DayState.DUE, Step.AUDIT),
        (day(DAY, NOW, damage="A file differs."), DayState.DAMAGED, Step.BACK_UP),
    ],
)
def test_a_day_in_the_vault(facts: DayFacts, state: DayState, step: Step) -> None:
    """What is wrong with it comes first, then how old its proof is, then that it changed."""
    found = standing(view(*held(facts)), facts.day, NOW)
    assert (found.state, found.step) == (state, step)


def test_the_sentence_of_a_damaged_day_says_what_is_damaged() -> None:
    """As the audit said it."""
    told = standing(view(*held(day(DAY, NOW, damage="A file differs."))), DAY, NOW).sentence
    assert told == "The copy in the vault isn't whole. A file differs."


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (SourceState.COMPLETE, DayState.AT_SOURCE),
        (SourceState.INCOMPLETE, DayState.AT_SOURCE),
        (SourceState.MISSING, DayState.LOST),
        (SourceState.UNUSABLE, DayState.FAILED),
    ],
)
def test_a_day_that_only_the_source_was_asked_for(state: SourceState, expected: DayState) -> None:
    """It stands as the source had it."""
    assert standing(view(seen(DAY, state)), DAY, NOW).state is expected


def test_the_days_left_at_the_source_are_counted_where_they_are_known() -> None:
    """From the day itself on."""
    found = standing(view(seen(DAY, SourceState.COMPLETE), keeps_days=30), DAY, NOW)
    assert found.days_left == 10
    assert found.sentence.endswith("It drops it in 10 days.")


def test_nobody_knows_the_days_left_where_the_site_file_does_not_say() -> None:
    """And nothing is made up."""
    found = standing(view(seen(DAY, SourceState.COMPLETE)), DAY, NOW)
    assert found.days_left is None
    assert "drops" not in found.sentence


def test_a_day_that_the_source_must_have_dropped_since_is_not_called_there() -> None:
    """It was seen long ago."""
    old = view(seen(DAY, SourceState.COMPLETE), keeps_days=10, taken=NOW - timedelta(days=15))
    assert standing(old, DAY, NOW).state is DayState.UNKNOWN


def test_a_recent_day_that_the_source_lacks_may_still_come() -> None:
    """An old one won't, unless the simulation is run again."""
    recent = standing(view(seen(DAY, SourceState.MISSING)), DAY, NOW)
    old = standing(view(seen(DAY - 100, SourceState.MISSING)), DAY - 100, NOW)
    assert "Later runs look again" in recent.sentence
    assert "it's lost" in old.sentence


def test_a_day_that_nobody_asked_for_is_not_called_lost() -> None:
    """Nothing is known of it."""
    found = standing(view(*held(day(DAY, NOW))), DAY + 1, NOW)
    assert (found.state, found.step) == (DayState.UNKNOWN, Step.BACK_UP)


def test_a_failure_counts_until_the_source_is_asked_again() -> None:
    """The newer of the two tells."""
    looked = view(seen(DAY, SourceState.COMPLETE), failed(DAY, NOW - timedelta(hours=1)))
    broken = view(seen(DAY, SourceState.COMPLETE), failed(DAY))
    assert standing(looked, DAY, NOW).state is DayState.AT_SOURCE
    assert standing(broken, DAY, NOW).sentence == "It broke off."


def test_a_day_in_the_vault_is_safe_whatever_failed_for_it() -> None:
    """A run may have failed before another succeeded."""
    assert standing(view(*held(day(DAY, NOW)), failed(DAY)), DAY, NOW).state is DayState.PROVEN


@pytest.mark.parametrize("which", [DUE, DUE + 1, DUE + 30])
def test_a_day_whose_run_has_not_come_is_not_due(which: OrdinalDay) -> None:
    """The newest one is due today, and stays so until a run looked for it."""
    assert standing(view(), which, NOW).state is DayState.NOT_DUE


def test_the_day_before_was_due_yesterday() -> None:
    """So that silence is told."""
    assert standing(view(), DUE - 1, NOW).state is DayState.UNKNOWN


def test_what_is_due_follows_the_institutes_clock() -> None:
    """At 01:00 UTC it's the evening before in São Paulo."""
    night = NOW.replace(hour=1)
    assert standing(view(), DUE - 1, night).state is DayState.NOT_DUE
    assert view().today(night) == OrdinalDay.of(night.astimezone(ZoneInfo("America/Sao_Paulo")))


def test_the_calendar_goes_from_the_first_day_known_to_the_years_end() -> None:
    """Newest year first; a leap year has 366 days."""
    calendar = years(view(*held(day(OrdinalDay(2024, 300), NOW), day(OrdinalDay(2026, 3), NOW))), NOW)
    assert [(year.number, year.first, len(year.days)) for year in calendar] == [
        (2026, 1, 365),
        (2025, 1, 365),
        (2024, 300, 67),
    ]


def test_a_vault_that_knows_no_day_has_no_calendar() -> None:
    """There is nothing to begin with."""
    assert years(view(), NOW) == []


def test_a_year_says_what_is_safe_and_what_is_not() -> None:
    """Counted against the days that are due."""
    [year] = years(view(*held(day(DUE - 3, NOW), day(DUE - 1, NOW))), NOW)
    assert year.sentence == "2 of 3 days safe, 1 not looked for"


def test_gaps_are_runs_of_days_newest_first_and_go_over_new_year() -> None:
    """Each with its first and last day, and how many there are."""
    parts = held(*(day(each, NOW) for each in (OrdinalDay(2025, 363), OrdinalDay(2026, 2), DUE - 1)))
    calendar = years(view(*parts), NOW)
    [newest, oldest] = gaps(calendar, DayState.UNKNOWN)
    assert (str(newest[0].day), newest[1].day) == ("2026-003", DUE - 2)
    assert (str(oldest[0].day), str(oldest[1].day), oldest[2]) == ("2025-364", "2026-001", 3)
