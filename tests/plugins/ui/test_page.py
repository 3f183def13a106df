"""What people see on the page and do with it, in a real Chromium."""

import itertools
import re
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from include.ordinal_day import OrdinalDay
from include.standing.facts import DaysPart, MachinesPart
from tests.dags import DAG, Daily, await_
from tests.plugins.ui.page import cell, open_framed, open_page
from tests.published import machine, rules, said
from tests.site.publish import publish

pytestmark = [pytest.mark.xdist_group("ui"), pytest.mark.usefixtures("usual")]


def newest(now: datetime) -> OrdinalDay:
    """Give the newest day in the data set."""
    return OrdinalDay.of(now.date()) - 2


def test_the_navigation_leads_to_a_headline_and_what_to_do(daily: Daily, admin: Page) -> None:
    """Whether all is safe, what isn't, and the step; the rest comes below."""
    frame = open_framed(admin, daily.airflow)
    expect(frame.get_by_role("heading", level=1)).to_have_text(re.compile("10 days are not safe"))
    needs = frame.locator(".needs li")
    expect(needs.first).to_contain_text("is damaged in the vault")
    expect(needs.first.get_by_role("button")).to_have_text("Back up …")
    expect(frame.get_by_text(re.compile("As of .*, 2 h ago"))).to_be_visible()


def test_hovering_over_a_day_tells_of_it(daily: Daily, admin: Page, usual: datetime) -> None:
    """Its date, its state and why."""
    missing = newest(usual) - 18
    open_page(admin, daily.airflow)
    cell(admin, str(missing)).hover()
    tip = admin.locator("#tip")
    expect(tip).to_contain_text(f"{missing} · missing, still at the source")
    expect(tip).to_contain_text("The source had it")
    expect(tip).to_contain_text(f"{missing.date:%A}")


def test_arrow_keys_walk_the_year_by_days_and_tens(daily: Daily, admin: Page, usual: datetime) -> None:
    """Down is the next day, right ten days on; each is said to screen readers; Enter shows the record."""
    last = newest(usual)
    open_page(admin, daily.airflow)
    cell(admin, str(last)).focus()
    for key in ("ArrowLeft", "ArrowUp", "ArrowLeft", "ArrowRight", "ArrowDown"):
        admin.keyboard.press(key)
    focused = admin.locator(":focus")
    expect(focused).to_have_attribute("aria-label", re.compile(f"^{last - 10}, proven. Every byte"))
    admin.keyboard.press("Enter")
    record = admin.get_by_role("dialog")
    expect(record).to_contain_text(f"{last - 10} · proven")
    admin.keyboard.press("Escape")
    expect(focused).to_have_attribute("aria-label", re.compile(f"^{last - 10}"))


def test_a_day_shows_its_record_and_leads_to_its_run(daily: Daily, admin: Page, usual: datetime) -> None:
    """Files, bytes, proof and its age, and the run, in Airflow's own UI around the frame."""
    which = newest(usual) - 40
    frame = open_framed(admin, daily.airflow)
    cell(frame, str(which)).click()
    record = frame.get_by_role("dialog")
    expect(record).to_contain_text("48, 412 MB")
    expect(record).to_contain_text("days ago, by an audit")
    expect(record.get_by_role("button", name="Restore it …")).to_be_visible()
    record.get_by_role("link").click()
    expect(admin).to_have_url(re.compile(f"{daily.airflow.url}/dags/{DAG}/runs/scheduled"))


def test_a_day_that_does_not_exist_is_not_asked_for(daily: Daily, admin: Page) -> None:
    """The form says so before Airflow is bothered."""
    open_page(admin, daily.airflow)
    admin.get_by_role("button", name="Back up days …").click()
    form = admin.get_by_role("dialog", name="Back up days")
    form.get_by_label("First day").fill("2025-366")
    form.get_by_label("Last day").fill("2025-366")
    form.get_by_role("button", name="Back up", exact=True).click()
    assert "no such day" in form.get_by_label("First day").evaluate("field => field.validationMessage")
    expect(form.locator(".answer")).to_be_empty()


