"""What is run from the page, by real runs of the daily DAG, and what the page then shows of it."""

import re
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from include.ordinal_day import OrdinalDay
from include.standing.facts import DayFacts, DaysPart, Part
from tests.dags import DAG, GREEN, Daily, Run, await_
from tests.dags.restore import DAG as RESTORE
from tests.dags.restore import target
from tests.plugins.ui.page import cell, open_framed, open_page
from tests.published import day, rules, said
from tests.site.publish import publish

pytestmark = pytest.mark.xdist_group("ui")

DAYS = [OrdinalDay(2019, number) for number in (363, 364, 365)]


@pytest.fixture(scope="module", autouse=True)
def switched_on(daily: Daily) -> None:
    """Switch the DAGs on, for these tests alone: from now on one runs, and publishes, by itself too."""
    for dag in (DAG, RESTORE):
        daily.airflow.unpause(dag)


@pytest.fixture(scope="module")
def backfilled(daily: Daily, admin: Page) -> list[Run]:
    """Fill a gap of three days from the page, as people do, and wait until all is seen to be well."""
    daily.write(*map(str, DAYS))
    parts: list[Part] = [rules()]
    parts += [DaysPart(year=each.year, days=(_held(each),)) for each in (DAYS[0] - 1, DAYS[-1] + 1)]
    about = {"vault": daily.vault.id, "path": str(daily.institute.vault)}
    publish(daily.airflow, [said(part, datetime.now(UTC), **about) for part in parts], anew=True)
    frame = open_framed(admin, daily.airflow)
    expect(cell(frame, str(DAYS[0]))).to_have_class("u")
    frame.locator(".needs li", has_text="2019-363 to 2019-365 (3 days)").get_by_role("button").click()
    form = frame.get_by_role("dialog", name="Back up days")
    expect(form.get_by_label("First day")).to_have_value("2019-363")
    expect(form.get_by_label("Last day")).to_have_value("2019-365")
    expect(form).to_contain_text("3 runs of supim_daily: 3 days, 2019-363 to 2019-365")
    form.get_by_role("button", name="Back up", exact=True).click()
    expect(form.get_by_role("link", name="its runs")).to_be_visible()
    form.get_by_role("button", name="Close").click()
    return await_(lambda: daily.runs("backfill")[: len(DAYS)], "the backfill's runs")


def _held(which: OrdinalDay) -> DayFacts:
    return day(which, datetime.now(UTC))


def test_missing_days_turn_on_the_open_page_once_they_are_secured(
    daily: Daily, admin: Page, backfilled: list[Run]
) -> None:
    """By Airflow's own backfill, whose tasks publish what the vault then holds; nobody reloads the page."""
    frame = admin.frame_locator("iframe[title=Backups]")
    for each in DAYS:
        expect(cell(frame, str(each))).not_to_have_class(re.compile("u"), timeout=150_000)
    assert {run.end() for run in backfilled} == {"success"}
    assert all(daily.revisions(str(each)) for each in DAYS)
    expect(frame.locator(".needs")).not_to_contain_text("2019-364")


def test_a_run_shows_its_report_as_it_was_mailed(daily: Daily, admin: Page, backfilled: list[Run]) -> None:
    """In a frame of its own that may do nothing."""
    run = backfilled[0]
    admin.goto(f"{daily.airflow.url}/backups/runs/{DAG}/{quote(run.run_id, safe='')}")
    expect(admin.get_by_role("heading", level=1)).to_contain_text(f"SUPIM {run.day} OK")
    told = admin.frame_locator("iframe").get_by_text(f"Day {run.day} was copied and proven").first
    expect(told).to_be_visible()
    admin.get_by_role("link", name="← Backups").click()
    expect(admin.get_by_role("heading", name="Needs you")).to_be_visible()


def test_one_day_is_run_by_itself_and_leads_to_its_run(daily: Daily, admin: Page) -> None:
    """Here for a look alone."""
    open_page(admin, daily.airflow)
    admin.get_by_role("button", name="Back up days …").click()
    form = admin.get_by_role("dialog", name="Back up days")
    for field in ("First day", "Last day"):
        form.get_by_label(field).fill("2018-100")
    form.get_by_label("Dry run").check()
    expect(form).to_contain_text("Dry run. One run of supim_daily: 2018-100.")
    form.get_by_role("button", name="Back up", exact=True).click()
    link = form.get_by_role("link")
    expect(link).to_be_visible()
    [run] = [run for run in daily.runs("manual") if run.day == "2018-100"]
    expect(link).to_have_text(run.run_id)
    assert run.facts["conf"] == {"dry_run": True}


def test_a_day_is_restored_from_its_record(daily: Daily, admin: Page, backfilled: list[Run]) -> None:
    """Here for a look alone: the run proves the day, sees the target, and writes nothing."""
    assert {run.end() for run in backfilled} == {GREEN}
    day, folder = str(DAYS[1]), target(daily, "from the page")
    frame = open_framed(admin, daily.airflow)
    frame.locator("summary", has_text="2019").click()  # nothing is to be done in that year: it's folded
    cell(frame, day).click()
    frame.get_by_role("button", name="Restore it …").click()
    form = frame.get_by_role("dialog", name="Restore days")
    expect(form.get_by_label("First day")).to_have_value(day)
    form.get_by_label("Folder").fill(str(folder))
    form.get_by_label("Dry run").check()
    expect(form).to_contain_text(f"Dry run. restore_day proves {day} in the vault")
    form.get_by_role("button", name="Restore", exact=True).click()
    link = form.get_by_role("link")
    run = Run(daily.airflow, daily.institute, link.inner_text(), RESTORE)
    link.click()
    expect(admin).to_have_url(re.compile(f"/dags/{RESTORE}/runs/manual"))

    assert run.end() == GREEN, run.states()
    assert run.facts["conf"] == {
        "day": day,
        "folder": str(folder),
        "pattern": "*",
        "overwrite": False,
        "dry_run": True,
    }
    assert "1 would be restored" in run.subject
    assert list(folder.iterdir()) == []
