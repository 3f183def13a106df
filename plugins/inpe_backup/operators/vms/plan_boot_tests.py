"""Plan the boot tests of a run."""

from typing import Any

from airflow.sdk import Context

from include.boot_test.plan import by_name, candidates, due
from include.config import site_file
from include.vms.archive import VmArchive
from inpe_backup.operators.backup_operator import BackupOperator


class PlanBootTestsOperator(BackupOperator):
    """Choose the VM in the form; else first those whose newest undamaged image wasn't booted yet."""

    def work(self, context: Context) -> list[dict[str, Any]]:
        """Return a ``DueBootTest`` as JSON for each VM to boot."""
        site, requested = site_file.current(), context["params"].get("vm")
        vms = candidates(VmArchive(self.vault()), lambda name: site.boot_test_of(name) is None)
        chosen = (
            [by_name(vms, requested)] if requested else due(vms, site.boot_test.per_run, site.institute.zone)
        )
        for boot_test in chosen:
            self.log.info("%s, from %s. %s", boot_test.name, boot_test.generation, boot_test.reason)
        return [boot_test.model_dump(mode="json") for boot_test in chosen]
