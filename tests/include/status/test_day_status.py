"""The state of a day, the reason, and the next step."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from include.days.record import RevisionCause
from include.days.source import SourceState
from include.ordinal_day import OrdinalDay
from include.results.states import Kind, Outcome, State
from include.status.day_status import DayState, NextStep, calendar_day, gaps, years
from include.status.parts import DayAtSource, DaysPart, DayStatus, Part, RunPart, SourcePart, TroubledItem
from include.status.view import VaultView, fold
from tests.sample_status import NOW, day, published, rules, run

TODAY = OrdinalDay.of(NOW.date())
DUE = TODAY - 2
DAY = TODAY - 20


def view(*parts: Part, keep_days_at_source: int | None = None, taken: datetime = NOW) -> VaultView:
    """Return a view of parts that were published at one instant."""
    [found] = fold(
        published(part, taken) for part in (rules(keep_days_at_source=keep_days_at_source), *parts)
    )
    return found


def in_vault(*days: DayStatus) -> list[DaysPart]:
    """Return the vault's days, year by year."""
    numbers = sorted({each.day.year for each in days})
    return [
        DaysPart(year=year, days=tuple(each for each in days if each.day.year == year)) for year in numbers
    ]


def surveyed(which: OrdinalDay, state: SourceState, reason: str = "") -> SourcePart:
    """Return the survey of a day at the source."""
    return SourcePart(days=(DayAtSource(day=which, state=state, reason=reason),))


def failed(which: OrdinalDay, when: datetime = NOW) -> RunPart:
    """Return a run that failed to copy a day."""
    item = TroubledItem(name=str(which), state=State.FAILED, outcome=Outcome.FAILED, reason="It broke off.")
    return run("supim_daily", Kind.DAYS, "FAILED", when, good=False, troubled=(item,))


@pytest.mark.parametrize(
    ("status", "state", "step"),
    [
        (day(DAY, NOW), DayState.VERIFIED, NextStep.RESTORE),
        (day(DAY, NOW, revision=2), DayState.REVISED, NextStep.RESTORE),
        (day(DAY - 100, NOW, age=31), DayState.DUE, NextStep.SCRUB),
        (day(DAY - 100, NOW, revision=2, age=31), DayState.DUE, NextStep.SCRUB),
        (day(DAY, NOW, damage="A file differs."), DayState.DAMAGED, NextStep.BACK_UP),
    ],
)
def test_a_day_in_the_vault(status: DayStatus, state: DayState, step: NextStep) -> None:
    """Damage counts before an old verification, and that before a revision."""
    found = calendar_day(view(*in_vault(status)), status.day, NOW)
    assert (found.state, found.step) == (state, step)


@pytest.mark.parametrize(
    ("cause", "sentence"),
    [
        (RevisionCause.CHANGED, "It changed at the source."),
        (RevisionCause.DAMAGED, "The copy before was damaged, so it was fetched again."),
        (RevisionCause.LOST, "The copy before was lost, so it was fetched again."),
    ],
)
def test_a_revised_day_has_why_it_was_made(cause: RevisionCause, sentence: str) -> None:
    """A day that was fetched again after damage didn't change at the source."""
    status = day(DAY, NOW, revision=2).model_copy(update={"cause": cause})
    found = calendar_day(view(*in_vault(status)), DAY, NOW)
    assert found.sentence == f"{sentence} Revision 2 is verified; older ones are kept."


def test_the_sentence_of_a_damaged_day_includes_the_scrubs_finding() -> None:
    """In its own words."""
    sentence = calendar_day(view(*in_vault(day(DAY, NOW, damage="A file differs."))), DAY, NOW).sentence
    assert sentence == "The copy in the vault is damaged. A file differs."


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (SourceState.COMPLETE, DayState.AT_SOURCE),
        (SourceState.INCOMPLETE, DayState.AT_SOURCE),
        (SourceState.MISSING, DayState.LOST),
        (SourceState.UNUSABLE, DayState.FAILED),
    ],
)
def test_the_state_of_a_day_outside_the_vault_follows_its_last_survey(
    state: SourceState, expected: DayState
) -> None:
    """Whatever the source had of it."""
    assert calendar_day(view(surveyed(DAY, state)), DAY, NOW).state is expected


def test_the_days_left_at_the_source_count_from_the_day_itself() -> None:
    """By the days for which the source keeps one."""
    found = calendar_day(view(surveyed(DAY, SourceState.COMPLETE), keep_days_at_source=30), DAY, NOW)
    assert found.days_left == 10
    assert found.sentence.endswith("The source deletes it in 10 days.")


def test_the_days_left_are_unknown_where_the_site_file_does_not_say() -> None:
    """And the sentence does not mention them."""
    found = calendar_day(view(surveyed(DAY, SourceState.COMPLETE)), DAY, NOW)
    assert found.days_left is None
    assert "deletes" not in found.sentence


def test_a_day_that_the_source_has_likely_deleted_is_not_called_still_at_the_source() -> None:
    """Its survey is too old."""
    old = view(surveyed(DAY, SourceState.COMPLETE), keep_days_at_source=10, taken=NOW - timedelta(days=15))
    assert calendar_day(old, DAY, NOW).state is DayState.UNKNOWN


