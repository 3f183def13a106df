"""The weekly run's report: what was planned, what was done and what the vault holds, as one model."""

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from include.daily_report import space_now
from include.failure import Failure
from include.kept_weeks import Calendar, Holdings
from include.machine_item import MachineCase, MachineDoing, is_of_release
from include.machines.generation import Generations, to_the_second
from include.machines.machine_record import MachineRecord
from include.machines.plan import Action, Planned
from include.machines.removal import Removed
from include.report import Downtimes, Item, KeptWeeks, Kind, Outcome, Report, Space, State, WeekState
from include.report import Removed as Gone
from include.site_file import Site
from include.vault import Vault
from include.wording import size, visible

__all__ = ["MachineDoing", "WeeklyRun"]

UNFINISHED_AFTER_S = 14 * 24 * 3600.0
SHOWN_MACHINES, SHOWN_IMAGES = 8, 12


@dataclass(frozen=True)
class WeeklyRun:
    """All that is known of a run when its report is written; what failed leaves gaps.

    Args:
        site: the site file.
        run_id: the run.
        started: when it began.
        dry_run: whether it only looked.
        planned: what was decided about the machines of all hosts that could be asked.
        lost_hosts: the connections of those that couldn't, each with why, if that's known.
        doings: what became of the machines that were handed out, by name.
        removed: what retention gave up; None: it wasn't come to.
        failures: of tasks that work for the whole run.
        run_url: the run in the web UI.
    """

    site: Site
    run_id: str
    started: datetime
    dry_run: bool
    planned: list[Planned]
    lost_hosts: Mapping[str, Failure | None]
    doings: Mapping[str, MachineDoing]
    removed: list[Removed] | None
    failures: list[Failure]
    run_url: str | None = None

    def report(self, vault: Vault | None) -> Report:
        """Write the report; without a vault nothing is said of its generations and its space."""
        holdings = Holdings.read(vault) if vault else Holdings({})
        cases = list(self._cases(holdings))
        items = [case.item for case in cases]
        calendar = self._calendar
        return Report(
            kind=Kind.MACHINES,
            title="VM",
            institute=self.site.institute.name,
            timezone=self.site.institute.timezone,
            dry_run=self.dry_run,
            started=self.started,
            finished=datetime.now(UTC),
            items=(*self._lost(), *items),
            mondays=calendar.mondays if vault else (),
            generations=tuple(self._rows(holdings, items)) if vault else (),
            downtimes=self._downtimes(cases, holdings),
            space=self._space(vault, cases) if vault else None,
            removed=tuple(_gone(one) for one in self.removed or () if not one.refused),
            needs_person=tuple(self._needs_person(cases, holdings, vault)),
            archive=self.site.vault.path,
            proof_command=_proof_command(holdings, [case.record for case in cases if case.record]),
            run_url=self.run_url,
        )

    def _cases(self, holdings: Holdings) -> Iterator[MachineCase]:
        names = Counter(one.name for one in self.planned)
        for one in self.planned:
            doing = self.doings.get(one.name) if one.action is Action.IMAGE else None
            records = holdings.records(one.name)
            yield MachineCase(
                name=f"{one.name} of {one.host}" if names[one.name] > 1 else one.name,
                planned=one,
                doing=doing,
                record=self._published(doing, records),
                last=next((last for last in reversed(records) if last.method == one.method), None),
                budget_s=self.site.machines.treatment(one.name).downtime_budget_s,
                rehearsed=self.dry_run and not self.failures,
            )

    def _published(self, doing: MachineDoing | None, held: Sequence[MachineRecord]) -> MachineRecord | None:
        """Believe the vault: a task that was killed may have published before, in this round of the run."""
        if not doing or doing.record:
            return doing.record if doing else None
        if any(not is_of_release(failure) for failure in doing.failures):
            return None
        ours = (one for one in held if one.run == self.run_id and one.proofs[-1].when >= self.started)
        return next(ours, None)

    def _lost(self) -> Iterator[Item]:
        silent = (
            "It wasn't asked for its machines: the task ended without a word. See its log; then clear it."
        )
        for host, why in self.lost_hosts.items():
            yield Item(
                name=host,
                own=True,
                state=State.FAILED,
                outcome=Outcome.NOT_ASKED,
                reason=why.message if why else silent,
            )

    @property
    def _calendar(self) -> Calendar:
        zone = self.site.institute.zone
        return Calendar(self.started.astimezone(zone).date(), zone, self.site.machines.keep.weekly)

    def _rows(self, holdings: Holdings, items: Sequence[Item]) -> Iterator[KeptWeeks]:
        now = {
            one.name: _WITHOUT_IMAGE.get(item.outcome, WeekState.FAILED)
            for one, item in zip(self.planned, items, strict=True)
            if one.action is not Action.EXCLUDE
        }
        for name in sorted({*holdings.of, *now}):
            yield self._calendar.row(
                name, holdings.of.get(name, ()), now.get(name) or self._now(holdings, name)
            )

    def _now(self, holdings: Holdings, name: str) -> WeekState:
        """Tell how the week stands of a machine that wasn't planned: is it gone, or only its host?"""
        hosts = [record.host for record in holdings.records(name)[-1:]]
        return WeekState.FAILED if set(hosts) & set(self.lost_hosts) else WeekState.NOTHING

    def _downtimes(self, cases: Sequence[MachineCase], holdings: Holdings) -> tuple[Downtimes, ...]:
        """Tell the downtimes of the machines that were nearest to their budgets, or beyond them."""
        told = [_downtimes_of(case, holdings.records(case.planned.name)) for case in cases if case.record]
        known = [row for row in told if row.seconds]
        known.sort(key=lambda row: row.seconds[-1] / max(row.budget_s, 0.001), reverse=True)
        return tuple(known[:SHOWN_MACHINES])

    def _space(self, vault: Vault, cases: Sequence[MachineCase]) -> Space:
        added = sum(case.record.bytes for case in cases if case.record)
        gone = sum(one.bytes for one in self.removed or () if not one.refused)
        room = space_now(vault, (), self.site.vault.reserve)
        return room.model_copy(update={"added_bytes": added, "gone_bytes": gone})

    def _needs_person(
        self, cases: Sequence[MachineCase], holdings: Holdings, vault: Vault | None
    ) -> Iterator[str]:
        for case in sorted(cases, key=lambda case: case.item.outcome is not Outcome.NOT_BACK):
            yield from case.needs_person()
        yield from (failure.message for failure in self.failures)
        yield from (
            f"{_instant(one)} should go and is still there. {one.refused}"
            for one in self.removed or ()
            if one.refused
        )
        yield from (f"{one.record_file} can't be read. It counts for nothing." for one in holdings.damaged)
        yield from _unfinished(vault) if vault else ()