def test_a_machine_shows_its_screen_and_its_downtimes(daily: Daily, admin: Page) -> None:
    """The picture is the one that its last drill published."""
    open_page(admin, daily.airflow)
    admin.get_by_label("Filter").fill("maq2")
    expect(admin.locator(".fleet tbody tr:visible")).to_have_count(1)
    expect(admin.locator("#found")).to_have_text("1 of 8")
    admin.get_by_role("button", name="maq2", exact=True).click()
    record = admin.get_by_role("dialog")
    expect(record).to_contain_text("budget 60.0 s")
    picture = record.get_by_alt_text("The screen of maq2 in its last drill")
    expect(picture).to_be_visible()
    await_(lambda: picture.evaluate("image => image.naturalWidth") == 320, "the picture")


def test_of_an_image_without_a_record_nothing_is_made_up(daily: Daily, admin: Page, usual: datetime) -> None:
    """Neither how it was made, nor how long the machine was down for it."""
    good = machine("maq1", usual, weeks=1)
    spoiled = {"method": "unknown", "downtime_s": None, "bytes": 0, "damage": "record.json is missing."}
    images = tuple(image.model_copy(update=spoiled) for image in good.generations)
    part = MachinesPart(machines=(good.model_copy(update={"generations": images}),))
    publish(daily.airflow, [said(part, usual)])
    open_page(admin, daily.airflow)
    expect(admin.locator(".fleet tbody tr")).to_contain_text("not known")
    admin.locator(".fleet th button").click()
    record = admin.get_by_role("dialog")
    expect(record).to_contain_text("its record can't be read")
    expect(record).to_contain_text("not known; budget 60.0 s")


@pytest.mark.parametrize("width", [360, 1280])
def test_the_room_has_sizes_and_dates_that_can_be_read(
    daily: Daily, another: Callable[..., Page], width: int
) -> None:
    """In any window: none is drawn over another, or cut off."""
    page = another(viewport={"width": width, "height": 900})
    open_page(page, daily.airflow)
    sizes, dates = (page.locator(".room .axis").nth(axis).locator("text:visible") for axis in (0, 1))
    assert sizes.all_text_contents() == ["0", "5.0 TB", "10 TB"]
    assert dates.count() == (3 if width == 360 else 5)
    boxes = [label.bounding_box() for label in dates.all()]
    places = [(box["x"], box["x"] + box["width"]) for box in boxes if box]
    assert all(one[1] + 8 < other[0] for one, other in itertools.pairwise(places))
    assert places[-1][1] <= width


def test_where_nothing_was_published_the_page_says_what_to_do(daily: Daily, admin: Page) -> None:
    """As after a lost database."""
    publish(daily.airflow, [], anew=True)
    open_page(admin, daily.airflow)
    expect(admin.get_by_role("heading", level=1)).to_contain_text("Nothing is known yet")
    expect(admin.get_by_role("link", name="publish_facts")).to_be_visible()


def test_an_old_view_is_told_as_old(daily: Daily, admin: Page, usual: datetime) -> None:
    """Before anything else."""
    publish(daily.airflow, [said(rules(), usual - timedelta(days=5))], anew=True)
    open_page(admin, daily.airflow)
    expect(admin.get_by_role("heading", level=1)).to_contain_text("Nothing is known since")
    expect(admin.locator(".needs li").first).to_contain_text("5 days old. Run publish_facts")


def test_a_slow_task_hides_nothing_newer(daily: Daily, admin: Page, usual: datetime) -> None:
    """What it read before others read, and published after them, isn't shown."""
    old = DaysPart(year=newest(usual).year, days=())
    publish(daily.airflow, [said(old, usual - timedelta(hours=3))])
    open_page(admin, daily.airflow)
    expect(admin.get_by_role("heading", level=1)).to_have_text(re.compile("10 days are not safe"))


def test_several_vaults_have_a_page_each(daily: Daily, admin: Page, usual: datetime) -> None:
    """And links between them say how each stands."""
    publish(daily.airflow, [said(rules(), usual, vault="second", path="/other/vault")])
    open_page(admin, daily.airflow)
    admin.get_by_role("navigation", name="Vaults").get_by_role("link", name="/other/vault").click()
    expect(admin.get_by_text("No day is known yet.")).to_be_visible()


def test_a_run_without_a_report_says_so_and_leads_back(daily: Daily, admin: Page) -> None:
    """Airflow may have cleaned it away, or it isn't written yet."""
    open_page(admin, daily.airflow)
    admin.get_by_role("link", name=re.compile("AUDIT FAILED")).first.click()
    expect(admin.get_by_text(re.compile("has no report: it isn't so far"))).to_be_visible()
    admin.get_by_role("link", name="← Backups").click()
    expect(admin.get_by_role("heading", level=1)).to_contain_text("days are not safe")
