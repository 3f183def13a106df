"""Boot a VM from its image."""

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Context

from include.boot_test.boot_test import BootTest
from include.boot_test.plan import DueBootTest
from include.config import site_file
from include.errors import ConfigError, VaultError
from include.results.item import Item
from include.results.states import Outcome, State
from include.results.task_labels import task_label
from include.vms.archive import VmArchive
from inpe_backup.connections import kvm_host
from inpe_backup.operators.backup_operator import BackupOperator


class BootVmOperator(BackupOperator):
    """Boot a VM from its image, and record the result beside the image.

    Args:
        boot_test: a ``DueBootTest`` as JSON.
    """

    template_fields: Sequence[str] = ("boot_test",)

    def __init__(self, *, boot_test: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.boot_test = boot_test

    def work(self, context: Context) -> dict[str, Any]:
        """Return an ``Item`` as JSON; in a dry run, of what would be done."""
        due = DueBootTest.model_validate(self.boot_test)
        dry = context["params"].get("dry_run", False)
        item = _dry_run(due) if dry else self._boot_test(context, due).do()
        self.log.info("%s: %s. %s", item.name, item.outcome, item.reason)
        return item.model_dump(mode="json")

    def _boot_test(self, context: Context, due: DueBootTest) -> BootTest:
        archive = VmArchive(self.vault())
        for generation in archive.of(due.name):
            if generation.name == due.generation:
                break
        else:
            raise VaultError(
                f"The image {due.generation} of {due.name} was removed meanwhile. Clear "
                f"{task_label('plan_boot_tests')}, too."
            )
        settings, run = site_file.current().boot_test_of(due.name), context["dag_run"].run_id
        if settings is None:
            raise ConfigError(
                f"The site file now excludes {due.name} from boot tests. Clear "
                f"{task_label('plan_boot_tests')}, too."
            )
        return BootTest(archive, generation, settings, kvm_host, run, self.log_line)


def _dry_run(due: DueBootTest) -> Item:
    reason = f"{due.reason} It would be booted from its image of {due.generation}."
    return Item(name=due.name, own=True, state=State.NOT_CHECKED, outcome=Outcome.WOULD_BOOT, reason=reason)
