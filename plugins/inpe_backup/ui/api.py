"""The facts as JSON, version 1; the package's docstring describes it."""

from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, HTTPException

from include.errors import InvalidDayError
from include.ordinal_day import OrdinalDay
from include.standing.coverage import DayStanding, standing
from include.standing.fleet import JudgedMachine
from include.standing.needs import Standing
from inpe_backup.ui import store
from inpe_backup.ui.known import Dags, Judged, Views, judged

router = APIRouter(prefix="/api/v1")

Json = dict[str, Any]


@router.get("/news")
def news(session: SessionDep) -> Json:
    """Give a number that grows whenever something was published."""
    return {"event": store.newest_event(session)}


@router.get("/vaults")
def vaults(views: Views, dags: Dags) -> list[Json]:
    """Say how each vault stands."""
    return [_vault(judged(view, dags)) for view in views]


@router.get("/vaults/{vault}")
def one_vault(known: Judged) -> Json:
    """Say how one vault stands."""
    return _vault(known)


@router.get("/vaults/{vault}/years/{year}")
def one_year(known: Judged, year: int) -> list[Json]:
    """Give the days of one year, as far as the calendar has them."""
    return [_day(day) for found in known.calendar if found.number == year for day in found.days]


@router.get("/vaults/{vault}/days/{day}")
def one_day(known: Judged, day: str) -> Json:
    """Give all that is known of one day."""
    try:
        wanted = OrdinalDay.parse(day)
    except InvalidDayError as wrong:
        raise HTTPException(HTTPStatus.BAD_REQUEST, str(wrong)) from wrong
    held, seen = known.view.days.get(wanted), known.view.seen.get(wanted)
    return {
        **_day(standing(known.view, wanted, known.now)),
        "date": wanted.date.isoformat(),
        "record": held and held.model_dump(mode="json"),
        "seen": seen and {"state": seen.state, "reason": seen.reason, "when": seen.when},
    }


@router.get("/vaults/{vault}/machines")
def machines(known: Judged) -> list[Json]:
    """Give all machines."""
    return [_machine(machine, known) for machine in known.machines]


@router.get("/vaults/{vault}/machines/{name:path}")
def one_machine(known: Judged, name: str) -> Json:
    """Give one machine."""
    for machine in known.machines:
        if machine.part.name == name:
            return _machine(machine, known)
    raise HTTPException(HTTPStatus.NOT_FOUND, f"Nothing was published of a machine {name!r}.")


@router.get("/vaults/{vault}/room")
def room(known: Judged) -> Json:
    """Give the vault's room by day, and where it is going."""
    points = [
        {"when": at, "used_bytes": seen.used_bytes, "free_bytes": seen.free_bytes}
        for at, seen in known.view.room
    ]
    found = known.forecast
    return {
        "points": points,
        "space": found.space.model_dump(mode="json"),
        "growth_bytes_per_day": found.growth_bytes_per_day,
        "days_left": found.days_left,
        "full": found.full,
        "sentence": found.sentence,
    }


@router.get("/vaults/{vault}/runs")
def runs(known: Judged) -> list[Json]:
    """Give what runs did, newest first."""
    return [run.model_dump(mode="json") for run in known.view.runs]


def _vault(known: Standing) -> Json:
    view = known.view
    return {
        "vault": view.vault,
        "path": view.path,
        "taken": view.taken,
        "stale": view.stale(known.now),
        "urgency": known.urgency,
        "headline": known.headline,
        "summary": known.summary,
        "needs": [asdict(need) for need in known.needs],
        "zone": view.rules.zone,
        "lag_days": view.rules.lag_days,
        "proof_age_days": view.rules.proof_age_days,
        "keeps_days": view.rules.keeps_days,
        "machines_schedule": view.rules.machines_schedule,
        "years": [year.number for year in known.calendar],
    }


def _day(day: DayStanding) -> Json:
    return {
        "day": str(day.day),
        "state": day.state,
        "sentence": day.sentence,
        "step": day.step,
        "days_left": day.days_left,
    }


def _machine(machine: JudgedMachine, known: Standing) -> Json:
    return {
        **machine.part.model_dump(mode="json", exclude={"kind"}),
        "state": machine.state,
        "sentence": machine.sentence,
        "proof_due": machine.proof_due,
        "weekly_bytes": machine.weekly_bytes,
        "screen": machine.part.name in known.view.screens,
    }
