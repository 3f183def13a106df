"""The report as a model: immutable, validated on input, and unchanged by JSON."""

import json
from datetime import UTC, date, datetime
from itertools import product
from typing import Literal

import pytest
from pydantic import ValidationError

from include.report import GenerationNote, Report
from include.results.item import Downtime, Item
from include.results.states import Coverage, Outcome, State
from include.status.space import Space
from tests.include.report.sample_items import (
    GB,
    MONDAYS,
    OF_VMS,
    bad,
    copied,
    covered,
    planned,
    report,
    row,
    safe,
    space,
    vm,
    weekly,
    would_image,
)


def _through_json(given: Report) -> Report:
    return Report.model_validate(json.loads(json.dumps(given.model_dump(mode="json"))))


@pytest.mark.parametrize(
    "given",
    [
        report(),
        report(coverage=[], space=None, verification_command=None, run_url=None, log_url=None),
        report(
            *(bad("failed", f"bad\udcff\n{n}", warnings=("<b>", "\u202e")) for n in range(2)),
            coverage=[covered("2026-001", state) for state in Coverage],
            removed=(GenerationNote(name="a\0b", reason="old"),),
            needs_action=("Check\nit.",),
        ),
        report(planned(), safe("2026-267"), dry_run=True),
        weekly(*(vm("maq1", outcome) for outcome in OF_VMS)),
        weekly(would_image(downtime=None), dry_run=True, mondays=(), generations=()),
    ],
    ids=["good", "bare", "hostile", "dry", "vms", "dry VMs"],
)
def test_a_report_is_unchanged_by_json(given: Report) -> None:
    """Airflow stores it as JSON between the task that builds it and the task that mails it."""
    assert _through_json(given) == given


def test_a_day_is_a_string_in_json() -> None:
    """So that other programs can read it."""
    fields = report().model_dump(mode="json")
    assert (fields["day"], fields["coverage"][0]["day"]) == ("2026-268", "2026-240")


@pytest.mark.parametrize(("state", "outcome"), list(product(State, Outcome)))
def test_passed_means_verified_and_verified_means_passed(state: State, outcome: Outcome) -> None:
    """An item can't have any other pair of state and outcome."""
    fields = {"name": "2026-268", "state": state, "outcome": outcome, "reason": "A reason."}
    of_days = {Outcome.COPIED, Outcome.NEW_REVISION, Outcome.ALREADY_SAFE}
    of_backups = {Outcome.VERIFIED_AGAIN, Outcome.FETCHED_AGAIN, Outcome.RESTORED, Outcome.BOOTED}
    safe_outcomes = {*of_days, *of_backups, Outcome.IMAGED, Outcome.NOT_READ, Outcome.REPLACED}
    if (state is State.PASSED) == (outcome in safe_outcomes):
        assert Item.model_validate(fields).state is state
    else:
        with pytest.raises(ValidationError, match=f"{outcome} can't be {state}"):
            Item.model_validate(fields)


def test_a_report_cannot_be_changed() -> None:
    """It is immutable."""
    with pytest.raises(ValidationError, match="frozen"):
        report().title = "VM"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"day": "2026-366"}, "no day 366 in 2026"),
        ({"timezone": "Sao Paulo"}, "Write one such as America/Sao_Paulo"),
        ({"started": datetime(2026, 9, 27)}, "timezone"),  # noqa: DTZ001 - the mistake under test
        ({"colour": "green"}, "Extra inputs"),
    ],
)
def test_invalid_fields_are_refused(fields: dict[str, object], message: str) -> None:
    """With a message that says what is wrong."""
    with pytest.raises(ValidationError, match=message):
        report(**fields)


def test_text_from_outside_is_made_visible_in_every_field() -> None:
    """Names, reasons, verifications and warnings become one printable line on input."""
    item = copied("a\udcff", reason="b\n", verification="c\x1b", warnings=("d\u202e",))
    assert (item.name, item.reason, item.verification, item.warnings) == (
        r"a\xff",
        r"b\n",
        r"c\x1b",
        (r"d\u202e",),
    )


@pytest.mark.parametrize(
    ("fields", "days"),
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
def test_the_vault_is_full_when_the_reserve_is_reached(fields: dict[str, object], days: int | None) -> None:
    """Unknown or negative growth gives no date; if the reserve is reached already, it is full now."""
    known = space(**fields)
    assert known.days_until_full(known.growth_bytes_per_day) == days


def test_the_growth_is_unknown_by_default() -> None:
    """It isn't zero."""
    known = Space(path="/backup", total_bytes=1, used_bytes=0, free_bytes=1, reserve_bytes=0)
    assert known.growth_bytes_per_day is None


def test_a_run_whose_clock_was_set_back_took_no_time() -> None:
    """Rather than a negative time."""
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
def test_a_vm_is_down_only_if_it_runs_and_its_method_stops_it(
    method: str, was: Literal["running", "off"], *, stops: bool
) -> None:
    """A VM that is off has no downtime."""
    assert Downtime(method=method, was=was).stops is stops


@pytest.mark.parametrize(
    ("downtime_s", "budget_s", "over_s"),
    [(75, 60, 15), (60, 60, 0), (14, 60, 0), (None, 60, 0), (75, None, 0)],
)
def test_a_downtime_is_over_budget_only_if_both_are_known(
    downtime_s: float | None, budget_s: float | None, over_s: float
) -> None:
    """An unknown downtime isn't over budget."""
    down = Downtime(method="cold", was="running", downtime_s=downtime_s, budget_s=budget_s)
    assert down.over_s == over_s


def test_a_weekly_report_is_about_the_day_on_which_it_began() -> None:
    """In the institute's time zone: at 01:30 UTC it's still Saturday there."""
    given = weekly(started=datetime(2026, 9, 27, 1, 30, tzinfo=UTC))
    assert (given.name, given.own_date) == ("VM", date(2026, 9, 26))
