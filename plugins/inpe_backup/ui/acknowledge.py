"""Acknowledge an alert, the one thing that the page changes by itself."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel, ConfigDict

from include.status.parts import AcknowledgedPart
from inpe_backup.ui import store
from inpe_backup.ui.dependencies import Status
from inpe_backup.ui.origin import from_the_page

router = APIRouter(prefix="/api/v1")


class Period(StrEnum):
    """How long an alert is folded away."""

    DAY = "day"
    WEEK = "week"
    CHANGE = "change"
    WITHDRAWN = "withdrawn"


_LENGTHS = {
    Period.DAY: timedelta(days=1),
    Period.WEEK: timedelta(weeks=1),
    Period.WITHDRAWN: timedelta(),
}


class AcknowledgeRequest(BaseModel):
    """Which alert to acknowledge, by its key, and for how long."""

    model_config = ConfigDict(extra="forbid")

    key: str
    period: Period


_MAY_START_RUNS = [
    Depends(requires_access_dag("POST", DagAccessEntity.RUN, dag)) for dag in ("supim_daily", "vm_weekly")
]


@router.post("/vaults/{vault}/acknowledged", dependencies=[Depends(from_the_page), *_MAY_START_RUNS])
def acknowledge(
    status: Status, session: SessionDep, user: GetUserDep, body: AcknowledgeRequest
) -> dict[str, Any]:
    """Fold an alert away for a time, or show it again."""
    known = [*status.alerts, *(each.alert for each in status.acknowledged)]
    if body.key not in {alert.key for alert in known}:
        raise HTTPException(HTTPStatus.NOT_FOUND, "This alert is gone, or has changed. Reload the page.")
    now, length = datetime.now(UTC), _LENGTHS.get(body.period)
    until = None if length is None else now + length
    part = AcknowledgedPart(key=body.key, by=user.get_name(), until=until)
    store.publish_acknowledged(session, status.view, part, now)
    return part.model_dump(mode="json", exclude={"kind"})
