"""What the page shows of VMs and their images, and what it does with them."""

import re
from datetime import datetime
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, expect

from include.status.parts import VmsPart
from tests.dags import Daily, wait_for
from tests.plugins.ui.page import open_page
from tests.sample_status import published, vm
from tests.site.publish import publish

pytestmark = [pytest.mark.worker_group("days"), pytest.mark.usefixtures("sample_vault")]


def test_a_vm_shows_its_screen_and_its_downtimes(daily: Daily, admin: Page) -> None:
    """The screenshot is that of its last boot test."""
    open_page(admin, daily.airflow)
    admin.get_by_label("Filter").fill("maq2")
    expect(admin.locator(".vms tbody tr:visible")).to_have_count(1)
    expect(admin.locator("#matches")).to_have_text("1 of 8")
    expect(admin.get_by_text("maq1-restored was left out: It is a copy that a restore made")).to_be_visible()
    admin.get_by_role("button", name="maq2", exact=True).click()
    record = admin.get_by_role("dialog")
    expect(record).to_contain_text("budget 60.0 s")
    picture = record.get_by_alt_text("The screen of maq2 in its last boot test")
    expect(picture).to_be_visible()
    wait_for(lambda: picture.evaluate("image => image.naturalWidth") == 320, "the picture")


def test_a_vm_is_backed_up_now_from_its_record(daily: Daily, admin: Page) -> None:
    """Only that VM; the form takes more, and patterns."""
    _switch_off(daily, "vm_weekly")
    open_page(admin, daily.airflow)
    admin.get_by_role("button", name="maq2", exact=True).click()
    admin.get_by_role("button", name="Back it up now …").click()
    form = admin.get_by_role("dialog", name="Back up VMs")
    expect(form.get_by_label("Names or patterns")).to_have_value("maq2")
    expect(form).to_contain_text("vm_weekly backs up maq2 now: each VM that runs is stopped for some seconds")
    expect(form).to_contain_text("vm_weekly is paused. It waits until you switch it on.")
    form.get_by_label("Names or patterns").fill("maq2\n\n web* ")
    form.get_by_label("Dry run").check()
    form.get_by_role("button", name="Back up now").click()
    assert _taken_back(daily, "vm_weekly", form) == {"vms": ["maq2", "web*"], "dry_run": True}


def test_a_vm_shows_all_its_images_and_any_of_them_can_be_restored(
    daily: Daily, admin: Page, sample_vault: datetime
) -> None:
    """With size, age, verification and boot test; the form has the image chosen, and others to choose."""
    _switch_off(daily, "vm_restore")
    images = vm("maq2", sample_vault).generations
    third = images[-3].instant.strftime("%Y-%m-%dT%H-%M-%SZ")
    open_page(admin, daily.airflow)
    admin.get_by_role("button", name="maq2", exact=True).click()
    rows = admin.get_by_role("region", name="Images of maq2").locator("tbody tr")
    expect(rows).to_have_count(12)
    expect(rows.nth(2)).to_contain_text(re.compile(r"17 days ago.* GB9 days agopassed.* sProtect …"))
    expect(rows.nth(5)).to_contain_text("by anaLift …")
    rows.nth(2).get_by_role("button", name=f"Restore {third}").click()
    form = admin.get_by_role("dialog", name="Restore a VM")
    expect(form.get_by_label("Image")).to_have_value(third)
    expect(form.get_by_label("Image").locator("option")).to_have_count(13)
    expect(form).to_contain_text(f"vm_restore makes a new VM, maq2-restored, of {third}")
    expect(form).to_contain_text("vm_restore is paused. It waits until you switch it on.")
    form.get_by_label("New name").fill(" maq2 ")
    form.get_by_role("button", name="Restore", exact=True).click()
    fault = form.get_by_label("New name").evaluate("field => field.validationMessage")
    assert fault == "maq2 stays as it is: the VM beside it needs another name."
    form.get_by_label("How").select_option("in place")
    form.get_by_label("Dry run").check()
    form.get_by_label("To confirm").fill("maq1")
    form.get_by_role("button", name="Restore", exact=True).click()
    assert form.get_by_label("To confirm").evaluate("field => field.validationMessage") == "Type maq2."
    form.get_by_label("To confirm").fill("maq2")
    form.get_by_role("button", name="Restore", exact=True).click()
    assert _taken_back(daily, "vm_restore", form) == {
        "vm": "maq2",
        "generation": third,
        "how": "in place",
        "confirm": "maq2",
        "start": False,
        "dry_run": True,
    }


