"""The reports of scrubs, restores and boot tests: one item for each planned backup."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from include.config.site_file import Site
from include.report import Report
from include.report.causes import cause
from include.results.failure import Failure
from include.results.item import Item
from include.results.states import Kind, Outcome, State
from include.results.tasks import Results, RunFacts, failures_of
from include.vault.vault import Vault

_LOST = {
    Kind.SCRUB: (State.NOT_CHECKED, Outcome.NOT_CHECKED),
    Kind.RESTORE: (State.FAILED, Outcome.NOT_RESTORED),
    Kind.BOOT_TEST: (State.FAILED, Outcome.NOT_BOOTED),
}
_NO_RESULT = "Its task left no result; it was killed or never started. Check its log, then clear it."


def build_restore(site: Site, run: RunFacts, results: Results, vault: Vault | None) -> Report:  # noqa: ARG001
    """Build the report of a restore from what its tasks left; see ``build.py``."""
    return planned_run(Kind.RESTORE, site, run, results).report()


def build_boot_test(site: Site, run: RunFacts, results: Results, vault: Vault | None) -> Report:  # noqa: ARG001
    """Build the report of boot tests from what their tasks left; see ``build.py``."""
    return planned_run(Kind.BOOT_TEST, site, run, results).report()


def planned_run(kind: Kind, site: Site, run: RunFacts, results: Results) -> "PlannedRun":
    """Collect what was planned, and the ``Item`` that the task of each backup returned."""
    names = [planned["name"] for planned in results.result("plan") or ()]
    items = {name: results.result("item", index) for index, name in enumerate(names)}
    lost = {name: results.failures("item", index=index) for index, name in enumerate(names)}
    return PlannedRun(
        site=site,
        kind=kind,
        started=run.started,
        dry_run=run.dry_run,
        planned=names,
        items={name: Item.model_validate(item) for name, item in items.items() if item},
        lost={name: failures[0] for name, failures in lost.items() if failures},
        failures=failures_of(results, "plan"),
        run_url=run.url,
    )


@dataclass(frozen=True)
class PlannedRun:
    """All that is known of a run when its report is built; failed tasks leave gaps.

    Args:
        site: the site file.
        kind: a scrub, a restore or a boot test.
        started: when it began.
        dry_run: whether it only planned.
        planned: the names of the planned backups, in order.
        items: what their tasks returned, by name.
        lost: the failures of tasks that returned nothing, by name, as far as known.
        failures: of tasks that work for the whole run.
        needs_action: what else somebody must do, in sentences.
        known_states: what somebody must do about backups that aren't as they should be, in sentences.
        run_url: the run's page in the web UI.
    """

    site: Site
    kind: Kind
    started: datetime
    dry_run: bool
    planned: Sequence[str]
    items: Mapping[str, Item]
    lost: Mapping[str, Failure]
    failures: Sequence[Failure]
    needs_action: Sequence[str] = ()
    known_states: Sequence[str] = ()
    run_url: str | None = None

    def report(self) -> Report:
        """Return the report."""
        return Report(
            kind=self.kind,
            title=self.kind.value.replace("_", " ").upper(),
            institute=self.site.institute.name,
            timezone=self.site.institute.timezone,
            dry_run=self.dry_run,
            started=self.started,
            finished=datetime.now(UTC),
            items=tuple(self._items()),
            needs_action=(
                *(failure.message for failure in self.failures),
                *self.known_states,
                *self.needs_action,
            ),
            known_states=tuple(self.known_states),
            archive=self.site.vault.path,
            run_url=self.run_url,
        )

    def _items(self) -> Iterator[Item]:
        for name in self.planned:
            yield self.items.get(name) or self._lost(name)

    def _lost(self, name: str) -> Item:
        state, outcome = _LOST[self.kind]
        failure = self.lost.get(name)
        reason = failure.message if failure else _NO_RESULT
        phrase = cause(failure, self.kind) if failure else None
        return Item(name=name, own=True, state=state, outcome=outcome, reason=reason, cause=phrase)
