"""Facts as they travel: plain JSON, checked at the door, one visible line for each text."""

import json
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from include.plan import Action, Verdict
from include.report import Item, Kind, Outcome, Report, State
from include.source import Look
from include.source import State as SourceState
from include.standing.facts import MachinePart, MachinesPart, Part, Published
from include.standing.runs import run_part, source_part
from tests.include.days import DAY

NOW = datetime(2026, 9, 27, 9, 30, tzinfo=UTC)


def published(part: Part) -> Published:
    """Give an event's extra."""
    return Published(vault="v", path="/backup/vault", taken=NOW, part=part)


def report(*items: Item, **facts: object) -> Report:
    """Give the report of a daily run."""
    what = {"kind": Kind.DAYS, "title": "SUPIM", "institute": "CRS", "timezone": "America/Sao_Paulo"}
    when = {"day": DAY, "started": NOW, "finished": NOW, "archive": "/backup/vault"}
    return Report.model_validate({**what, **when, "items": items, **facts})


def item(name: str, state: State, outcome: Outcome) -> Item:
    """Give an item of the run's own."""
    return Item(name=name, own=True, state=state, outcome=outcome, reason="So it is.")


def test_what_is_published_comes_back_as_it_was() -> None:
    """Through JSON, as Airflow keeps it; the part is known by its kind."""
    machine = MachinePart(name="a\nb\udcff", host="kvm_host", budget_s=60, generations=())
    before = published(MachinesPart(machines=(machine,)))
    travelled = json.loads(json.dumps(before.model_dump(mode="json")))
    assert Published.model_validate(travelled) == before
    assert travelled["part"]["machines"][0]["name"] == r"a\nb\xff"


@pytest.mark.parametrize(
    "wrong", [{"version": 2}, {"part": {"kind": "rumour"}}, {"taken": "2026-09-27T09:30:00"}, {"more": 1}]
)
def test_what_is_no_fact_is_refused(wrong: dict[str, object]) -> None:
    """Another version, an unknown part, a time without a zone, a key that nobody knows."""
    right = published(source_part([])).model_dump(mode="json")
    with pytest.raises(ValidationError):
        Published.model_validate({**right, **wrong})


def test_a_run_is_summed_up_by_its_report() -> None:
    """Its line is the mail's subject; what isn't safe after it is named, and what was left out isn't."""
    items = (
        item("2026-268", State.PASSED, Outcome.COPIED),
        item("2026-267", State.FAILED, Outcome.MISSING),
        item("maq9", State.NOT_CHECKED, Outcome.EXCLUDED),
    )
    part = run_part(report(*items, needs_person=("Look.",)), dag="supim_daily", run="a run")
    assert part.line.startswith("SUPIM 2026-268 FAILED · 1 missing · 1 copied")
    assert (part.good, part.items, part.needs_person) == (False, 3, ("Look.",))
    assert [(one.name, one.outcome) for one in part.troubled] == [("2026-267", Outcome.MISSING)]


def test_a_dry_run_that_found_nothing_in_the_way_is_good_and_in_no_trouble() -> None:
    """As its verdict says."""
    planned = item("2026-268", State.NOT_CHECKED, Outcome.WOULD_COPY)
    part = run_part(report(planned, dry_run=True), dag="supim_daily", run="a run")
    assert (part.good, part.dry_run, part.troubled) == (True, True, ())


def test_what_the_source_held_is_told_with_what_was_decided() -> None:
    """A day each."""
    look = Look(day=DAY, state=SourceState.MISSING, reason="It isn't there.")
    verdict = Verdict(day=DAY, action=Action.WAIT, reason="Wait.", seen=look)
    [day] = source_part([verdict]).days
    assert (day.day, day.state, day.reason) == (DAY, SourceState.MISSING, "Wait.")
