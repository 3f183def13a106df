"""Acknowledge an alert, the one thing that the page changes by itself.

Airflow has no CSRF token, and its login is a cookie. So a request must come from the page itself: it has a
header that a form can't send, and the origin of this server. A request with a token of its own needs neither.
"""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.configuration import conf
from fastapi import APIRouter, Depends, HTTPException, Request
from pydantic import BaseModel, ConfigDict

from include.status.parts import AcknowledgedPart
from inpe_backup.ui import store
from inpe_backup.ui.dependencies import Status

router = APIRouter(prefix="/api/v1")

HEADER = "X-Backups"


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


def from_the_page(request: Request) -> None:
    """Refuse a request that another site may have made a browser send.

    Raises:
        HTTPException: it has no token of its own, and isn't from a page of this server.
    """
    if "authorization" in request.headers:
        return
    ours = {request.headers.get("host", ""), urlsplit(conf.get("api", "base_url", fallback="")).netloc}
    origin = urlsplit(request.headers.get("origin", "")).netloc
    if HEADER not in request.headers or not origin or origin not in ours:
        raise HTTPException(HTTPStatus.FORBIDDEN, "This request doesn't come from the page Backups.")


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
