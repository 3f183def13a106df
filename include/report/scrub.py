"""The report of a scrub, from what its tasks left."""

from collections.abc import Sequence

from include.config.site_file import Site
from include.days.plan import DayPlan
from include.days.record import DayRecord
from include.ordinal_day import OrdinalDay
from include.report.model import Report
from include.report.planned import PlannedRun
from include.results.failure import Failure
from include.results.states import Kind
from include.results.tasks import Results, RunFacts, failures_of
from include.scrub.backups import replaced
from include.scrub.plan import ScrubBatch
from include.scrub.results import Refetched, ScrubbedBatch, items, needs_action
from include.vault.vault import Vault

_FETCH = ("find_damaged_days", "survey_source", "plan_days", "check_free_space")
_DAY_STEPS = ("copy_day", "verify_day", "publish_day")


def build(site: Site, run: RunFacts, results: Results, vault: Vault | None) -> Report:
    """Build the report of a scrub from what its tasks left; see ``build.py``."""
    batches = [ScrubBatch.model_validate(batch) for batch in results.result("plan_scrub") or ()]
    found = {batch.name: results.result("scrub_backups", index) for index, batch in enumerate(batches)}
    scrubbed = [ScrubbedBatch.model_validate(batch) for batch in found.values() if batch]
    lost = {batch.name: results.failures("scrub_backups", index=index) for index, batch in enumerate(batches)}
    not_refetched = _not_refetched(results.failures(*_FETCH))
    newer = replaced(vault) if vault and any(batch.damaged for batch in scrubbed) else {}
    reported = items(scrubbed, _refetched(results), not_refetched, site.institute.zone, newer)
    return PlannedRun(
        site=site,
        kind=Kind.SCRUB,
        started=run.started,
        dry_run=run.dry_run,
        planned=[*(item.name for item in reported), *(name for name, batch in found.items() if not batch)],
        items={item.name: item for item in reported},
        lost={name: failures[0] for name, failures in lost.items() if failures},
        failures=failures_of(results, "plan_scrub"),
        needs_action=[batch.needs_action for batch in batches if batch.needs_action],
        known_states=needs_action(scrubbed),
        run_url=run.url,
    ).report()


def _refetched(results: Results) -> dict[OrdinalDay, Refetched]:
    plans = [DayPlan.model_validate(plan) for plan in results.result("plan_days") or ()]
    refused = {plan.day: Refetched(reason=f"It can't be fetched again. {plan.reason}") for plan in plans}
    days = [OrdinalDay.parse(day) for day in results.result("check_free_space") or ()]
    no_space = results.refused("check_free_space")
    refused |= {
        OrdinalDay.parse(day): Refetched(reason=f"It can't be fetched again. {reason}")
        for day, reason in no_space.items()
    }
    return refused | {day: _of_day(results, index) for index, day in enumerate(days)}


def _of_day(results: Results, index: int) -> Refetched:
    if record := results.result("publish_day", index):
        return Refetched(record=DayRecord.model_validate(record))
    return _not_refetched(results.failures(*_DAY_STEPS, index=index))


def _not_refetched(failures: Sequence[Failure]) -> Refetched:
    return Refetched(reason=f"It can't be fetched again. {failures[0].message}") if failures else Refetched()
