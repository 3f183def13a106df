"""What users see on the page and do with it, in Chromium."""

import itertools
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import FrameLocator, Locator, Page, expect

from include.ordinal_day import OrdinalDay
from include.status.parts import DaysPart, VmsPart
from tests.dags import DAG, Daily, wait_for
from tests.plugins.ui.page import cell, open_framed, open_page
from tests.sample_status import published, rules, vm
from tests.site.publish import publish

pytestmark = [pytest.mark.worker_group("days"), pytest.mark.usefixtures("sample_vault")]

INSTITUTE = ZoneInfo(rules().zone)


def newest(now: datetime) -> OrdinalDay:
    """Return the newest day of the sample vault."""
    return OrdinalDay.of(now.date()) - 2


def test_the_navigation_opens_the_page_with_headline_and_alerts(daily: Daily, admin: Page) -> None:
    """They come first: whether everything is safe, what is not, and what to do."""
    frame = open_framed(admin, daily.airflow)
    expect(frame.get_by_role("heading", level=1)).to_have_text(re.compile("10 days are not safe"))
    alerts = frame.locator(".alerts li")
    expect(alerts.first).to_contain_text("is damaged in the vault")
    expect(alerts.first.get_by_role("button").first).to_have_text("Back up …")
    expect(frame.get_by_text(re.compile("As of .*, 2 h ago"))).to_be_visible()
    _times_name_the_zone_picked_in_airflow(admin, frame)


def _times_name_the_zone_picked_in_airflow(admin: Page, frame: FrameLocator) -> None:
    """Also when it is picked while the page is open; until then, the institute's."""
    expect(frame.locator("footer")).to_contain_text("times in America/Sao_Paulo, days by America/Sao_Paulo")
    taken, zones = frame.locator(".status time"), {"Asia/Kolkata": "UTC+5:30", "UTC": "UTC"}
    for zone, named in zones.items():
        admin.evaluate("zone => localStorage.setItem('timezone', JSON.stringify(zone))", zone)
        expect(taken.first).to_have_text(re.compile(rf"^\d{{4}}-\d\d-\d\d \d\d:\d\d {re.escape(named)}$"))
        expect(frame.locator("footer")).to_contain_text(f"times in {zone}, days by America/Sao_Paulo")
    admin.evaluate("localStorage.removeItem('timezone')")


def test_a_days_tooltip_has_its_date_state_and_reason(
    daily: Daily, admin: Page, sample_vault: datetime
) -> None:
    """On hover."""
    missing = newest(sample_vault) - 18
    open_page(admin, daily.airflow)
    cell(admin, str(missing)).hover()
    tip = admin.locator("#tip")
    expect(tip).to_contain_text(f"{missing} · still at the source")
    expect(tip).to_contain_text("The source had it")
    expect(tip).to_contain_text(f"{missing.date:%A}")


def test_arrow_keys_move_by_one_day_or_ten(daily: Daily, admin: Page, sample_vault: datetime) -> None:
    """Down by one, right by ten; screen readers read each day; Enter shows the record."""
    last = newest(sample_vault)
    open_page(admin, daily.airflow)
    cell(admin, str(last)).focus()
    for key in ("ArrowLeft", "ArrowUp", "ArrowLeft", "ArrowRight", "ArrowDown"):
        admin.keyboard.press(key)
    focused = admin.locator(":focus")
    expect(focused).to_have_attribute("aria-label", re.compile(f"^{last - 10}, verified. Every byte"))
    admin.keyboard.press("Enter")
    record = admin.get_by_role("dialog")
    expect(record).to_contain_text(f"{last - 10} · verified")
    admin.keyboard.press("Escape")
    expect(focused).to_have_attribute("aria-label", re.compile(f"^{last - 10}"))


def test_a_day_shows_its_record_and_links_to_its_run(
    daily: Daily, admin: Page, sample_vault: datetime
) -> None:
    """The run opens in Airflow's UI, outside the frame."""
    which = newest(sample_vault) - 40
    frame = open_framed(admin, daily.airflow)
    cell(frame, str(which)).click()
    record = frame.get_by_role("dialog")
    expect(record).to_contain_text("48, 412 MB")
    expect(record).to_contain_text("days ago, by a scrub")
    expect(record.get_by_role("button", name="Restore it …")).to_be_visible()
    record.get_by_role("link").click()
    expect(admin).to_have_url(re.compile(f"{daily.airflow.url}/dags/{DAG}/runs/scheduled"))


