"""The content of the page for its templates: text, cells and charts; it decides nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from airflow.models.dag import DagModel
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from include import text
from include.results.states import Kind, State
from include.status.alert import Urgency
from include.status.alerts import VaultStatus
from include.status.day_status import DayState, Year
from include.status.parts import RunPart, TroubledItem
from include.status.vm_status import VmState, VmStatus
from include.vault.clock import trusted_first
from inpe_backup.ui import cells, charts
from inpe_backup.ui.store import RunWithoutReport

HERE = Path(__file__).parent
SIGNS = {Urgency.GOOD: "✓", Urgency.TO_DO: "!", Urgency.URGENT: "✗"}
_GROUPS = {
    "Safe": (DayState.VERIFIED, DayState.REVISED, DayState.DUE),
    "Not safe": (DayState.AT_SOURCE, DayState.FAILED, DayState.DAMAGED, DayState.UNKNOWN),
    "Other": (DayState.LOST, DayState.NOT_DUE),
}
LEGEND = {
    group: {cells.CLASSES[state] or "v": str(state) for state in states} for group, states in _GROUPS.items()
}
_OPEN_YEARS = 2
_MAX_RUNS = 30


@dataclass(frozen=True)
class VmRow:
    """One row of the table of VMs, as text."""

    name: str
    sign: str
    tone: str
    newest: datetime | None
    age: str
    verified: str
    boot_test: str
    screen: str
    spark: charts.Spark
    downtimes: str
    downtime: str
    over: bool
    size: str
    weekly: str
    next_removal: datetime | None
    removal_reason: str


def vm_row(vm: VmStatus, status: VaultStatus) -> VmRow:
    """Return the row of a VM."""
    part, newest = vm.part, vm.newest
    bad = vm.state is not VmState.SAFE or vm.boot_test_failed
    weekly, removal = vm.weekly_bytes, part.next_removal
    return VmRow(
        name=part.name,
        sign="✗" if bad else "✓",
        tone="bad" if bad else "good",
        newest=newest.instant if newest else None,
        age=f"{age(status.now - newest.instant)} ago" if newest else "",
        verified=("" if not newest else "due: " if vm.verification_due else "")
        + (f"{age(status.now - newest.verified)} ago" if newest else "–"),  # noqa: RUF001 - an en dash: nothing
        boot_test=boot_test(vm, status.now),
        screen=quote(part.name, safe="") if part.name in status.view.screens else "",
        spark=charts.spark(vm.downtimes, part.budget_s),
        downtimes=" ".join("–" if s is None else f"{s:.0f}" for s in vm.downtimes),  # noqa: RUF001
        downtime=_downtime(vm),
        over=vm.over_budget,
        size=text.size(newest.bytes) if newest else "",
        weekly=text.size(weekly) if weekly is not None else "not yet known",
        next_removal=removal.instant if removal else None,
        removal_reason=removal.reason if removal else "",
    )


def _downtime(vm: VmStatus) -> str:
    newest = vm.newest
    if newest is None or newest.method == "unknown":
        return "unknown"
    return "not stopped" if newest.downtime_s is None else text.duration(newest.downtime_s)


def boot_test(vm: VmStatus, now: datetime) -> str:
    """Return the result and age of a VM's last boot test, and whether it was of an older image."""
    last, newest = vm.part.boot_test, vm.newest
    if last is None:
        return "never"
    signs = {State.PASSED: "✓", State.FAILED: "✗", State.NOT_CHECKED: "?"}
    of = "" if newest and newest.instant == last.image else ", of an older image"
    return f"{signs[last.result]} {age(now - last.when)} ago{of}"


