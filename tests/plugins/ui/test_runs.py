"""Backups and restores that are started from the page, with real runs, and what the page then shows."""

import re
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from include.ordinal_day import OrdinalDay
from include.status.parts import DaysPart, DayStatus, Part
from tests.dags import DAG, GREEN, Daily, Run, wait_for
from tests.dags.day_restores import DAG as RESTORE
from tests.dags.day_restores import target
from tests.plugins.ui.page import cell, open_framed, open_page
from tests.sample_status import day, published, rules
from tests.site.publish import publish

pytestmark = [pytest.mark.worker_group("days"), pytest.mark.slow]

DAYS = [OrdinalDay(2019, number) for number in (363, 364, 365)]


@pytest.fixture(scope="module", autouse=True)
def unpaused(daily: Daily) -> None:
    """Unpause the DAGs for these tests; from now on, scheduled runs publish, too."""
    for dag in (DAG, RESTORE):
        daily.airflow.unpause(dag)


@pytest.fixture(scope="module")
def backfilled(daily: Daily, admin: Page) -> list[Run]:
    """Backfill a gap of three days from the page, and return its runs."""
    daily.write(*map(str, DAYS))
    parts: list[Part] = [rules()]
    parts += [DaysPart(year=each.year, days=(_in_vault(each),)) for each in (DAYS[0] - 1, DAYS[-1] + 1)]
    about = {"vault": daily.vault.id, "path": str(daily.institute.vault)}
    publish(daily.airflow, [published(part, datetime.now(UTC), **about) for part in parts], clear=True)
    frame = open_framed(admin, daily.airflow)
    expect(cell(frame, str(DAYS[0]))).to_have_class("u")
    frame.locator(".alerts li", has_text="2019-363 to 2019-365 (3 days)").get_by_role("button").first.click()
    form = frame.get_by_role("dialog", name="Back up days")
    expect(form.get_by_label("First day")).to_have_value("2019-363")
    expect(form.get_by_label("Last day")).to_have_value("2019-365")
    expect(form).to_contain_text("3 runs of supim_daily: 3 days, 2019-363 to 2019-365")
    form.get_by_role("button", name="Back up", exact=True).click()
    expect(form.get_by_role("link", name="its runs")).to_be_visible()
    form.get_by_role("button", name="Close").click()
    days = set(map(str, DAYS))
    return wait_for(lambda: [run for run in daily.runs("backfill") if run.day in days], "the backfill's runs")


def _in_vault(which: OrdinalDay) -> DayStatus:
    return day(which, datetime.now(UTC))


def test_the_open_page_shows_days_as_safe_once_they_are_backed_up(
    daily: Daily, admin: Page, backfilled: list[Run]
) -> None:
    """By a backfill, whose tasks publish the status; nobody reloads the page."""
    frame = admin.frame_locator("iframe[title=Backups]")
    for each in DAYS:
        expect(cell(frame, str(each))).not_to_have_class(re.compile("u"), timeout=150_000)
    assert {run.end() for run in backfilled} == {"success"}
    assert all(daily.revisions(str(each)) for each in DAYS)
    expect(frame.locator(".alerts")).not_to_contain_text("2019-364")


def test_a_run_shows_its_whole_report(daily: Daily, admin: Page, backfilled: list[Run]) -> None:
    """In a sandboxed frame, once it has one."""
    run = backfilled[0]
    assert run.end() == GREEN, run.states()
    admin.goto(f"{daily.airflow.url}/backups/runs/{DAG}/{quote(run.run_id, safe='')}")
    expect(admin.get_by_role("heading", level=1)).to_contain_text(f"SUPIM {run.day} OK")
    sentence = admin.frame_locator("iframe").get_by_text(f"Day {run.day} was copied and verified").first
    expect(sentence).to_be_visible()
    admin.get_by_role("link", name="← Backups").click()
    expect(admin.get_by_role("heading", name="Action required")).to_be_visible()


def test_one_day_starts_one_run_and_links_to_it(daily: Daily, admin: Page) -> None:
    """Here as a dry run; a day may be typed as a date."""
    open_page(admin, daily.airflow)
    admin.get_by_role("button", name="Back up days …").click()
    form = admin.get_by_role("dialog", name="Back up days")
    form.get_by_label("First day").fill("2018-100")
    form.get_by_label("Last day").fill("2018-04-10")
    form.get_by_label("Dry run").check()
    expect(form).to_contain_text("Dry run. One run of supim_daily: 2018-100.")
    form.get_by_role("button", name="Back up", exact=True).click()
    link = form.get_by_role("link")
    expect(link).to_be_visible()
    [run] = [run for run in daily.runs("manual") if run.day == "2018-100"]
    expect(link).to_have_text(run.run_id)
    assert run.info["conf"] == {"dry_run": True}


def test_a_day_is_restored_from_its_record(daily: Daily, admin: Page, backfilled: list[Run]) -> None:
    """Here as a dry run, which verifies the day, reads the target, and writes nothing."""
    assert {run.end() for run in backfilled} == {GREEN}
    day, folder = str(DAYS[1]), target(daily, "from the page")
    frame = open_framed(admin, daily.airflow)
    frame.locator("summary", has_text="2019").click()  # nothing in that year needs attention, so it is closed
    cell(frame, day).click()
    frame.get_by_role("button", name="Restore it …").click()
    form = frame.get_by_role("dialog", name="Restore days")
    expect(form.get_by_label("First day")).to_have_value(day)
    form.get_by_label("Folder to restore to").fill(str(folder))
    form.get_by_label("Dry run").check()
    expect(form).to_contain_text(
        f"Dry run. supim_restore verifies {day} in the vault (the newest revision that"
    )
    form.get_by_role("button", name="Restore", exact=True).click()
    link = form.get_by_role("link")
    run = Run(daily.airflow, daily.institute, link.inner_text(), RESTORE)
    link.click()
    expect(admin).to_have_url(re.compile(f"/dags/{RESTORE}/runs/manual"))

    assert run.end() == GREEN, run.states()
    assert run.info["conf"] == {
        "day": day,
        "folder": str(folder),
        "pattern": "*",
        "overwrite": False,
        "dry_run": True,
    }
    assert "1 would be restored" in run.subject
    assert list(folder.iterdir()) == []
