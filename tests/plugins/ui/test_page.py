"""What users see on the page and do with it, in Chromium."""

import itertools
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from include.ordinal_day import OrdinalDay
from include.status.parts import DaysPart
from tests.dags import DAG, Daily
from tests.plugins.ui.page import cell, open_framed, open_page
from tests.sample_status import published, rules
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
    form.get_by_role("button", name="Back up", exact=True).click()
    assert "no such day" in form.get_by_label("First day").evaluate("field => field.validationMessage")
    form.get_by_label("First day").fill("2026-268")
    expect(form).to_contain_text("One run of supim_daily: 2026-268.")
    form.get_by_label("Last day").fill("2999-01-02")
    form.get_by_role("button", name="Back up", exact=True).click()
    fault = form.get_by_label("Last day").evaluate("field => field.validationMessage")
    assert fault == "There is no day 2999-002 (2999-01-02) yet."
    form.get_by_label("Last day").fill(str(OrdinalDay.of(datetime.now(INSTITUTE))))
    expect(form).to_contain_text(
        f"Those after {newest(datetime.now(INSTITUTE))} aren't due yet, and are left out."
    )
    expect(form.locator(".result")).to_be_empty()


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
