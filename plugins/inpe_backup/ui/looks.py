"""The content of the page, as its template wants it: words, cells and drawings; nothing is decided here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote
from zoneinfo import ZoneInfo

from airflow.models.dag import DagModel
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from include import wording
from include.report import State
from include.standing.coverage import Year
from include.standing.facts import DrillFacts
from include.standing.fleet import JudgedMachine, MachineState
from include.standing.needs import Standing, Urgency
from inpe_backup.ui import cells, charts

HERE = Path(__file__).parent
SIGNS = {Urgency.GOOD: "✓", Urgency.TO_DO: "!", Urgency.LOOK_NOW: "✗"}
LEGEND = {
    "Safe": {"v": "proven", "r": "revised", "d": "due for audit"},
    "Not safe": {
        "s": "missing, still at the source",
        "f": "copy failed",
        "b": "damaged",
        "u": "not looked for",
    },
    "Other": {"l": "lost, not at the source", "n": "not yet due"},
}
_OPEN_YEARS = 2
_SHOWN_RUNS = 30


@dataclass(frozen=True)
class MachineRow:
    """One row of the table of machines, in words."""

    name: str
    sign: str
    tone: str
    newest: str
    age: str
    proven: str
    drill: str
    screen: str
    spark: charts.Spark
    runs: str
    downtime: str
    over: bool
    size: str
    weekly: str
    leaving: str
    why: str


def machine_row(machine: JudgedMachine, known: Standing) -> MachineRow:
    """Say how a machine stands, in the cells of its row."""
    part, newest, zone = machine.part, machine.newest, known.view.zone
    bad = machine.state is not MachineState.SAFE or machine.drill_failed
    weekly = machine.weekly_bytes
    return MachineRow(
        name=part.name,
        sign="✗" if bad else "✓",
        tone="bad" if bad else "good",
        newest=f"{newest.instant.astimezone(zone):%Y-%m-%d}" if newest else "none",
        age=f"{age(known.now - newest.instant)} ago" if newest else "",
        proven=("" if not newest else "due: " if machine.proof_due else "")
        + (f"{age(known.now - newest.proven)} ago" if newest else "–"),  # noqa: RUF001 - an en dash: nothing
        drill=drill(part.drill, known.now),
        screen=quote(part.name, safe="") if part.name in known.view.screens else "",
        spark=charts.spark(machine.downtimes, part.budget_s),
        runs=" ".join("–" if s is None else f"{s:.0f}" for s in machine.downtimes),  # noqa: RUF001
        downtime=_downtime(machine),
        over=machine.over_budget,
        size=wording.size(newest.bytes) if newest else "",
        weekly=wording.size(weekly) if weekly is not None else "not known yet",
        leaving=f"{part.leaving.instant.astimezone(zone):%Y-%m-%d}" if part.leaving else "nothing",
        why=part.leaving.reason if part.leaving else "",
    )


def _downtime(machine: JudgedMachine) -> str:
    newest = machine.newest
    if newest is None or newest.method == "unknown":
        return "not known"
    return "not stopped" if newest.downtime_s is None else wording.duration(newest.downtime_s)


def drill(last: DrillFacts | None, now: datetime) -> str:
    """Say when a machine was last booted from its image."""
    if last is None:
        return "never"
    signs = {State.PASSED: "✓", State.FAILED: "✗", State.NOT_CHECKED: "?"}
    return f"{signs[last.result]} {age(now - last.when)} ago"


def age(passed: timedelta) -> str:
    """Say how long ago: ``5 min``, ``3 h``, ``12 days``, ``about 4 months``."""
    minutes = max(passed, timedelta()) // timedelta(minutes=1)
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h"
    return wording.span(minutes // (24 * 60))


@dataclass(frozen=True)
class YearLook:
    """One year of the calendar, laid out."""

    number: int
    sentence: str
    rows: Markup
    open: bool
    good: bool


def year_look(place: int, year: Year) -> YearLook:
    """Lay a year out; the newest ones and those where something is to be done are open."""
    bad = any(day.state.mendable for day in year.days)
    return YearLook(year.number, year.sentence, cells.rows(year), place < _OPEN_YEARS or bad, not bad)


def content(known: Standing, others: list[Standing], dags: Mapping[str, DagModel]) -> dict[str, object]:
    """Give everything that the page says of one vault."""
    return {
        "known": known,
        "view": known.view,
        "others": others,
        "zone": known.view.zone,
        "age": age(known.view.age(known.now)),
        "stale": known.view.stale(known.now),
        "head": cells.head(),
        "years": [year_look(place, year) for place, year in enumerate(known.calendar)],
        "machines": [machine_row(machine, known) for machine in known.machines],
        "next_weekly": next_run(dags.get("vm_weekly"), known.view.zone),
        "next_daily": next_run(dags.get("supim_daily"), known.view.zone),
        "room": charts.room(known.view.room, known.view.zone),
        "runs": known.view.runs[:_SHOWN_RUNS],
        "paused": " ".join(name for name, dag in dags.items() if dag.is_paused),
    }


def next_run(dag: DagModel | None, zone: ZoneInfo) -> str:
    """Say when a DAG runs next by itself."""
    if dag is None:
        return "no such DAG"
    if dag.is_paused:
        return "switched off"
    when = dag.next_dagrun_create_after
    return f"{when.astimezone(zone):%a %d %b}" if when else "not planned"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "size": wording.size,
        "duration": wording.duration,
        "counted": wording.counted,
        "quoted": lambda text: quote(text, safe=""),
    }
    environment.globals |= {
        "signs": SIGNS,
        "legend": LEGEND,
    }
    return environment


TEMPLATES = _environment()
