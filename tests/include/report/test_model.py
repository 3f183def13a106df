"""The facts: frozen, checked at the door, and the same after a journey through JSON."""

import json
from datetime import UTC, date, datetime
from itertools import product
from typing import Literal

import pytest
from pydantic import ValidationError

from include.report import Coverage, Item, Outcome, Removed, Report, Space, Standstill, State
from tests.include.report.facts import (
    GB,
    MONDAYS,
    OF_MACHINES,
    bad,
    copied,
    covered,
    machine,
    planned,
    report,
    row,
    safe,
    space,
    weekly,
    would_image,
)


def _travelled(given: Report) -> Report:
    return Report.model_validate(json.loads(json.dumps(given.model_dump(mode="json"))))


@pytest.mark.parametrize(
    "given",
    [
        report(),
        report(coverage=[], space=None, proof_command=None, run_url=None, log_url=None),
        report(
            *(bad("failed", f"bad\udcff\n{n}", warnings=("<b>", "\u202e")) for n in range(2)),
            coverage=[covered("2026-001", state) for state in Coverage],
            removed=(Removed(name="a\0b", reason="old"),),
            needs_person=("Look\nhere.",),
        ),
        report(planned(), safe("2026-267"), dry_run=True),
        weekly(*(machine("maq1", outcome) for outcome in OF_MACHINES)),
        weekly(would_image(standstill=None), dry_run=True, mondays=(), generations=()),
    ],
    ids=["good", "bare", "hostile", "dry", "machines", "dry machines"],
)
def test_a_report_is_the_same_after_its_journey_through_json(given: Report) -> None:
    """Airflow stores it as JSON between the task that builds it and the one that mails it."""
    assert _travelled(given) == given


def test_a_day_is_plain_text_in_json() -> None:
    """No object of ours stands in the way of another reader of the same JSON."""
    facts = report().model_dump(mode="json")
    assert (facts["day"], facts["coverage"][0]["day"]) == ("2026-268", "2026-240")


@pytest.mark.parametrize(("state", "outcome"), list(product(State, Outcome)))
def test_green_means_proven_and_proven_means_green(state: State, outcome: Outcome) -> None:
    """No other pair of state and outcome can be said."""
    facts = {"name": "2026-268", "state": state, "outcome": outcome, "reason": "So."}
    of_days = {Outcome.COPIED, Outcome.NEW_REVISION, Outcome.ALREADY_SAFE}
    of_backups = {Outcome.PROVEN_AGAIN, Outcome.FETCHED_AGAIN, Outcome.RESTORED, Outcome.BOOTED}
    safe_outcomes = {*of_days, *of_backups, Outcome.IMAGED}
    if (state is State.PASSED) == (outcome in safe_outcomes):
        assert Item.model_validate(facts).state is state
    else:
        with pytest.raises(ValidationError, match=f"{outcome} can't be {state}"):
            Item.model_validate(facts)


def test_a_report_cannot_be_changed() -> None:
    """What was said is said."""
    with pytest.raises(ValidationError, match="frozen"):
        report().title = "VM"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("facts", "complaint"),
    [
        ({"day": "2026-366"}, "no day 366 in 2026"),
        ({"timezone": "Sao Paulo"}, "Write one such as America/Sao_Paulo"),
        ({"started": datetime(2026, 9, 27)}, "timezone"),  # noqa: DTZ001 - the mistake under test
        ({"colour": "green"}, "Extra inputs"),
    ],
)
def test_wrong_facts_are_refused(facts: dict[str, object], complaint: str) -> None:
    """A report that can't be trusted isn't made."""
    with pytest.raises(ValidationError, match=complaint):
        report(**facts)


def test_outside_text_is_visible_in_every_field() -> None:
    """Names, reasons, proofs and warnings become one printable line at the door."""
    item = copied("a\udcff", reason="b\n", proof="c\x1b", warnings=("d\u202e",))
    assert (item.name, item.reason, item.proof, item.warnings) == (r"a\xff", r"b\n", r"c\x1b", (r"d\u202e",))


@pytest.mark.parametrize(
    ("facts", "days"),
    [
        ({}, 2000),
        ({"growth_bytes_per_day": 3 * GB}, 666),
        ({"growth_bytes_per_day": None}, None),
        ({"growth_bytes_per_day": 0}, None),
        ({"growth_bytes_per_day": -GB}, None),
        ({"free_bytes": 1000 * GB}, 0),
        ({"free_bytes": 10, "growth_bytes_per_day": None}, 0),
    ],
)
def test_the_vault_is_full_when_the_reserve_is_touched(facts: dict[str, object], days: int | None) -> None:
    """Unknown growth gives no date, and neither does a vault that shrinks; a touched reserve is full now."""
    assert space(**facts).days_until_full == days


def test_a_vault_without_known_growth_is_the_default() -> None:
    """Not known is a fact of its own, not zero."""
    known = Space(path="/backup", total_bytes=1, used_bytes=0, free_bytes=1, reserve_bytes=0)
    assert known.growth_bytes_per_day is None


def test_a_clock_set_back_takes_no_time() -> None:
    """A negative duration would be nonsense in a report."""
    assert report(finished=datetime(2020, 1, 1, tzinfo=UTC)).seconds == 0


@pytest.mark.parametrize("mondays", [(), MONDAYS[:-1], (*MONDAYS, MONDAYS[-1])])
def test_a_row_of_generations_has_one_state_for_each_week(mondays: tuple[date, ...]) -> None:
    """Else a week would stand under another's date."""
    with pytest.raises(ValidationError, match=f"maq1: not one state for each of {len(mondays)} weeks"):
        weekly(mondays=mondays, generations=(row(),))


@pytest.mark.parametrize(
    ("method", "was", "stops"),
    [
        ("cold", "running", True),
        ("copy", "running", True),
        ("live", "running", False),
        ("offline", "off", False),
        ("cold", "off", False),
    ],
)
def test_a_machine_stands_still_only_if_it_runs_and_its_method_stops_it(
    method: str, was: Literal["running", "off"], *, stops: bool
) -> None:
    """One that is off has no downtime to speak of."""
    assert Standstill(method=method, was=was).stops is stops


@pytest.mark.parametrize(
    ("downtime_s", "budget_s", "over_s"),
    [(75, 60, 15), (60, 60, 0), (14, 60, 0), (None, 60, 0), (75, None, 0)],
)
def test_a_downtime_is_over_its_budget_only_when_both_are_known(
    downtime_s: float | None, budget_s: float | None, over_s: float
) -> None:
    """Nobody is blamed for what wasn't measured."""
    stop = Standstill(method="cold", was="running", downtime_s=downtime_s, budget_s=budget_s)
    assert stop.over_s == over_s


def test_a_weekly_report_is_about_the_day_on_which_it_began() -> None:
    """On the institute's clock: at 01:30 in UTC it's still Saturday there."""
    given = weekly(started=datetime(2026, 9, 27, 1, 30, tzinfo=UTC))
    assert (given.name, given.own_date) == ("VM", date(2026, 9, 26))
