"""Read what DAGs published from Airflow's database, and fold it again only when there is a new event."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from urllib.parse import unquote_to_bytes

from airflow.models.asset import AssetEvent, AssetModel
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun, DagRunNote
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from pydantic import ValidationError
from sqlalchemy import Select, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from include.names import encoded
from include.report import Report
from include.status.parts import AcknowledgedPart, PublishedPart, ScreenPart
from include.status.view import VaultView, fold
from include.text import visible
from include.vault.clock import trusted_first
from inpe_backup.run_note import MARKED, NO_REPORT

PREFIX = "backup_status/"
ACKNOWLEDGED = "acknowledged"
_DAGS = (
    *("supim_daily", "vm_weekly", "supim_restore", "vm_restore", "vm_protect"),
    *("vm_boot_test", "vault_scrub", "vault_status"),
)
REPORT = "build_report"
_CHECKS = ("check_worker", "check_worker_again")  # only where Celery passes tasks to the vault's worker
_HISTORIES = ("source", "runs", "vault", ACKNOWLEDGED)
_REMEMBERED = 400  # events of each history
_LISTED = 30  # runs without a report
_RECENT = 3  # events of each other part: the last one may have been read earlier than the one before it


def newest_event(session: Session) -> int:
    """Return the id of the newest event; 0 if there is none."""
    last = select(func.max(AssetEvent.id)).join(AssetModel, AssetModel.id == AssetEvent.asset_id)
    return session.scalar(last.where(AssetModel.name.startswith(PREFIX, autoescape=True))) or 0


class StatusStore:
    """All views, as of the newest event; one store in each process of the web server."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._event = -1
        self._views: tuple[VaultView, ...] = ()
        self._parts: dict[int, PublishedPart | None] = {}
        self._screens: dict[tuple[str, str], list[int]] = {}

    def views(self, session: Session) -> tuple[VaultView, ...]:
        """Return the view of each vault."""
        with self._lock:
            event = newest_event(session)
            if event != self._event:
                self._views, self._event = self._read(session), event
            return self._views

    @property
    def event(self) -> int:
        """The newest event in the views."""
        return self._event

    @property
    def unreadable(self) -> int:
        """How many events this version can't read."""
        return sum(part is None for part in self._parts.values())

    def screen(self, session: Session, vault: str, name: str) -> ScreenPart | None:
        """Return the last screenshot of a VM; None if there is none."""
        self.views(session)
        found = [part for _, part in _parts(session, self._screens.get((vault, name), [])) if part]
        own = [part for part in found if part.vault == vault]
        newest = max(own, key=lambda part: trusted_first(part.taken), default=None)
        return newest.part if newest and isinstance(newest.part, ScreenPart) else None

    def _read(self, session: Session) -> tuple[VaultView, ...]:
        events, screens = _current(session)
        new = [event for event in events if event not in self._parts]
        read = dict(_parts(session, new))
        self._parts = {event: self._parts.get(event, read.get(event)) for event in events}
        parts = {event: part for event in sorted(events) if (part := self._parts[event])}
        vaults = {events[event]: part.vault for event, part in parts.items()}
        self._screens = {(vaults[name], vm): ids for (name, vm), ids in screens.items() if name in vaults}
        return fold(parts.values(), self._screens)


def _current(session: Session) -> tuple[dict[int, str], dict[tuple[str, str], list[int]]]:
    """Return the events to fold, and those of screenshots, which are only read on request.

    Returns:
        The name of each event's vault, as assets have it; and the events of screenshots by vault and VM.
    """
    events: dict[int, str] = {}
    screens: dict[tuple[str, str], list[int]] = {}
    for name, event, position in session.execute(_newest_of_each()):
        vault, _, key = name.removeprefix(PREFIX).partition("/")
        kind, _, rest = key.partition("/")
        if position > (_REMEMBERED if kind in _HISTORIES else _RECENT):
            continue
        if kind == "screens":
            screens.setdefault((vault, _name(rest)), []).append(event)
        else:
            events[event] = vault
    return events, screens


def _name(encoded: str) -> str:
    """Decode a percent-encoded part of an asset's name into the text that parts carry."""
    return visible(os.fsdecode(unquote_to_bytes(encoded)))


def _newest_of_each() -> Select[str, int, int]:
    """Return a query for the last events of each asset: its name, the event's id, and its rank, newest 1."""
    position = func.row_number().over(partition_by=AssetEvent.asset_id, order_by=AssetEvent.id.desc())
    all_events = (
        select(AssetModel.name, AssetEvent.id, position.label("position"))
        .join(AssetEvent, AssetModel.id == AssetEvent.asset_id)
        .where(AssetModel.name.startswith(PREFIX, autoescape=True))
        .subquery()
    )
    name, event, newness = all_events.c
    return select(name, event, newness).where(newness <= _REMEMBERED).order_by(event)


