"""What a run does about each day is decided before anything is touched, and says why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.ordinal_day import OrdinalDay, window
from include.plan import Action, Verdict, Window, days_of_run, decide
from include.source import Look, State

OWN = OrdinalDay.parse("2026-002")
DAYS = st.dates().map(OrdinalDay.of).filter(lambda day: day.year > 2)
STATES = st.sampled_from(State)


def days(*written: str) -> list[OrdinalDay]:
    """Give days as they are written."""
    return [OrdinalDay.parse(day) for day in written]


def look(day: OrdinalDay, state: State = State.COMPLETE, fingerprint: str = "new") -> Look:
    """Give what the source holds of a day."""
    return Look(day=day, state=state, reason=f"It is {state}.", fingerprint=fingerprint)


def verdict(seen: Look, published: str | None, *, own: bool = False) -> Verdict:
    """Decide about one day."""
    run = Window(own=seen.day if own else seen.day + 1, answers_for=(seen.day,))
    (decided,) = decide(run, {seen.day: seen}, {seen.day: published} if published else {})
    return decided


def test_a_scheduled_run_answers_for_its_day_and_the_two_before() -> None:
    """As the scripts did, but over New Year too; older days are gaps where the vault lacks them."""
    run = days_of_run(OWN, scheduled=True, look_back=5, published=days("2025-362", "2025-365"))
    assert run.answers_for == tuple(days("2025-365", "2026-001", "2026-002"))
    assert run.gaps == tuple(days("2025-363", "2025-364"))
    assert run.days == days("2025-363", "2025-364", "2025-365", "2026-001", "2026-002")


@pytest.mark.parametrize("look_back", [0, 1, 2])
def test_a_short_look_back_never_drops_the_days_that_a_run_answers_for(look_back: int) -> None:
    """Two days is what the scripts looked back."""
    run = days_of_run(OWN, scheduled=True, look_back=look_back, published=[])
    assert run == Window(own=OWN, answers_for=tuple(window(OWN, 3)))


def test_a_run_by_hand_is_about_its_own_day() -> None:
    """A backfill of a year doesn't look at each day three times."""
    run = days_of_run(OWN, scheduled=False, look_back=30, published=[])
    assert run == Window(own=OWN, answers_for=(OWN,))
    assert run.days == [OWN]


@given(
    own=DAYS,
    scheduled=st.booleans(),
    look_back=st.integers(0, 366),
    safe=st.sets(st.integers(0, 400)),
)
def test_each_day_is_decided_once_and_gaps_are_older_and_unsafe(
    *, own: OrdinalDay, scheduled: bool, look_back: int, safe: set[int]
) -> None:
    """Whatever the day, the look-back and what the vault holds."""
    published = {own - back for back in safe}
    run = days_of_run(own, scheduled=scheduled, look_back=look_back, published=published)
    assert own == run.own == run.answers_for[-1]
    assert not published & {*run.gaps}
    assert all(own - look_back <= gap < run.answers_for[0] for gap in run.gaps)
    decided = decide(run, {day: look(day) for day in run.days}, {})
    assert [one.day for one in decided] == sorted({*run.days})


@pytest.mark.parametrize(
    ("state", "action", "reason"),
    [
        (State.COMPLETE, Action.COPY, "It was at the source and not yet in the vault."),
        (State.INCOMPLETE, Action.GIVE_UP, "It is incomplete."),
        (State.MISSING, Action.GIVE_UP, "It is missing."),
        (State.UNUSABLE, Action.GIVE_UP, "It is unusable."),
    ],
)
def test_an_older_day_that_the_vault_lacks(state: State, action: Action, reason: str) -> None:
    """Is copied if it can be; nobody waits for it, but it isn't called safe."""
    decided = verdict(look(OWN, state), None)
    assert (decided.action, decided.reason) == (action, reason)


@pytest.mark.parametrize(
    ("state", "action"),
    [
        (State.COMPLETE, Action.COPY),
        (State.INCOMPLETE, Action.WAIT),
        (State.MISSING, Action.WAIT),
        (State.UNUSABLE, Action.GIVE_UP),
    ],
)
def test_the_runs_own_day_is_waited_for(state: State, action: Action) -> None:
    """Where waiting may mend it."""
    assert verdict(look(OWN, state), None, own=True).action is action


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize(
    ("seen", "action", "reason"),
    [
        (look(OWN, fingerprint="old"), Action.NOTHING, "The vault has it, as it is at the source."),
        (look(OWN), Action.REVISE, "At the source it differs from the copy in the vault."),
        (
            look(OWN, State.MISSING, ""),
            Action.NOTHING,
            "The vault has it; the source doesn't have it any more.",
        ),
        (
            look(OWN, State.INCOMPLETE),
            Action.NOTHING,
            "The vault has it; what the source has now differs and can't be copied. It is incomplete.",
        ),
        (
            look(OWN, State.UNUSABLE),
            Action.NOTHING,
            "The vault has it; what the source has now differs and can't be copied. It is unusable.",
        ),
    ],
    ids=["same", "changed", "gone", "being written again", "unusable"],
)
def test_a_published_day_is_safe_and_revised_only_by_a_complete_one(
    seen: Look, action: Action, reason: str, *, own: bool
) -> None:
    """A half-written second run of the simulation is no reason to wait, or to copy."""
    decided = verdict(seen, "old", own=own)
    assert (decided.action, decided.reason) == (action, reason)


@given(state=STATES, own=st.booleans(), published=st.sampled_from([None, "old", "new"]))
def test_only_what_takes_work_is_handed_out_and_every_verdict_has_a_reason(
    *, state: State, own: bool, published: str | None
) -> None:
    """And nothing that the source can't give is ever copied."""
    decided = verdict(look(OWN, state), published, own=own)
    assert decided.reason.endswith(".")
    assert decided.action.takes_work == (decided.action in {Action.COPY, Action.REVISE, Action.WAIT})
    if decided.action in (Action.COPY, Action.REVISE):
        assert state is State.COMPLETE
    if decided.action is Action.GIVE_UP:
        assert published is None


def test_verdicts_and_windows_travel_as_json() -> None:
    """They go from task to task as XCom."""
    decided = verdict(look(OWN), "old")
    assert Verdict.model_validate_json(decided.model_dump_json()) == decided
    run = days_of_run(OWN, scheduled=True, look_back=5, published=[])
    assert Window.model_validate_json(run.model_dump_json()) == run
