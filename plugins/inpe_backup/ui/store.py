"""What DAGs published, read from Airflow's own database, and folded anew only when there is news."""

import os
from collections.abc import Iterator, Mapping
from threading import Lock
from urllib.parse import unquote_to_bytes

from airflow.models.asset import AssetEvent, AssetModel
from airflow.models.dag import DagModel
from airflow.models.xcom import XComModel
from pydantic import ValidationError
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from include.report import Report
from include.standing.facts import Published, ScreenPart
from include.standing.view import VaultView, fold
from include.wording import visible

PREFIX = "backup_facts/"
_HISTORIES = ("source", "runs", "vault")
_REMEMBERED = 400  # events of each history
_RECENT = 3  # of each other part: the last one may tell of an earlier look than the one before it


def newest_event(session: Session) -> int:
    """Give the id of the newest fact; 0: there is none."""
    last = select(func.max(AssetEvent.id)).join(AssetModel, AssetModel.id == AssetEvent.asset_id)
    return session.scalar(last.where(AssetModel.name.startswith(PREFIX, autoescape=True))) or 0


class Facts:
    """All views, as of the newest event; one for each process of the web server."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._event = -1
        self._views: tuple[VaultView, ...] = ()
        self._parts: dict[int, Published | None] = {}
        self._screens: dict[tuple[str, str], list[int]] = {}

    def views(self, session: Session) -> tuple[VaultView, ...]:
        """Give the view of each vault."""
        with self._lock:
            event = newest_event(session)
            if event != self._event:
                self._views, self._event = self._read(session), event
            return self._views

    @property
    def event(self) -> int:
        """The newest event that the views are made of."""
        return self._event

    @property
    def unreadable(self) -> int:
        """How many events aren't in the form that is known here."""
        return sum(part is None for part in self._parts.values())

    def screen(self, session: Session, vault: str, name: str) -> ScreenPart | None:
        """Give the last picture of a machine's screen."""
        self.views(session)
        recent = [part for _, part in _parts(session, self._screens.get((vault, name), [])) if part]
        newest = max(recent, key=lambda part: part.taken, default=None)
        return newest.part if newest and isinstance(newest.part, ScreenPart) else None

    def _read(self, session: Session) -> tuple[VaultView, ...]:
        wanted, self._screens = _wanted(session)
        new = [event for event in wanted if event not in self._parts]
        read = dict(_parts(session, new))
        self._parts = {event: self._parts.get(event, read.get(event)) for event in wanted}
        known = [self._parts[event] for event in sorted(wanted)]
        return fold([part for part in known if part is not None], self._screens)


def _wanted(session: Session) -> tuple[list[int], dict[tuple[str, str], list[int]]]:
    """Give the events that count, and those of screens, which are read when asked for."""
    wanted: list[int] = []
    screens: dict[tuple[str, str], list[int]] = {}
    for name, event, place in session.execute(_newest_of_each()):
        vault, _, key = name.removeprefix(PREFIX).partition("/")
        kind, _, rest = key.partition("/")
        if place > (_REMEMBERED if kind in _HISTORIES else _RECENT):
            continue
        if kind == "screens":
            screens.setdefault((_name(vault), _name(rest)), []).append(event)
        else:
            wanted.append(event)
    return wanted, screens


def _name(encoded: str) -> str:
    """Give what is percent-encoded in an asset's name, as facts show it."""
    return visible(os.fsdecode(unquote_to_bytes(encoded)))


def _newest_of_each() -> Select[str, int, int]:
    """Ask for the last events of each part: its asset's name, the event, its place from the end, from 1."""
    place = func.row_number().over(partition_by=AssetEvent.asset_id, order_by=AssetEvent.id.desc())
    all_of_them = (
        select(AssetModel.name, AssetEvent.id, place.label("place"))
        .join(AssetEvent, AssetModel.id == AssetEvent.asset_id)
        .where(AssetModel.name.startswith(PREFIX, autoescape=True))
        .subquery()
    )
    name, event, last = all_of_them.c
    return select(name, event, last).where(last <= _REMEMBERED).order_by(event)


def _parts(session: Session, events: list[int]) -> Iterator[tuple[int, Published | None]]:
    for start in range(0, len(events), 500):
        some = select(AssetEvent.id, AssetEvent.extra).where(AssetEvent.id.in_(events[start : start + 500]))
        for event, extra in session.execute(some):
            yield event, published(extra)


def published(extra: object) -> Published | None:
    """Read an event's ``extra``; None: it isn't in the form that is known here."""
    try:
        return Published.model_validate(extra)
    except ValidationError:
        return None


def report(session: Session, dag: str, run: str) -> Report | None:
    """Give the report that a run wrote; None: it wrote none, or it's gone."""
    query = XComModel.get_many(
        run_id=run, dag_ids=dag, task_ids="build_report", key="return_value", map_indexes=-1, limit=1
    )
    row = session.scalars(query).first()
    try:
        return Report.model_validate(XComModel.deserialize_value(row)) if row else None
    except ValidationError:
        return None


def dags(session: Session) -> Mapping[str, DagModel]:
    """Give the project's DAGs, as Airflow knows them."""
    wanted = ("supim_daily", "vm_weekly", "audit_vault", "drill_machines", "restore_day", "publish_facts")
    return {dag.dag_id: dag for dag in session.scalars(select(DagModel).where(DagModel.dag_id.in_(wanted)))}
