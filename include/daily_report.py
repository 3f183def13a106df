"""The daily run's report: what was planned, what was done and what the vault holds, as one model."""

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from include.covered_days import CALENDAR_DAYS, coverage, years
from include.errors import DayIncompleteError, DayMissingError, DayUnusableError, NotSettledError
from include.facts import Facts
from include.failure import Failure
from include.ordinal_day import OrdinalDay, window
from include.plan import Action, Verdict, Window
from include.record import Record
from include.report import CopiedBytes, Item, Kind, Outcome, Report, Space, State
from include.site_file import Site
from include.source import State as SourceState
from include.space import Room
from include.vault import PublishedDay, Vault

TREND_DAYS = 30
UNFINISHED_AFTER_S = 2 * 24 * 3600.0


class Doing(Facts):
    """What the tasks of one day left behind.

    Args:
        record: the published day's, where they got there.
        failure: why they didn't get there.
    """

    record: Record | None = None
    failure: Failure | None = None


@dataclass(frozen=True)
class DailyRun:
    """All that is known of a run when its report is written; what failed leaves gaps.

    Args:
        site: the site file.
        run_id: the run.
        own: its own day.
        started: when it began.
        dry_run: whether it only looked.
        window: its days, None when they weren't chosen.
        verdicts: what was planned.
        doings: what became of the days that took work.
        failures: of tasks that work for the whole run.
        run_url: the run in the web UI.
    """

    site: Site
    run_id: str
    own: OrdinalDay
    started: datetime
    dry_run: bool
    window: Window | None
    verdicts: list[Verdict]
    doings: Mapping[OrdinalDay, Doing]
    failures: list[Failure]
    run_url: str | None = None

    def report(self, vault: Vault | None) -> Report:
        """Write the report; without a vault nothing is said of its days and its space."""
        published = {found.day: found for found in vault.published()} if vault else {}
        items = tuple(self._items(published))
        damaged = _damaged(published[day] for day in window(self.own, CALENDAR_DAYS) if day in published)
        covered = tuple(coverage(self.own, published, items)) if vault else ()
        return Report(
            kind=Kind.DAYS,
            title="SUPIM",
            institute=self.site.institute.name,
            timezone=self.site.institute.timezone,
            day=self.own,
            dry_run=self.dry_run,
            started=self.started,
            finished=datetime.now(UTC),
            items=items,
            coverage=covered,
            years=years(covered, published, self._newest_due),
            space=space_now(vault, published.values(), self.site.vault.reserve) if vault else None,
            needs_person=(
                *(failure.message for failure in self.failures),
                *self._unclosable(),
                *damaged,
                *(_unfinished(vault) if vault else ()),
            ),
            archive=self.site.vault.path,
            proof_command=_proof_command(published, self.own) if published else None,
            run_url=self.run_url,
        )

    @property
    def _newest_due(self) -> OrdinalDay:
        today = OrdinalDay.of(datetime.now(self.site.institute.zone))
        return max(today - self.site.supim.lag_days, self.own)

    def _items(self, published: Mapping[OrdinalDay, PublishedDay]) -> Iterable[Item]:
        for verdict in self.verdicts:
            if not self._beyond_reach(verdict):
                yield self._item(verdict, published.get(verdict.day))
        if self.own not in {verdict.day for verdict in self.verdicts}:
            reason = "The run failed before it looked at the day."
            yield Item(
                name=str(self.own), own=True, state=State.FAILED, outcome=Outcome.FAILED, reason=reason
            )

    def _unclosable(self) -> list[str]:
        return [
            f"{verdict.day} isn't in the vault and can't be copied. {verdict.reason}"
            for verdict in self.verdicts
            if self._beyond_reach(verdict) and verdict.seen.state is not SourceState.MISSING
        ]

    def _beyond_reach(self, verdict: Verdict) -> bool:
        answered = self.window.answers_for if self.window else (self.own,)
        return verdict.action is Action.GIVE_UP and verdict.day not in answered

    def _item(self, verdict: Verdict, published: PublishedDay | None) -> Item:
        own, doing = verdict.day == self.own, self.doings.get(verdict.day, Doing())
        record = doing.record or (None if doing.failure else self._published_in_silence(published))
        if verdict.action is Action.NOTHING:
            return _safe(verdict, published.readable_record if published else None, own=own)
        if record and record.run != self.run_id:  # another run was faster
            return _safe(verdict, record, own=own)
        if record:
            return _secured(verdict, record, own=own)
        return self._unsecured(verdict, doing.failure, own=own)

    def _published_in_silence(self, published: PublishedDay | None) -> Record | None:
        """Believe the vault: a task that was killed may have published before, in this round of the run."""
        record = published.readable_record if published and not published.damage else None
        ours = record and record.run == self.run_id and record.proofs[-1].when >= self.started
        return record if ours else None

    def _unsecured(self, verdict: Verdict, failure: Failure | None, *, own: bool) -> Item:
        state, outcome, reason = State.FAILED, _NOT_COPIED[verdict.seen.state], verdict.reason
        if failure:
            outcome, reason = _FAILED.get(failure.error, Outcome.FAILED), failure.message
        elif self.dry_run and verdict.seen.state is SourceState.COMPLETE:
            state, outcome = State.NOT_CHECKED, Outcome.WOULD_COPY
        elif self.dry_run and verdict.action is Action.WAIT:
            reason += " A run that isn't dry waits for it."
        elif verdict.action.takes_work:
            outcome, reason = Outcome.FAILED, self._silent_end()
        size = verdict.seen.bytes or None
        return Item(
            name=str(verdict.day), own=own, state=state, outcome=outcome, reason=reason, size_bytes=size
        )

    def _silent_end(self) -> str:
        if self.failures:
            return "It wasn't begun: an earlier task of the run failed."
        return "Its task ended without a word: killed, or the machine went down. See its log; then clear it."


