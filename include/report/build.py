"""Build a run's report from what its tasks left.

kind        the tasks that its report reads
DAYS        choose_days survey_source plan_days check_free_space, copy_day verify_day publish_day
VMS         list_vms check_free_space, begin_backup ... publish_image end_backup, apply_retention
SCRUB       plan_scrub scrub_backups find_damaged_days survey_source plan_days check_free_space, copy_day ...
RESTORE     plan, item
BOOT_TEST   plan, item
"""

from collections.abc import Callable

from include.config.site_file import Site
from include.report import daily, planned, scrub, weekly
from include.report.causes import with_cause
from include.report.model import Report
from include.report.pictures import day_maps
from include.results.states import Kind
from include.results.tasks import Results, RunFacts
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
    return day_maps.with_maps(built, vault)