def test_an_image_is_protected_and_that_is_lifted_by_a_run_where_the_vault_is(
    daily: Daily, admin: Page, sample_vault: datetime
) -> None:
    """The web server may not have it."""
    _switch_off(daily, "vm_protect")
    newest, *_, protected = reversed(vm("maq2", sample_vault).generations[-6:])
    new, old = (image.instant.strftime("%Y-%m-%dT%H-%M-%SZ") for image in (newest, protected))
    open_page(admin, daily.airflow)
    admin.get_by_role("button", name="maq2", exact=True).click()
    admin.get_by_role("button", name=f"Protect {new}").click()
    form = admin.get_by_role("dialog", name="Protect an image")
    expect(form).to_contain_text(f"maq2 {new} is kept, whatever the retention rules")
    form.get_by_label("Reason").fill("before the upgrade")
    form.get_by_role("button", name="Protect", exact=True).click()
    request = {"vm": "maq2", "generation": new, "lift": False, "why": "before the upgrade"}
    assert _taken_back(daily, "vm_protect", form) == request
    admin.keyboard.press("Escape")
    admin.get_by_role("button", name="maq2", exact=True).click()
    admin.get_by_role("button", name=f"Lift the protection of {old}").click()
    form = admin.get_by_role("dialog", name="Lift the protection of an image")
    expect(form).to_contain_text(f"maq2 {old} is protected by ana: before the upgrade")
    form.get_by_role("button", name="Lift it").click()
    assert _taken_back(daily, "vm_protect", form) == {"vm": "maq2", "generation": old, "lift": True}


def _switch_off(daily: Daily, dag: str) -> None:
    """Pause a DAG, so that a run that the page triggers only waits."""
    daily.airflow.api("PATCH", f"/dags/{dag}", {"is_paused": True})


def _taken_back(daily: Daily, dag: str, form: Locator) -> object:
    """Return what a form triggered a paused DAG with, and delete the run, for which others would wait."""
    run = form.get_by_role("link").inner_text()
    conf: object = daily.airflow.run(dag, run)["conf"]
    daily.airflow.api("DELETE", f"/dags/{dag}/dagRuns/{quote(run, safe='')}")
    return conf


def test_a_vm_that_was_never_booted_has_no_screen(daily: Daily, admin: Page) -> None:
    """And nothing in its place."""
    open_page(admin, daily.airflow)
    admin.get_by_role("button", name="maq8", exact=True).click()
    record = admin.get_by_role("dialog")
    expect(record).to_contain_text("Boot test")
    expect(record).to_contain_text("by ana: before the upgrade")
    expect(record).to_contain_text("Removed once the next image is verified.")
    expect(record).not_to_contain_text("null")
    expect(record.locator("img")).to_have_count(0)


def test_an_image_without_a_record_has_an_unknown_method_and_downtime(
    daily: Daily, admin: Page, sample_vault: datetime
) -> None:
    """In the table and in the VM's record."""
    intact = vm("maq1", sample_vault, weeks=1)
    unreadable = {"method": "unknown", "downtime_s": None, "bytes": 0, "damage": "record.json is missing."}
    images = tuple(image.model_copy(update=unreadable) for image in intact.generations)
    part = VmsPart(vms=(intact.model_copy(update={"generations": images}),))
    publish(daily.airflow, [published(part, sample_vault)])
    open_page(admin, daily.airflow)
    expect(admin.locator(".vms tbody tr")).to_contain_text("unknown")
    admin.locator(".vms th button").click()
    record = admin.get_by_role("dialog")
    expect(record).to_contain_text("The record of its newest image is unreadable.")
    expect(record).to_contain_text("unknown; budget 60.0 s")