def space_now(vault: Vault, published: Iterable[PublishedDay], reserve_bytes: int) -> Space:
    """Measure the vault's room, and how fast the last 30 days filled it."""
    room, recent = Room.of(vault.root), _recent(published)
    return Space(
        path=str(vault.root),
        total_bytes=room.total_bytes,
        used_bytes=room.total_bytes - room.free_bytes,
        free_bytes=room.free_bytes,
        reserve_bytes=reserve_bytes,
        growth_bytes_per_day=_growth(recent),
        copied=_copied(recent),
    )


def _recent(published: Iterable[PublishedDay]) -> list[Record]:
    since = (datetime.now(UTC) - timedelta(days=TREND_DAYS)).timestamp()
    # The files' times choose: of ten years, only the last month's records are read.
    young = (found for found in published if found.record_file.stat().st_mtime >= since)
    return [record for found in young if (record := found.readable_record)]


def _growth(recent: Iterable[Record]) -> int | None:
    known = list(recent)
    if not known:
        return None
    days = (datetime.now(UTC) - min(record.copied for record in known)) / timedelta(days=1)
    return round(sum(record.bytes for record in known) / max(days, 1))


def _copied(recent: Iterable[Record]) -> tuple[CopiedBytes, ...]:
    by_date = Counter[date]()
    for record in recent:
        by_date[record.copied.astimezone(UTC).date()] += record.bytes
    newest = datetime.now(UTC).date()
    dates = sorted(on for on in by_date if timedelta() <= newest - on <= timedelta(days=TREND_DAYS))
    return tuple(CopiedBytes(on=on, bytes=by_date[on]) for on in dates)


def _damaged(published: Iterable[PublishedDay]) -> list[str]:
    told = "The next run that sees the day at the source secures it again."
    damaged = [found for found in published if found.damage]
    whose = {found: f"{found.day}: " if found.proofs.damaged else "" for found in damaged}
    return [f"{whose[found]}{found.damage} {told}" for found in damaged]


def _unfinished(vault: Vault) -> list[str]:
    return [
        f"{staged.folder} holds an unfinished copy that nobody goes on with. Back {staged.day} up again, or "
        "remove the folder."
        for staged in vault.left_staged(UNFINISHED_AFTER_S)
    ]


def _safe(verdict: Verdict, record: Record | None, *, own: bool) -> Item:
    return Item(
        name=str(verdict.day),
        own=own,
        state=State.PASSED,
        outcome=Outcome.ALREADY_SAFE,
        reason=verdict.reason if verdict.action is Action.NOTHING else "The vault has it already.",
        files=record.files if record else None,
        size_bytes=record.bytes if record else None,
        proof=_proof(record) if record else None,
        revision=record.revision if record else 1,
    )


def _secured(verdict: Verdict, record: Record, *, own: bool) -> Item:
    return Item(
        name=str(verdict.day),
        own=own,
        state=State.PASSED,
        outcome=Outcome.NEW_REVISION if record.revision > 1 else Outcome.COPIED,
        reason=verdict.reason
        if verdict.action is not Action.WAIT
        else "It became complete while the run waited.",
        files=record.files,
        size_bytes=record.bytes,
        seconds=record.copy_seconds + record.proofs[-1].seconds,
        proof=_proof(record),
        revision=record.revision,
        warnings=tuple(record.warnings),
    )


def _proof(record: Record) -> str:
    return f"{record.proofs[-1].how}, {record.proofs[-1].when:%Y-%m-%d %H:%M} UTC"


def _proof_command(published: Mapping[OrdinalDay, PublishedDay], own: OrdinalDay) -> str:
    shown = published.get(own) or published[max(published)]
    folder = shlex.quote(str(shown.year_folder))
    return f"cd {folder} && (cd {shown.name} && sha256sum -c --quiet ../{shown.name}.sha256)"


_NOT_COPIED = {
    SourceState.COMPLETE: Outcome.FAILED,
    SourceState.MISSING: Outcome.MISSING,
    SourceState.INCOMPLETE: Outcome.INCOMPLETE,
    SourceState.UNUSABLE: Outcome.UNREADABLE,
}

_FAILED = {
    DayMissingError.__name__: Outcome.MISSING,
    DayIncompleteError.__name__: Outcome.INCOMPLETE,
    DayUnusableError.__name__: Outcome.UNREADABLE,
    NotSettledError.__name__: Outcome.NOT_SETTLED,
}
