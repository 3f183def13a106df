"""A machine brought back from the web page alone, as somebody does who has only its form."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.dags import GREEN, RED
from tests.dags.test_restore_machine import DAG, content
from tests.dags.trigger_form import MORE, TriggerForm, see
from tests.dags.weekly import Weekly
from tests.site.browser import Browser

pytestmark = pytest.mark.xdist_group("weekly")

NEW = "maq2-from-the-form"


@pytest.fixture(scope="module")
def restores(weekly: Weekly) -> Iterator[Weekly]:
    """The weekly DAG's institute, with an image of ``maq2``, which is off."""
    weekly.images()
    weekly.airflow.unpause(DAG)
    yield weekly
    weekly.host.run("virsh", "undefine", f"--domain={NEW}", check=False)
    for path in (weekly.host.folder / "disks").glob("maq2?*-*"):
        path.unlink()


@pytest.fixture(scope="module")
def page(browser: Browser, restores: Weekly) -> Page:
    """Airflow's web page, as its admin sees it."""
    return browser.log_in(restores.airflow)


@pytest.fixture
def form(page: Page, restores: Weekly) -> TriggerForm:
    """The DAG's form, opened."""
    return TriggerForm(page, restores.airflow, restores.institute, DAG)


def test_it_comes_back_beside_itself(page: Page, restores: Weekly, form: TriggerForm) -> None:
    """As the form stands, with a name for the new one: off, its disk as in the vault."""
    assert not form.can_be_sent()
    form.fill("Machine", "maq2")
    form.section(MORE)
    form.fill("New name", NEW)
    run = form.send()

    assert run.end() == GREEN, run.states()
    assert restores.host.state(NEW) == "shut off"
    image = restores.generations("maq2")[-1].image("vda").read_bytes()
    assert content(restores, str(restores.host.folder / "disks" / f"{NEW}-vda.qcow2")) == image
    assert "RESTORE OK · 1 restored" in see(page, run)


def test_in_place_asks_for_its_name_once_more(page: Page, restores: Weekly, form: TriggerForm) -> None:
    """Another one is refused, and nothing is touched; with its own it's as it was."""
    disk = restores.host.disk("maq2", "vda")
    before = disk.stat()
    form.fill("Machine", "maq2")
    form.choose("How", "In place")
    form.fill("Confirm", "maq1")
    refused = form.send()

    assert refused.end() == RED
    assert "Type its name as 'confirm'; 'maq1' isn't it." in refused.told
    assert disk.stat() == before

    again = TriggerForm(page, restores.airflow, restores.institute, DAG)
    again.fill("Machine", "maq2")
    again.choose("How", "In place")
    again.fill("Confirm", "maq2")
    done = again.send()

    assert done.end() == GREEN, done.states()
    assert content(restores, str(disk)) == restores.generations("maq2")[-1].image("vda").read_bytes()
    assert f"{disk}.before-restore-" in done.told