def test_a_recent_day_that_the_source_lacks_may_still_come() -> None:
    """An old one won't, unless the simulation is run again."""
    recent = calendar_day(view(surveyed(DAY, SourceState.MISSING)), DAY, NOW)
    old = calendar_day(view(surveyed(DAY - 100, SourceState.MISSING)), DAY - 100, NOW)
    assert "Later runs check again" in recent.sentence
    assert "It stays missing" in old.sentence


def test_a_day_that_was_not_surveyed_is_not_called_lost() -> None:
    """It may still be at the source."""
    found = calendar_day(view(*in_vault(day(DAY, NOW))), DAY + 1, NOW)
    assert (found.state, found.step) == (DayState.UNKNOWN, NextStep.BACK_UP)


def test_a_failure_counts_until_the_next_survey() -> None:
    """The newer of the two decides."""
    newer_survey = view(surveyed(DAY, SourceState.COMPLETE), failed(DAY, NOW - timedelta(hours=1)))
    newer_failure = view(surveyed(DAY, SourceState.COMPLETE), failed(DAY))
    assert calendar_day(newer_survey, DAY, NOW).state is DayState.AT_SOURCE
    assert calendar_day(newer_failure, DAY, NOW).sentence == "It broke off."


def test_a_day_in_the_vault_is_safe_whatever_failed_before() -> None:
    """One run may fail before another succeeds."""
    assert calendar_day(view(*in_vault(day(DAY, NOW)), failed(DAY)), DAY, NOW).state is DayState.VERIFIED


@pytest.mark.parametrize("which", [DUE, DUE + 1, DUE + 30])
def test_a_day_whose_run_is_still_to_come_is_not_due(which: OrdinalDay) -> None:
    """The newest due day is not due either, until a run surveys it."""
    assert calendar_day(view(), which, NOW).state is DayState.NOT_DUE


def test_a_day_that_was_due_yesterday_and_not_surveyed_is_unknown() -> None:
    """So a run that never started is noticed."""
    assert calendar_day(view(), DUE - 1, NOW).state is DayState.UNKNOWN


def test_due_days_follow_the_institutes_time_zone() -> None:
    """At 01:00 UTC it's the evening before in São Paulo."""
    night = NOW.replace(hour=1)
    assert calendar_day(view(), DUE - 1, night).state is DayState.NOT_DUE
    assert view().today(night) == OrdinalDay.of(night.astimezone(ZoneInfo("America/Sao_Paulo")))


def test_the_calendar_goes_from_the_first_known_day_to_the_end_of_the_year() -> None:
    """Newest year first; a leap year has 366 days."""
    calendar = years(view(*in_vault(day(OrdinalDay(2024, 300), NOW), day(OrdinalDay(2026, 3), NOW))), NOW)
    assert [(year.number, year.first, len(year.days)) for year in calendar] == [
        (2026, 1, 365),
        (2025, 1, 365),
        (2024, 300, 67),
    ]


def test_a_mistyped_day_of_long_ago_doesnt_begin_the_calendar() -> None:
    """Nor does a day to which a new vault's first run looked back; unless there is nothing else."""
    missing = [surveyed(DAY - back, SourceState.MISSING) for back in (200, 2, 1)]

    def first(*parts: Part) -> OrdinalDay:
        return years(view(*parts), NOW)[-1].days[0].day

    assert first(*missing, *in_vault(day(DAY, NOW))) == DAY
    assert first(*missing, surveyed(DAY - 200, SourceState.COMPLETE)) == DAY - 200
    assert first(*missing) == DAY - 200


def test_without_a_known_day_there_is_no_calendar() -> None:
    """There is no first day."""
    assert years(view(), NOW) == []


def test_a_year_counts_its_safe_days_and_the_other_states() -> None:
    """Out of the days that are due."""
    [year] = years(view(*in_vault(day(DUE - 3, NOW), day(DUE - 1, NOW))), NOW)
    assert year.sentence == "2 of 3 days safe, 1 never checked"


def test_gaps_are_ranges_of_days_newest_first_that_may_cross_new_year() -> None:
    """Each with its first and last day, and their number."""
    parts = in_vault(*(day(each, NOW) for each in (OrdinalDay(2025, 363), OrdinalDay(2026, 2), DUE - 1)))
    calendar = years(view(*parts), NOW)
    [newest, oldest] = gaps(calendar, DayState.UNKNOWN)
    assert (str(newest[0].day), newest[1].day) == ("2026-003", DUE - 2)
    assert (str(oldest[0].day), str(oldest[1].day), oldest[2]) == ("2025-364", "2026-001", 3)


def test_a_verification_in_the_future_leaves_a_day_due() -> None:
    """Or a wrong clock could postpone the next one for years."""
    ahead = day(DAY, NOW + timedelta(days=4000))
    found = calendar_day(view(*in_vault(ahead)), DAY, NOW)
    assert (found.state, found.step) == (DayState.DUE, NextStep.SCRUB)
    assert "is in the future: a clock was wrong" in found.sentence