def _parts(session: Session, events: list[int]) -> Iterator[tuple[int, PublishedPart | None]]:
    for start in range(0, len(events), 500):
        batch = select(AssetEvent.id, AssetEvent.extra).where(AssetEvent.id.in_(events[start : start + 500]))
        for event, extra in session.execute(batch):
            yield event, published(extra)


def published(extra: object) -> PublishedPart | None:
    """Read an event's ``extra``; return None if this version can't read it."""
    try:
        return PublishedPart.model_validate(extra)
    except ValidationError:
        return None


def publish_acknowledged(session: Session, view: VaultView, part: AcknowledgedPart, when: datetime) -> None:
    """Publish as an event, like what DAGs publish, that somebody acknowledged an alert."""
    event = PublishedPart(vault=view.vault, path=view.path, taken=when, part=part)
    name = f"{PREFIX}{encoded(view.vault)}/{ACKNOWLEDGED}"
    session.add(AssetEvent(asset_id=_asset_id(session, name), extra=event.model_dump(mode="json")))


def _asset_id(session: Session, name: str) -> int:
    """Return the id of an asset, which is created if it's new; another web server may do that just now."""
    its = select(AssetModel.id).where(AssetModel.name == name)
    if (found := session.scalar(its)) is not None:
        return found
    with suppress(IntegrityError), session.begin_nested():
        session.add(AssetModel(name=name, uri=name))
    return session.scalars(its).one()


def report(session: Session, dag: str, run: str) -> Report | None:
    """Return a run's report; None if it has none, or Airflow has deleted it."""
    query = XComModel.get_many(
        run_id=run, dag_ids=dag, task_ids=REPORT, key="return_value", map_indexes=-1, limit=1
    )
    row = session.scalars(query).first()
    try:
        return Report.model_validate(XComModel.deserialize_value(row)) if row else None
    except ValidationError:
        return None


@dataclass(frozen=True)
class RunWithoutReport:
    """A run that ended, and of which no report was built: usually a person ended it.

    Args:
        dag: its DAG.
        run: its id.
        finished: when it ended.
        good: whether it ended as a success.
        line: its note.
    """

    dag: str
    run: str
    finished: datetime
    good: bool
    line: str


def without_report(session: Session) -> list[RunWithoutReport]:
    """Return the last runs that ended without a report, newest first."""
    columns = DagRun.dag_id, DagRun.run_id, DagRun.end_date, DagRun.state, DagRunNote.content
    ended = (
        select(*columns, TaskInstance.state)
        .join(TaskInstance, (TaskInstance.dag_id == DagRun.dag_id) & (TaskInstance.run_id == DagRun.run_id))
        .outerjoin(DagRunNote, DagRunNote.dag_run_id == DagRun.id)
        .where(
            DagRun.dag_id.in_(_DAGS), DagRun.state.in_(("success", "failed")), DagRun.end_date.is_not(None)
        )
        .where(TaskInstance.task_id == REPORT, TaskInstance.state != "success")
        .order_by(DagRun.end_date.desc())
        .limit(_LISTED)
    )
    return [
        RunWithoutReport(
            dag,
            run,
            finished,
            state == "success",
            visible(note or (MARKED if built == "skipped" else NO_REPORT)),
        )
        for dag, run, finished, state, note, built in session.execute(ended)
    ]


def dags(session: Session) -> Mapping[str, DagModel]:
    """Return the project's DAGs, as Airflow knows them."""
    return {dag.dag_id: dag for dag in session.scalars(select(DagModel).where(DagModel.dag_id.in_(_DAGS)))}


def without_worker(session: Session) -> str:
    """Return the DAG whose run found last that the vault's queue has no worker; empty if it found one."""
    checks = select(TaskInstance.dag_id, TaskInstance.state).where(
        TaskInstance.dag_id.in_(_DAGS),
        TaskInstance.task_id.in_(_CHECKS),
        TaskInstance.state.in_(("success", "failed")),
    )
    last = session.execute(checks.order_by(TaskInstance.end_date.desc()).limit(1)).first()
    return last.dag_id if last and last.state == "failed" else ""


def waiting(session: Session) -> Mapping[str, int]:
    """Return how many queued runs each of the project's paused DAGs has."""
    paused = select(DagModel.dag_id).where(DagModel.dag_id.in_(_DAGS), DagModel.is_paused)
    queued = select(DagRun.dag_id, func.count()).where(DagRun.state == "queued", DagRun.dag_id.in_(paused))
    return dict(session.execute(queued.group_by(DagRun.dag_id)).tuples().all())


def running(session: Session) -> Mapping[str, int]:
    """Return how many runs of each of the project's DAGs are under way."""
    of_ours = select(DagRun.dag_id, func.count()).where(DagRun.state == "running", DagRun.dag_id.in_(_DAGS))
    return dict(session.execute(of_ours.group_by(DagRun.dag_id)).tuples().all())
