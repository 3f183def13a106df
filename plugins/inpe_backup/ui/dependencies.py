"""What requests depend on: the published data, and the status of a vault now."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, NamedTuple

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.models.dag import DagModel
from fastapi import Depends, HTTPException, Request

from include.status.alerts import VaultStatus
from include.status.day_status import years
from include.status.first_backup import DAYS_DAG, first_run
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


class ActiveRuns(NamedTuple):
    """What Airflow knows of runs, and the vault doesn't: they wait, are under way, or ended without a report.

    Args:
        waiting: how many wait, by DAG that is paused.
        running: how many are under way, by DAG.
        without_worker: the DAG whose run found last that the vault's queue has no worker; else empty.
        without_report: the last runs of which no report was built, newest first.
    """

    waiting: Mapping[str, int]
    running: Mapping[str, int]
    without_worker: str
    without_report: Sequence[store.RunWithoutReport] = ()


def active_runs_of(session: SessionDep) -> ActiveRuns:
    """Return what the runs of the project's DAGs do."""
    return ActiveRuns(
        store.waiting(session),
        store.running(session),
        store.without_worker(session),
        store.without_report(session),
    )


Views = Annotated[tuple[VaultView, ...], Depends(views_of)]
Dags = Annotated[Mapping[str, DagModel], Depends(dags_of)]
Active = Annotated[ActiveRuns, Depends(active_runs_of)]


def vault_status(view: VaultView, dags: Mapping[str, DagModel], runs: ActiveRuns) -> VaultStatus:
    """Return the status of a vault now."""
    now = datetime.now(UTC)
    missed = [
        name
        for name in _SCHEDULED
        if name in dags and dags[name].is_paused and (name != "vm_weekly" or view.vms)
    ]
    paused = dict.fromkeys(missed, 0) | dict(runs.waiting)
    judged = years(view, now), vm_statuses(view, now), forecast(view)
    return VaultStatus(view, now, *judged, paused, runs.running, runs.without_worker)


def statuses_of(views: Views, dags: Dags, runs: Active) -> list[VaultStatus]:
    """Return the status of each vault."""
    return [vault_status(view, dags, runs) for view in views]


Statuses = Annotated[list[VaultStatus], Depends(statuses_of)]


def first_run_of(dags: Mapping[str, DagModel], runs: ActiveRuns) -> str:
    """Return when the first days are backed up, where nothing was published; empty until Airflow knows."""
    if DAYS_DAG not in dags:
        return ""
    return first_run(runs.running, {name: 0 for name, dag in dags.items() if dag.is_paused})


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


def status_of(view: View, dags: Dags, runs: Active) -> VaultStatus:
    """Return the status of the vault in the path."""
    return vault_status(view, dags, runs)


Status = Annotated[VaultStatus, Depends(status_of)]
