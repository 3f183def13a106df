"""``vm_restore`` from the *Trigger* form alone."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.dags import GREEN, RED
from tests.dags.test_vm_restore import DAG, content
from tests.dags.trigger_form import MORE, TriggerForm, see
from tests.dags.weekly_runs import DAG as WEEKLY
from tests.dags.weekly_runs import Weekly
from tests.site.browser import Browser

pytestmark = [pytest.mark.worker_group("vms"), pytest.mark.slow]

NEW = "maq2-from-the-form"


@pytest.fixture(scope="module")
def restores(weekly: Weekly) -> Iterator[Weekly]:
    """The DAG switched on, with an image of ``maq2``, which is off."""
    weekly.images()
    weekly.airflow.unpause(DAG)
    yield weekly
    weekly.host.run("virsh", "undefine", f"--domain={NEW}", check=False)
    for path in (weekly.host.folder / "disks").glob("maq2?*-*"):
        path.unlink()


@pytest.fixture(scope="module")
def page(browser: Browser, restores: Weekly) -> Page:
    """Airflow's web page, logged in as admin."""
    return browser.log_in(restores.airflow)


@pytest.fixture
def form(page: Page, restores: Weekly) -> TriggerForm:
    """The DAG's open form."""
    return TriggerForm(page, restores.airflow, restores.institute, DAG)


def test_a_vm_is_restored_beside_the_original(page: Page, restores: Weekly, form: TriggerForm) -> None:
    """The form's defaults and a new name: the new VM is off, its disk as in the vault."""
    assert not form.can_be_sent()
    form.fill("VM", "maq2")
    form.section(MORE)
    form.fill("New name", NEW)
    run = form.send()

    assert run.end() == GREEN, run.states()
    assert restores.host.state(NEW) == "shut off"
    image = restores.generations("maq2")[-1].image("vda").read_bytes()
    assert content(restores, str(restores.host.folder / "disks" / f"{NEW}-vda.qcow2")) == image
    assert f"RESTORE maq2 as {NEW} OK, 3 warnings" in see(page, run)


def test_a_restore_in_place_must_be_confirmed(page: Page, restores: Weekly, form: TriggerForm) -> None:
    """Another name is refused, and nothing is touched; with the VM's own name it's restored."""
    disk = restores.host.disk("maq2", "vda")
    before = disk.stat()
    form.fill("VM", "maq2")
    form.choose("How", "In place")
    form.fill("Confirm", "maq1")
    refused = form.send()

    assert refused.end() == RED
    assert "Type its name as 'confirm'; 'maq1' isn't it." in refused.mail_text
    assert disk.stat() == before

    again = TriggerForm(page, restores.airflow, restores.institute, DAG)
    again.fill("VM", "maq2")
    again.choose("How", "In place")
    again.fill("Confirm", "maq2")
    done = again.send()

    assert done.end() == GREEN, done.states()
    assert content(restores, str(disk)) == restores.generations("maq2")[-1].image("vda").read_bytes()
    assert f"{disk}.before-restore-" in done.mail_text


def test_some_vms_are_named_in_the_form_of_vm_weekly(browser: Browser, weekly: Weekly) -> None:
    """One in each line; here in a dry run, which plans those alone."""
    weekly.airflow.unpause(WEEKLY)
    form = TriggerForm(browser.log_in(weekly.airflow), weekly.airflow, weekly.institute, WEEKLY)
    form.fill("VMs", "maq2")
    form.switch("Dry run")
    run = form.send()

    assert run.end() == GREEN, run.states()
    assert run.info["conf"] == {"vms": ["maq2"], "dry_run": True}
    assert run.subject.startswith("VM maq2 DRY RUN · 1 would be imaged")