def _downtimes_of(case: MachineCase, records: Sequence[MachineRecord]) -> Downtimes:
    stopped = [one for one in records if one.was == "running" and one.method in ("cold", "copy")]
    last = stopped[-SHOWN_IMAGES:]
    return Downtimes(
        name=case.name,
        budget_s=case.budget_s,
        instants=tuple(one.instant for one in last),
        seconds=tuple(one.downtime_s for one in last),
    )


_WITHOUT_IMAGE = {Outcome.WOULD_IMAGE: WeekState.WOULD_IMAGE}


def _instant(one: Removed) -> str:
    return f"{one.machine} {one.instant.astimezone(UTC):%Y-%m-%dT%H-%M-%SZ}"


def _gone(one: Removed) -> Gone:
    return Gone(name=_instant(one), reason=f"{one.reason} It took {size(one.bytes)}.")


def _unfinished(vault: Vault) -> Iterator[str]:
    for staged in Generations(vault).left_staged(UNFINISHED_AFTER_S):
        yield (
            f"{staged.folder} holds an unfinished image that nobody goes on with. Back {staged.machine} up "
            "again, or remove the folder."
        )


def _proof_command(holdings: Holdings, made: Sequence[MachineRecord]) -> str | None:
    """Give the command for an image of this run, else for the newest, whose path a shell takes as shown."""
    proven = [one.generation for held in holdings.of.values() for one in held if one.record]
    ours = {(record.machine, to_the_second(record.instant)) for record in made}
    fit = [one for one in proven if visible(str(one.folder)) == str(one.folder)]
    best = max(fit, key=lambda one: ((one.machine, one.instant) in ours, one.instant), default=None)
    return f"cd {shlex.quote(str(best.folder))} && sha256sum --check --quiet SHA256SUMS" if best else None
