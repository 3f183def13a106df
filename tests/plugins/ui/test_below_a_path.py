"""Airflow served below a path, as behind a proxy that also serves other things."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from include.ordinal_day import OrdinalDay
from tests import sample_status
from tests.one_airflow import OneAirflow
from tests.plugins.ui.page import cell, open_framed
from tests.site import Institute
from tests.site.airflow import LocalAirflow
from tests.site.airflow_home import USER
from tests.site.browser import Browser
from tests.site.publish import publish

pytestmark = [pytest.mark.worker_group("days"), pytest.mark.slow]


@pytest.fixture(scope="module")
def airflow(one: OneAirflow, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAirflow]:
    """Start another Airflow instead of the shared one, with paused DAGs, and publish the sample vault."""
    one.airflow.stop()  # each test worker runs one at a time
    root = tmp_path_factory.mktemp("below")
    institute = Institute(root)
    institute.write_site_file()
    env = {"INPE_BACKUP_SITE": str(institute.site_file)}
    with LocalAirflow(root / "airflow", env=env, below="/airflow") as airflow:
        publish(airflow, sample_status.vault(datetime.now(UTC)))
        yield airflow
    one.airflow.start()


def test_the_whole_page_works_below_the_path(airflow: LocalAirflow, browser: Browser) -> None:
    """The login, the navigation, a day's record, a form that starts a run, and the link to the run."""
    page = browser.stranger()
    not_found: list[str] = []
    page.on("response", lambda response: not_found.append(response.url) if response.status == 404 else None)
    page.goto(f"{airflow.url}/backups/")
    page.get_by_label("Username").fill(USER)
    page.get_by_label("Password").fill(airflow.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("days are not safe")
    assert page.url == f"{airflow.url}/backups/"

    frame = open_framed(page, airflow)
    cell(frame, str(OrdinalDay.of(datetime.now(UTC).date()) - 20)).click()
    frame.get_by_role("button", name="Back it up …").click()
    form = frame.get_by_role("dialog", name="Back up days")
    form.get_by_label("Dry run").check()
    form.get_by_role("button", name="Back up", exact=True).click()
    expect(form.get_by_role("alert")).to_contain_text(
        "supim_daily is paused. It waits until you switch it on: "
    )
    expect(form.get_by_role("alert")).not_to_contain_text("started")
    form.get_by_role("link").click()
    expect(page).to_have_url(re.compile(f"^{airflow.url}/dags/supim_daily/runs/manual"))
    page.goto(f"{airflow.url}/backups/")
    waits = "supim_daily is paused. Its run waits until you switch it on."
    expect(page.get_by_role("listitem").filter(has_text="supim_daily is paused")).to_contain_text(waits)
    assert not_found == []
