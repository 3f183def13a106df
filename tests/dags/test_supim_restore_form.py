"""``supim_restore`` from the *Trigger* form alone."""

import pytest
from playwright.sync_api import Page

from include.ordinal_day import OrdinalDay
from tests.dags import GREEN, RED, Daily, contents
from tests.dags.day_restores import DAG, target
from tests.dags.trigger_form import TriggerForm, see
from tests.include.restore.day_restores import publish_folder
from tests.site.airflow_home import VIEWER
from tests.site.browser import Browser

pytestmark = pytest.mark.worker_group("days")

DAY = "2011-300"
DATE = "2011-10-27"


@pytest.fixture(scope="module")
def restores(daily: Daily) -> Daily:
    """The DAG switched on, with a vault that has a day."""
    publish_folder(daily.vault, daily.write(DAY), OrdinalDay.parse(DAY))
    daily.airflow.unpause(DAG)
    return daily


@pytest.fixture(scope="module")
def page(browser: Browser, restores: Daily) -> Page:
    """Airflow's web page, logged in as admin."""
    return browser.log_in(restores.airflow)


@pytest.fixture
def form(page: Page, restores: Daily) -> TriggerForm:
    """The DAG's open form."""
    return TriggerForm(page, restores.airflow, restores.institute, DAG)


@pytest.mark.slow
def test_a_day_is_restored_from_the_form(page: Page, restores: Daily, form: TriggerForm) -> None:
    """It requires only day and folder; the run's page shows the result."""
    folder = target(restores, "from the form")
    assert not form.can_be_sent()
    form.fill("Day", DATE)
    form.fill("Folder", str(folder))
    run = form.send()

    assert run.end() == GREEN
    assert contents(folder / "2011" / "300") == contents(restores.institute.source / "2011" / "300")
    assert "RESTORE 2011-300 OK · " in see(page, run)


@pytest.mark.slow
def test_a_wrong_day_is_refused_at_once(form: TriggerForm) -> None:
    """The page names the field and what is wrong; the field's description shows both forms."""
    form.fill("Day", "2011-366")
    form.fill("Folder", "/tmp/nowhere")

    refused = form.refused()
    assert "Invalid input for param day: There is no day 366 in 2011; its days go from 1 to 365." in refused
    assert "such as 2026-268, or the date, such as 2026-09-25" in form.field_text("Day")


@pytest.mark.slow
def test_a_mistake_that_the_form_cant_detect_is_in_the_mail(page: Page, form: TriggerForm) -> None:
    """Each field is right, and the run fails."""
    form.fill("Day", "2011-300")
    form.fill("Last day", "2011-10-26")
    form.fill("Folder", "/tmp/nowhere")
    run = form.send()

    assert run.end() == RED
    assert "the last day, 2011-299, is before the first, 2011-300" in run.mail_text
    assert run.subject in see(page, run)


@pytest.mark.slow
def test_a_viewer_cant_restore(browser: Browser, restores: Daily) -> None:
    """A viewer sees the DAG and its form, but Airflow refuses the request."""
    page, runs = browser.log_in(restores.airflow, VIEWER), len(restores.airflow.runs(DAG))
    form = TriggerForm(page, restores.airflow, restores.institute, DAG)
    form.fill("Day", DAY)
    form.fill("Folder", "/tmp/nowhere")

    assert "403" in form.refused("Forbidden")
    assert len(restores.airflow.runs(DAG)) == runs
