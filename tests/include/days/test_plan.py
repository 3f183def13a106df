"""The plan of a run: what is done about each day, and why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.days.plan import DayAction, DayPlan, DayWindow, days_of_run, decide
from include.days.source import SourceDay, SourceState
from include.ordinal_day import OrdinalDay, window

OWN = OrdinalDay.parse("2026-002")
DAYS = st.dates().map(OrdinalDay.of).filter(lambda day: day.year > 2)
STATES = st.sampled_from(SourceState)


def days(*texts: str) -> list[OrdinalDay]:
    """Parse days."""
    return [OrdinalDay.parse(text) for text in texts]


def at_source(
    day: OrdinalDay, state: SourceState = SourceState.COMPLETE, fingerprint: str = "new"
) -> SourceDay:
    """Return the survey of a day."""
    return SourceDay(day=day, state=state, reason=f"It is {state}.", fingerprint=fingerprint)


def plan(surveyed: SourceDay, published: str | None, *, own: bool = False) -> DayPlan:
    """Plan one day."""
    day = surveyed.day
    run = DayWindow(own=day if own else day + 1, responsible_for=(day,))
    (decided,) = decide(run, {day: surveyed}, {day: published} if published else {})
    return decided


def test_a_scheduled_run_is_responsible_for_its_day_and_the_two_before() -> None:
    """Over New Year too; older days are missing if the vault lacks them."""
    run = days_of_run(OWN, scheduled=True, lookback_days=5, published=days("2025-362", "2025-365"))
    assert run.responsible_for == tuple(days("2025-365", "2026-001", "2026-002"))
    assert run.missing == tuple(days("2025-363", "2025-364"))
    assert run.days == days("2025-363", "2025-364", "2025-365", "2026-001", "2026-002")


@pytest.mark.parametrize("lookback_days", [0, 1, 2])
def test_a_short_look_back_never_drops_a_day_that_the_run_is_responsible_for(lookback_days: int) -> None:
    """It only limits how far back missing days are looked for."""
    run = days_of_run(OWN, scheduled=True, lookback_days=lookback_days, published=[])
    assert run == DayWindow(own=OWN, responsible_for=tuple(window(OWN, 3)))


def test_a_manual_run_is_about_its_own_day_only() -> None:
    """A backfill of a year doesn't survey each day three times."""
    run = days_of_run(OWN, scheduled=False, lookback_days=30, published=[])
    assert run == DayWindow(own=OWN, responsible_for=(OWN,))
    assert run.days == [OWN]


@given(
    own=DAYS,
    scheduled=st.booleans(),
    lookback_days=st.integers(0, 366),
    safe=st.sets(st.integers(0, 400)),
)
def test_each_day_is_planned_once_and_missing_days_are_older_and_unpublished(
    *, own: OrdinalDay, scheduled: bool, lookback_days: int, safe: set[int]
) -> None:
    """Whatever the day, the look-back and the published days."""
    published = {own - back for back in safe}
    run = days_of_run(own, scheduled=scheduled, lookback_days=lookback_days, published=published)
    assert own == run.own == run.responsible_for[-1]
    assert not published & {*run.missing}
    assert all(own - lookback_days <= day < run.responsible_for[0] for day in run.missing)
    plans = decide(run, {day: at_source(day) for day in run.days}, {})
    assert [plan.day for plan in plans] == sorted({*run.days})


@pytest.mark.parametrize(
    ("state", "action", "reason"),
    [
        (SourceState.COMPLETE, DayAction.COPY, "The source had it and the vault didn't."),
        (SourceState.INCOMPLETE, DayAction.GIVE_UP, "It is incomplete."),
        (SourceState.MISSING, DayAction.GIVE_UP, "It is missing."),
        (SourceState.UNUSABLE, DayAction.GIVE_UP, "It is unusable."),
    ],
)
def test_an_older_missing_day_is_copied_or_given_up_but_not_waited_for(
    state: SourceState, action: DayAction, reason: str
) -> None:
    """With the source's reason."""
    decided = plan(at_source(OWN, state), None)
    assert (decided.action, decided.reason) == (action, reason)


@pytest.mark.parametrize(
    ("state", "action"),
    [
        (SourceState.COMPLETE, DayAction.COPY),
        (SourceState.INCOMPLETE, DayAction.WAIT),
        (SourceState.MISSING, DayAction.WAIT),
        (SourceState.UNUSABLE, DayAction.GIVE_UP),
    ],
)
def test_the_runs_own_day_is_waited_for(state: SourceState, action: DayAction) -> None:
    """If waiting may help."""
    assert plan(at_source(OWN, state), None, own=True).action is action


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize(
    ("surveyed", "action", "reason"),
    [
        (at_source(OWN, fingerprint="old"), DayAction.NOTHING, "The vault has it, as it is at the source."),
        (at_source(OWN), DayAction.REVISE, "At the source it differs from the copy in the vault."),
        (
            at_source(OWN, SourceState.MISSING, ""),
            DayAction.NOTHING,
            "The vault has it; the source doesn't have it any more.",
        ),
        (
            at_source(OWN, SourceState.INCOMPLETE),
            DayAction.NOTHING,
            "The vault has it; the source's copy now differs and can't be copied. It is incomplete.",
        ),
        (
            at_source(OWN, SourceState.UNUSABLE),
            DayAction.NOTHING,
            "The vault has it; the source's copy now differs and can't be copied. It is unusable.",
        ),
    ],
    ids=["same", "changed", "gone", "being written again", "unusable"],
)
def test_a_published_day_is_safe_and_revised_only_by_a_complete_one(
    surveyed: SourceDay, action: DayAction, reason: str, *, own: bool
) -> None:
    """A half-written second run of the simulation is no reason to wait or to copy."""
    decided = plan(surveyed, "old", own=own)
    assert (decided.action, decided.reason) == (action, reason)


@given(state=STATES, own=st.booleans(), published=st.sampled_from([None, "old", "new"]))
def test_only_complete_days_are_copied_and_every_plan_has_a_reason(
    *, state: SourceState, own: bool, published: str | None
) -> None:
    """And only days that the vault lacks are given up."""
    decided = plan(at_source(OWN, state), published, own=own)
    assert decided.reason.endswith(".")
    assert decided.action.backs_up == (decided.action in {DayAction.COPY, DayAction.REVISE, DayAction.WAIT})
    if decided.action in (DayAction.COPY, DayAction.REVISE):
        assert state is SourceState.COMPLETE
    if decided.action is DayAction.GIVE_UP:
        assert published is None


def test_plans_and_windows_survive_json_unchanged() -> None:
    """They go from task to task as XCom."""
    decided = plan(at_source(OWN), "old")
    assert DayPlan.model_validate_json(decided.model_dump_json()) == decided
    run = days_of_run(OWN, scheduled=True, lookback_days=5, published=[])
    assert DayWindow.model_validate_json(run.model_dump_json()) == run
