"""What requests depend on: the published data, and the status of a vault now."""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.models.dag import DagModel
from fastapi import Depends, HTTPException, Request

from include.status.alerts import VaultStatus
from include.status.day_status import years
from include.status.forecast import forecast
from include.status.view import VaultView
from include.status.vm_status import vm_statuses
from inpe_backup.ui import store

_SCHEDULED = ("supim_daily", "vm_weekly", "vault_scrub")


def status_store(request: Request) -> store.StatusStore:
    """Return this process's store."""
    found: store.StatusStore = request.app.state.store
    return found


def views_of(request: Request, session: SessionDep) -> tuple[VaultView, ...]:
    """Return the view of each vault."""
    return status_store(request).views(session)


def dags_of(session: SessionDep) -> Mapping[str, DagModel]:
    """Return the project's DAGs."""
    return store.dags(session)


def waiting_of(session: SessionDep) -> Mapping[str, int]:
    """Return how many runs wait for each of the project's DAGs that is paused."""
    return store.waiting(session)


def without_worker_of(session: SessionDep) -> str:
    """Return the DAG whose run found last that the vault's queue has no worker; empty if it has one."""
    return store.without_worker(session)


Views = Annotated[tuple[VaultView, ...], Depends(views_of)]
Dags = Annotated[Mapping[str, DagModel], Depends(dags_of)]
Waiting = Annotated[Mapping[str, int], Depends(waiting_of)]
WithoutWorker = Annotated[str, Depends(without_worker_of)]


def vault_status(
    view: VaultView, dags: Mapping[str, DagModel], waiting: Mapping[str, int], without_worker: str = ""
) -> VaultStatus:
    """Return the status of a vault now."""
    now = datetime.now(UTC)
    missed = [
        name
        for name in _SCHEDULED
        if name in dags and dags[name].is_paused and (name != "vm_weekly" or view.vms)
    ]
    paused = dict.fromkeys(missed, 0) | dict(waiting)
    judged = years(view, now), vm_statuses(view, now), forecast(view)
    return VaultStatus(view, now, *judged, paused, without_worker)


def statuses_of(
    views: Views, dags: Dags, waiting: Waiting, without_worker: WithoutWorker
) -> list[VaultStatus]:
    """Return the status of each vault."""
    return [vault_status(view, dags, waiting, without_worker) for view in views]


Statuses = Annotated[list[VaultStatus], Depends(statuses_of)]


def view_of(vault: str, views: Views) -> VaultView:
    """Return the view of the vault in the path.

    Raises:
        HTTPException: no such vault was published.
    """
    for view in views:
        if view.vault == vault:
            return view
    raise HTTPException(HTTPStatus.NOT_FOUND, f"No status of a vault {vault!r} was published.")


View = Annotated[VaultView, Depends(view_of)]


def status_of(view: View, dags: Dags, waiting: Waiting, without_worker: WithoutWorker) -> VaultStatus:
    """Return the status of the vault in the path."""
    return vault_status(view, dags, waiting, without_worker)


Status = Annotated[VaultStatus, Depends(status_of)]
