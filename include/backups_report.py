"""The reports of audits, restores and drills: one item for each backup that was planned."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from include.failure import Failure
from include.report import Item, Kind, Outcome, Report, State
from include.site_file import Site

_LOST = {
    Kind.AUDIT: (State.NOT_CHECKED, Outcome.NOT_CHECKED),
    Kind.RESTORE: (State.FAILED, Outcome.NOT_RESTORED),
    Kind.DRILL: (State.FAILED, Outcome.NOT_BOOTED),
}
_SILENT = "Its task ended without a word, or wasn't come to. See its log; then clear it."


@dataclass(frozen=True)
class BackupsRun:
    """All that is known of a run when its report is written; what failed leaves gaps.

    Args:
        site: the site file.
        kind: an audit, a restore or a drill.
        started: when it began.
        dry_run: whether it only looked.
        planned: the names of what it was to do, in order.
        items: what the tasks told, by name.
        lost: why those failed that could say so, by name.
        failures: of tasks that work for the whole run.
        needs_person: further sentences for people.
        run_url: the run in the web UI.
    """

    site: Site
    kind: Kind
    started: datetime
    dry_run: bool
    planned: Sequence[str]
    items: Mapping[str, Item]
    lost: Mapping[str, Failure]
    failures: Sequence[Failure]
    needs_person: Sequence[str] = ()
    run_url: str | None = None

    def report(self) -> Report:
        """Write the report."""
        return Report(
            kind=self.kind,
            title=self.kind.name,
            institute=self.site.institute.name,
            timezone=self.site.institute.timezone,
            dry_run=self.dry_run,
            started=self.started,
            finished=datetime.now(UTC),
            items=tuple(self._items()),
            needs_person=(*(failure.message for failure in self.failures), *self.needs_person),
            archive=self.site.vault.path,
            run_url=self.run_url,
        )

    def _items(self) -> Iterator[Item]:
        for name in self.planned:
            yield self.items.get(name) or self._lost(name)

    def _lost(self, name: str) -> Item:
        state, outcome = _LOST[self.kind]
        why = self.lost.get(name)
        return Item(name=name, own=True, state=state, outcome=outcome, reason=why.message if why else _SILENT)