def test_the_form_refuses_a_day_that_does_not_exist(daily: Daily, admin: Page) -> None:
    """Before it calls Airflow."""
    open_page(admin, daily.airflow)
    admin.get_by_role("button", name="Back up days …").click()
    form = admin.get_by_role("dialog", name="Back up days")
    form.get_by_label("First day").fill("2025-366")
    form.get_by_label("Last day").fill("2025-366")
    form.get_by_role("button", name="Back up", exact=True).click()
    assert "no such day" in form.get_by_label("First day").evaluate("field => field.validationMessage")
    form.get_by_label("First day").fill("2026-268")
    form.get_by_label("Last day").fill("2999-01-02")
    form.get_by_role("button", name="Back up", exact=True).click()
    fault = form.get_by_label("Last day").evaluate("field => field.validationMessage")
    assert fault == "There is no day 2999-002 yet."
    form.get_by_label("Last day").fill(str(OrdinalDay.of(datetime.now(INSTITUTE))))
    expect(form).to_contain_text(
        f"Those after {newest(datetime.now(INSTITUTE))} aren't due yet, and are left out."
    )
    expect(form.locator(".result")).to_be_empty()


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
    expect(rows.nth(2)).to_contain_text(re.compile(r"17 days ago.* GB17 days agopassed.* sProtect …"))
    expect(rows.nth(5)).to_contain_text("by anaLift …")
    rows.nth(2).get_by_role("button", name=f"Restore {third}").click()
    form = admin.get_by_role("dialog", name="Restore a VM")
    expect(form.get_by_label("Image")).to_have_value(third)
    expect(form.get_by_label("Image").locator("option")).to_have_count(13)
    expect(form).to_contain_text(f"vm_restore makes a new VM, maq2-restored, of {third}")
    expect(form).to_contain_text("vm_restore is paused. It waits until you switch it on.")
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


@pytest.mark.parametrize("width", [360, 1280])
def test_the_space_chart_has_legible_axes(daily: Daily, new_window: Callable[..., Page], width: int) -> None:
    """In any window: no label overlaps another, or is cut off."""
    page = new_window(viewport={"width": width, "height": 900})
    open_page(page, daily.airflow)
    sizes, dates = (page.locator(".space-chart .axis").nth(axis).locator("text:visible") for axis in (0, 1))
    assert sizes.all_text_contents() == ["0", "5.0 TB", "10 TB"]
    assert dates.count() == (3 if width == 360 else 5)
    boxes = [label.bounding_box() for label in dates.all()]
    spans = [(box["x"], box["x"] + box["width"]) for box in boxes if box]
    assert all(left[1] + 8 < right[0] for left, right in itertools.pairwise(spans))
    assert spans[-1][1] <= width


def test_without_events_the_page_says_what_to_do(daily: Daily, admin: Page) -> None:
    """As after a reset of the database."""
    publish(daily.airflow, [], clear=True)
    open_page(admin, daily.airflow)
    expect(admin.get_by_role("heading", level=1)).to_contain_text("No status yet")
    expect(admin.get_by_text("Nothing has been backed up yet")).to_contain_text("supim_daily")
    expect(admin.get_by_role("link", name="vault_status")).to_be_visible()


def test_an_old_status_is_called_old(daily: Daily, admin: Page, sample_vault: datetime) -> None:
    """In the headline and the first alert."""
    publish(daily.airflow, [published(rules(), sample_vault - timedelta(days=5))], clear=True)
    open_page(admin, daily.airflow)
    expect(admin.get_by_role("heading", level=1)).to_contain_text("No status since")
    expect(admin.locator(".alerts li").first).to_contain_text("5 days old. Run vault_status")


def test_a_slow_task_does_not_replace_newer_data(daily: Daily, admin: Page, sample_vault: datetime) -> None:
    """It published last what it had read first."""
    old = DaysPart(year=newest(sample_vault).year, days=())
    publish(daily.airflow, [published(old, sample_vault - timedelta(hours=3))])
    open_page(admin, daily.airflow)
    expect(admin.get_by_role("heading", level=1)).to_have_text(re.compile("10 days are not safe"))


def test_several_vaults_have_a_page_each(daily: Daily, admin: Page, sample_vault: datetime) -> None:
    """The links between them show the status of each."""
    publish(daily.airflow, [published(rules(), sample_vault, vault="second", path="/other/vault")])
    open_page(admin, daily.airflow)
    admin.get_by_role("navigation", name="Vaults").get_by_role("link", name="/other/vault").click()
    expect(admin.get_by_text("No days yet.")).to_be_visible()


def test_the_page_of_a_run_without_a_report_says_so_and_links_back(daily: Daily, admin: Page) -> None:
    """It is not written yet, or Airflow has deleted it."""
    open_page(admin, daily.airflow)
    admin.get_by_role("link", name=re.compile("SCRUB FAILED")).first.click()
    expect(admin.get_by_text(re.compile("has no report yet, or Airflow has deleted it"))).to_be_visible()
    admin.get_by_role("link", name="← Backups").click()
    expect(admin.get_by_role("heading", level=1)).to_contain_text("days are not safe")
