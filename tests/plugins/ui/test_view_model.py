"""The rows of the page, as text."""

from datetime import UTC, timedelta

from include.results.states import Kind
from include.status.parts import VmPart
from inpe_backup.ui.store import RunWithoutReport
from inpe_backup.ui.view_model import TEMPLATES, VmRow, run_rows, vm_row
from tests.include.status.vault_statuses import in_vault, vault_status
from tests.sample_status import NOW, run, vm


def row(part: VmPart) -> VmRow:
    """Return the row of a VM."""
    status = vault_status(in_vault(0), part)
    return vm_row(status.vms[0], status)


def test_a_run_without_a_report_is_listed_with_a_link_to_airflow() -> None:
    """By its time, among those that published one; as it is now, also if an earlier try had one."""
    published = [
        run("vm_weekly", Kind.VMS, line, NOW - timedelta(hours=hours))
        for line, hours in (("newest", 1), ("oldest", 5), ("before it was cleared", 7))
    ]
    ended = [
        RunWithoutReport("vm_weekly", name, NOW - timedelta(hours=3), good=False, line=f"ended {name}")
        for name in ("a b", published[2].run)
    ]
    rows = run_rows(published, ended)
    lines = ["newest", "ended a b", f"ended {published[2].run}", "oldest"]
    assert [row.line for row in rows] == lines
    assert (rows[1].href, rows[1].inside) == ("../dags/vm_weekly/runs/a%20b", False)
    assert rows[0].href.startswith("runs/vm_weekly/scheduled__")
    listed = TEMPLATES.get_template("runs.html.j2").render(runs=rows, zone=UTC)
    assert '<a href="../dags/vm_weekly/runs/a%20b" data-out>ended a b</a>' in listed


def test_a_boot_test_of_an_older_image_isnt_shown_as_one_of_the_newest() -> None:
    """The row is about the newest image; that one may never have been booted."""
    part = vm("maq1", NOW)
    assert part.boot_test
    tested = part.boot_test.model_copy(update={"when": NOW - timedelta(days=5)})
    assert row(part.model_copy(update={"boot_test": tested})).boot_test == "✓ 5 days ago"
    older = tested.model_copy(update={"image": part.generations[-2].instant})
    assert row(part.model_copy(update={"boot_test": older})).boot_test == "✓ 5 days ago, of an older image"
    assert row(part.model_copy(update={"boot_test": None})).boot_test == "never"
