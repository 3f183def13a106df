"""Published parts are plain JSON, validated on input, with one visible line for each text."""

import json
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from include.days.plan import DayAction, DayPlan
from include.days.source import SourceDay, SourceState
from include.report import Report
from include.report.run_part import run_part, source_part
from include.results.item import Item
from include.results.states import Kind, Outcome, State
from include.status.parts import Part, PublishedPart, VmPart, VmsPart
from tests.include.days.sample_days import DAY

NOW = datetime(2026, 9, 27, 9, 30, tzinfo=UTC)


def published(part: Part) -> PublishedPart:
    """Return an event's extra."""
    return PublishedPart(vault="v", path="/backup/vault", taken=NOW, part=part)


def report(*items: Item, **fields: object) -> Report:
    """Return the report of a daily run."""
    what = {"kind": Kind.DAYS, "title": "SUPIM", "institute": "CRS", "timezone": "America/Sao_Paulo"}
    when = {"day": DAY, "started": NOW, "finished": NOW, "archive": "/backup/vault"}
    return Report.model_validate({**what, **when, "items": items, **fields})


def item(name: str, state: State, outcome: Outcome) -> Item:
    """Return an item of the run's own."""
    return Item(name=name, own=True, state=state, outcome=outcome, reason="So it is.")


def test_a_part_survives_json() -> None:
    """As Airflow stores it; the kind tells which part it is."""
    vm = VmPart(name="a\nb\udcff", host="kvm_host", budget_s=60, generations=())
    before = published(VmsPart(vms=(vm,)))
    stored = json.loads(json.dumps(before.model_dump(mode="json")))
    assert PublishedPart.model_validate(stored) == before
    assert stored["part"]["vms"][0]["name"] == r"a\nb\xff"


@pytest.mark.parametrize(
    "wrong", [{"version": 2}, {"part": {"kind": "rumour"}}, {"taken": "2026-09-27T09:30:00"}, {"more": 1}]
)
def test_an_invalid_event_is_refused(wrong: dict[str, object]) -> None:
    """Another version, an unknown kind, a time without a zone, an unknown key."""
    valid = published(source_part([])).model_dump(mode="json")
    with pytest.raises(ValidationError):
        PublishedPart.model_validate({**valid, **wrong})


def test_a_run_is_summarized_from_its_report() -> None:
    """Its line is the mail's subject; it lists the items that aren't safe, and excluded ones apart."""
    items = (
        item("2026-268", State.PASSED, Outcome.COPIED),
        item("2026-267", State.FAILED, Outcome.MISSING),
        item("maq9", State.NOT_CHECKED, Outcome.EXCLUDED),
    )
    part = run_part(report(*items, needs_action=("Look.",)), dag="supim_daily", run="a run")
    assert part.line.startswith("SUPIM 2026-268 FAILED · 1 missing · 1 copied")
    assert (part.good, part.items, part.needs_action) == (False, 3, ("Look.",))
    assert [(troubled.name, troubled.outcome) for troubled in part.troubled] == [
        ("2026-267", Outcome.MISSING)
    ]
    assert [(left.name, left.reason) for left in part.left_out] == [("maq9", "So it is.")]


def test_what_only_repeats_the_state_of_a_backup_is_not_published_with_the_run() -> None:
    """The page shows that state by itself, until it is mended."""
    sentences = {"needs_action": ("2026-200 is damaged.", "Look."), "known_states": ("2026-200 is damaged.",)}
    ok = item("2026-268", State.PASSED, Outcome.COPIED)
    assert run_part(report(ok, **sentences), dag="supim_daily", run="a run").needs_action == ("Look.",)


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_run_by_hand_without_an_item_was_a_request_that_was_refused(*, by_hand: bool) -> None:
    """On schedule it is a failure."""
    part = run_part(report(needs_action=("No such VM.",)), dag="vm_boot_test", run="a run", by_hand=by_hand)
    assert (part.good, part.refused) == (False, by_hand)


def test_a_dry_run_that_found_no_obstacle_is_good_and_has_no_troubled_items() -> None:
    """Like its result."""
    planned = item("2026-268", State.NOT_CHECKED, Outcome.WOULD_COPY)
    part = run_part(report(planned, dry_run=True), dag="supim_daily", run="a run")
    assert (part.good, part.dry_run, part.troubled) == (True, True, ())


def test_a_survey_is_published_with_the_reason_of_the_plan() -> None:
    """For each day."""
    source_day = SourceDay(day=DAY, state=SourceState.MISSING, reason="It isn't there.")
    plan = DayPlan(day=DAY, action=DayAction.WAIT, reason="Wait.", at_source=source_day)
    [day] = source_part([plan]).days
    assert (day.day, day.state, day.reason) == (DAY, SourceState.MISSING, "Wait.")
