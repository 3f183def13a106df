"""Build a run's report from what its tasks left.

kind        the tasks that its report reads
DAYS        choose_days survey_source plan_days check_free_space, copy_day verify_day publish_day
VMS         list_vms check_free_space, begin_backup ... publish_image end_backup, apply_retention
SCRUB       plan_scrub scrub_backups find_damaged_days survey_source plan_days check_free_space, copy_day ...
RESTORE     plan, item
BOOT_TEST   plan, item
"""

from collections.abc import Callable
from datetime import UTC, datetime

from include.config.site_file import Site
from include.report import daily, planned, scrub, weekly
from include.report.causes import with_cause
from include.report.model import Report
from include.report.next_step import with_next_step
from include.report.pictures import day_maps
from include.report.subject import overall
from include.results.states import Kind, State
from include.results.task_labels import task_label
from include.results.tasks import Results, RunFacts
from include.text import visible
from include.vault.vault import Vault

Builder = Callable[[Site, RunFacts, Results, Vault | None], Report]


def build_report(kind: Kind, site: Site, run: RunFacts, results: Results, vault: Vault | None) -> Report:
    """Build the report of a run, with a map of each day that it copied.

    Args:
        kind: what the run does.
        site: the site file.
        run: the run.
        results: what its tasks left.
        vault: the vault; None: it can't be opened, and the report leaves it out.
    """
    builders: dict[Kind, Builder] = {
        Kind.DAYS: daily.build,
        Kind.VMS: weekly.build,
        Kind.SCRUB: scrub.build,
        Kind.RESTORE: planned.build_restore,
        Kind.BOOT_TEST: planned.build_boot_test,
    }
    built = with_cause(builders[kind](site, run, results, vault), results)
    return day_maps.with_maps(with_next_step(built), vault)


def build_despite(problem: Exception, kind: Kind, site: Site, run: RunFacts, results: Results) -> Report:
    """Build as much of a report as can be where the whole can't: without the vault, or the problem alone.

    Else nobody would get a mail of the run, such as where the vault's disk begins to fail.

    Args:
        problem: why the whole report couldn't be built.
        kind: what the run does.
        site: the site file.
        run: the run.
        results: what its tasks left.
    """
    try:
        built = build_report(kind, site, run, results, None)
    except Exception:  # noqa: BLE001 - whatever it is, the mail says that there is no more
        built = _empty(kind, site, run)
    sentence = (
        f"The report is incomplete: {visible(str(problem) or type(problem).__name__)}. See the log of "
        f"{task_label('build_report')}, and whether the vault's disk is failing (dmesg, smartctl)."
    )
    cause = built.cause or (None if overall(built) is State.FAILED else "report incomplete")
    return built.model_copy(update={"cause": cause, "needs_action": (sentence, *built.needs_action)})


def _empty(kind: Kind, site: Site, run: RunFacts) -> Report:
    titles = {Kind.DAYS: "SUPIM", Kind.VMS: "VM"}
    return Report(
        kind=kind,
        title=titles.get(kind, kind.value.replace("_", " ").upper()),
        institute=site.institute.name,
        timezone=site.institute.timezone,
        day=run.day,
        requested=run.requested,
        dry_run=run.dry_run,
        started=run.started,
        finished=datetime.now(UTC),
        archive=site.vault.path,
        run_url=run.url,
    )
