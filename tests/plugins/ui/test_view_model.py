"""The rows of the page, as text."""

from datetime import timedelta

from include.status.parts import VmPart
from inpe_backup.ui.view_model import VmRow, vm_row
from tests.include.status.vault_statuses import in_vault, vault_status
from tests.sample_status import NOW, vm


def row(part: VmPart) -> VmRow:
    """Return the row of a VM."""
    status = vault_status(in_vault(0), part)
    return vm_row(status.vms[0], status)


def test_a_boot_test_of_an_older_image_isnt_shown_as_one_of_the_newest() -> None:
    """The row is about the newest image; that one may never have been booted."""
    part = vm("maq1", NOW)
    assert part.boot_test
    tested = part.boot_test.model_copy(update={"when": NOW - timedelta(days=5)})
    assert row(part.model_copy(update={"boot_test": tested})).boot_test == "✓ 5 days ago"
    older = tested.model_copy(update={"image": part.generations[-2].instant})
    assert row(part.model_copy(update={"boot_test": older})).boot_test == "✓ 5 days ago, of an older image"
    assert row(part.model_copy(update={"boot_test": None})).boot_test == "never"