def age(passed: timedelta) -> str:
    """Return an age as text: ``5 min``, ``3 h``, ``12 days``, ``about 4 months``."""
    minutes = max(passed, timedelta()) // timedelta(minutes=1)
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h"
    return text.span(minutes // (24 * 60))


@dataclass(frozen=True)
class YearView:
    """One year of the calendar, laid out."""

    number: int
    sentence: str
    rows: Markup
    open: bool
    good: bool


def year_view(index: int, year: Year) -> YearView:
    """Lay out a year; it is open if it is one of the newest, or a day needs attention."""
    bad = any(day.state.needs_backup for day in year.days)
    return YearView(year.number, year.sentence, cells.rows(year), index < _OPEN_YEARS or bad, not bad)


@dataclass(frozen=True)
class RunRow:
    """One run in the list, with the address of what is known of it."""

    dag: str
    finished: datetime
    good: bool
    line: str
    dry_run: bool
    href: str
    inside: bool


def run_rows(runs: Sequence[RunPart], without_report: Sequence[RunWithoutReport]) -> list[RunRow]:
    """Return the last runs, newest first; one that was published before it lost its report is shown once.

    Args:
        runs: those that were published.
        without_report: those of which no report was built.
    """
    lost = {(run.dag, run.run) for run in without_report}
    rows = [
        RunRow(run.dag, run.finished, run.good, run.line, run.dry_run, f"runs/{_path(run)}", inside=True)
        for run in runs
        if (run.dag, run.run) not in lost
    ]
    rows += [
        RunRow(run.dag, run.finished, run.good, run.line, dry_run=False, href=_in_airflow(run), inside=False)
        for run in without_report
    ]
    return sorted(rows, key=lambda row: trusted_first(row.finished), reverse=True)[:_MAX_RUNS]


def _path(run: RunPart) -> str:
    return f"{quote(run.dag, safe='')}/{quote(run.run, safe='')}"


def _in_airflow(run: RunWithoutReport) -> str:
    return f"../dags/{quote(run.dag, safe='')}/runs/{quote(run.run, safe='')}"


def content(
    status: VaultStatus,
    vaults: list[VaultStatus],
    dags: Mapping[str, DagModel],
    without_report: Sequence[RunWithoutReport] = (),
) -> dict[str, object]:
    """Return everything that the page shows of one vault."""
    return {
        "status": status,
        "view": status.view,
        "vaults": vaults,
        "zone": status.view.zone,
        "age": age(status.view.age(status.now)),
        "stale": status.view.stale(status.now),
        "head": cells.head(),
        "years": [year_view(index, year) for index, year in enumerate(status.calendar)],
        "vms": [vm_row(vm, status) for vm in status.vms],
        "left_out": left_out(status.view.runs),
        "next_weekly": next_run(dags.get("vm_weekly")),
        "next_daily": next_run(dags.get("supim_daily")),
        "space_chart": charts.space_chart(status.view.space_history, status.view.zone),
        "runs": run_rows(status.view.runs, without_report),
        "paused": " ".join(name for name, dag in dags.items() if dag.is_paused),
    }


def left_out(runs: Sequence[RunPart]) -> tuple[TroubledItem, ...]:
    """Return the VMs that the last weekly run left out, each with the reason."""
    return next((run.left_out for run in runs if run.about is Kind.VMS), ())


def next_run(dag: DagModel | None) -> datetime | str:
    """Return when a DAG runs next on its schedule; as text, why it doesn't."""
    if dag is None:
        return "no such DAG"
    if dag.is_paused:
        return "paused"
    return dag.next_dagrun_create_after or "not scheduled"


@pass_context
def time_tag(context: Context, when: datetime) -> Markup:
    """Return a time in the institute's zone, which it names; the script turns it into Airflow's."""
    machine = when.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")
    shown = text.zoned(when.astimezone(context["zone"]))
    return Markup("<time datetime={}>{}</time>").format(machine, shown)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "size": text.size,
        "duration": text.duration,
        "counted": text.counted,
        "quoted": lambda text: quote(text, safe=""),
    }
    environment.globals |= {
        "signs": SIGNS,
        "legend": LEGEND,
        "time": time_tag,
    }
    return environment


TEMPLATES = _environment()
