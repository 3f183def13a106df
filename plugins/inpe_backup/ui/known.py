"""What a request asks about: one vault's facts, judged now."""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.models.dag import DagModel
from fastapi import Depends, HTTPException, Request

from include.standing.coverage import years
from include.standing.fleet import fleet
from include.standing.needs import Standing
from include.standing.room import forecast
from include.standing.view import VaultView
from inpe_backup.ui import store

_BY_THEMSELVES = ("supim_daily", "vm_weekly")


def facts_of(request: Request) -> store.Facts:
    """Give this process's facts."""
    facts: store.Facts = request.app.state.facts
    return facts


def views_of(request: Request, session: SessionDep) -> tuple[VaultView, ...]:
    """Give the view of each vault."""
    return facts_of(request).views(session)


def dags_of(session: SessionDep) -> Mapping[str, DagModel]:
    """Give the project's DAGs."""
    return store.dags(session)


Views = Annotated[tuple[VaultView, ...], Depends(views_of)]
Dags = Annotated[Mapping[str, DagModel], Depends(dags_of)]


def judged(view: VaultView, dags: Mapping[str, DagModel], now: datetime | None = None) -> Standing:
    """Judge a vault."""
    now = now or datetime.now(UTC)
    off = [
        name
        for name in _BY_THEMSELVES
        if name in dags and dags[name].is_paused and (name != "vm_weekly" or view.machines)
    ]
    return Standing(view, now, years(view, now), fleet(view, now), forecast(view), off)


def chosen(vault: str, views: Views) -> VaultView:
    """Give one vault's view, by its id in the path."""
    for view in views:
        if view.vault == vault:
            return view
    raise HTTPException(HTTPStatus.NOT_FOUND, f"Nothing was published of a vault {vault!r}.")


Chosen = Annotated[VaultView, Depends(chosen)]


def judged_now(view: Chosen, dags: Dags) -> Standing:
    """Judge the vault in the path."""
    return judged(view, dags)


Judged = Annotated[Standing, Depends(judged_now)]
