"""Airflow served below a path, as behind a proxy that serves other things too: the page goes with it."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from include.ordinal_day import OrdinalDay
from tests import published
from tests.plugins.ui.page import cell, open_framed
from tests.site import Institute
from tests.site.airflow import LocalAirflow
from tests.site.airflow_home import USER
from tests.site.browser import Browser
from tests.site.publish import publish

pytestmark = pytest.mark.xdist_group("ui")


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAirflow]:
    """Give an Airflow of its own, with a vault published; its DAGs are switched off."""
    root = tmp_path_factory.mktemp("below")
    institute = Institute(root)
    institute.write_site_file()
    env = {"INPE_BACKUP_SITE": str(institute.site_file)}
    with LocalAirflow(root / "airflow", env=env, below="/airflow") as airflow:
        publish(airflow, published.vault(datetime.now(UTC)))
        yield airflow


def test_everything_of_the_page_is_below_that_path(airflow: LocalAirflow, browser: Browser) -> None:
    """The log-in, the navigation, a day's record, a form that starts a run, and the link to that run."""
    page = browser.stranger()
    lost: list[str] = []
    page.on("response", lambda answer: lost.append(answer.url) if answer.status == 404 else None)
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
    form.get_by_role("link").click()
    expect(page).to_have_url(re.compile(f"^{airflow.url}/dags/supim_daily/runs/manual"))
    assert lost == []
