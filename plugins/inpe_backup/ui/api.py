"""The JSON, version 1; the package's docstring describes it."""

from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, HTTPException

from include.errors import InvalidDayError
from include.ordinal_day import OrdinalDay
from include.status.alert import Alert
from include.status.alerts import VaultStatus
from include.status.day_status import CalendarDay, calendar_day
from include.status.vm_status import VmStatus
from inpe_backup.ui import store
from inpe_backup.ui.dependencies import Status, Statuses

router = APIRouter(prefix="/api/v1")

Json = dict[str, Any]


@router.get("/news")
def news(session: SessionDep) -> Json:
    """Return a number that grows whenever a DAG publishes."""
    return {"event": store.newest_event(session)}


@router.get("/vaults")
def vaults(statuses: Statuses) -> list[Json]:
    """Return the status of each vault."""
    return [_vault(status) for status in statuses]


@router.get("/vaults/{vault}")
def one_vault(status: Status) -> Json:
    """Return the status of one vault."""
    return _vault(status)


@router.get("/vaults/{vault}/years/{year}")
def one_year(status: Status, year: int) -> list[Json]:
    """Return the days of one year, as far as the calendar has them."""
    return [_day(day) for each in status.calendar if each.number == year for day in each.days]


@router.get("/vaults/{vault}/days/{day}")
def one_day(status: Status, day: str) -> Json:
    """Return everything that is known of one day, given as ``2026-268`` or as its date."""
    try:
        which = OrdinalDay.read(day)
    except InvalidDayError as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, str(error)) from error
    record, survey = status.view.days.get(which), status.view.surveyed.get(which)
    return {
        **_day(calendar_day(status.view, which, status.now)),
        "date": which.date.isoformat(),
        "record": record and record.model_dump(mode="json"),
        "survey": survey and {"state": survey.state, "reason": survey.reason, "when": survey.when},
    }


@router.get("/vaults/{vault}/vms")
def vms(status: Status) -> list[Json]:
    """Return all VMs."""
    return [_vm(vm, status) for vm in status.vms]


@router.get("/vaults/{vault}/vms/{name:path}")
def one_vm(status: Status, name: str) -> Json:
    """Return one VM."""
    for vm in status.vms:
        if vm.part.name == name:
            return _vm(vm, status)
    raise HTTPException(HTTPStatus.NOT_FOUND, f"No status of a VM {name!r} was published.")


@router.get("/vaults/{vault}/space")
def space(status: Status) -> Json:
    """Return the vault's space by date, and the forecast."""
    points = [
        {"when": when, "used_bytes": past.used_bytes, "free_bytes": past.free_bytes}
        for when, past in status.view.space_history
    ]
    forecast = status.forecast
    return {
        "points": points,
        "space": forecast.space.model_dump(mode="json"),
        "growth_bytes_per_day": forecast.growth_bytes_per_day,
        "days_left": forecast.days_left,
        "full": forecast.full,
        "sentence": forecast.sentence,
    }


@router.get("/vaults/{vault}/runs")
def runs(status: Status) -> list[Json]:
    """Return the runs, newest first."""
    return [run.model_dump(mode="json") for run in status.view.runs]


def _vault(status: VaultStatus) -> Json:
    view = status.view
    return {
        "vault": view.vault,
        "path": view.path,
        "taken": view.taken,
        "stale": view.stale(status.now),
        "urgency": status.urgency,
        "headline": status.headline,
        "summary": status.summary,
        "alerts": [_alert(alert) for alert in status.alerts],
        "acknowledged": [_alert(each.alert) | asdict(each.acknowledgement) for each in status.acknowledged],
        "zone": view.rules.zone,
        "lag_days": view.rules.lag_days,
        "max_age_days": view.rules.max_age_days,
        "keep_days_at_source": view.rules.keep_days_at_source,
        "vms_schedule": view.rules.vms_schedule,
        "years": [year.number for year in status.calendar],
    }


def _alert(alert: Alert) -> Json:
    shown = {name: value for name, value in asdict(alert).items() if name not in ("fact", "recurs")}
    return {"key": alert.key, **shown}


def _day(day: CalendarDay) -> Json:
    return {
        "day": str(day.day),
        "state": day.state,
        "sentence": day.sentence,
        "step": day.step,
        "days_left": day.days_left,
    }


def _vm(vm: VmStatus, status: VaultStatus) -> Json:
    return {
        **vm.part.model_dump(mode="json", exclude={"kind"}),
        "state": vm.state,
        "sentence": vm.sentence,
        "verification_due": vm.verification_due,
        "weekly_bytes": vm.weekly_bytes,
        "screen": vm.part.name in status.view.screens,
    }
