"""Days brought back from the web page alone, as somebody does who has only its form."""

import pytest
from playwright.sync_api import Page

from include.ordinal_day import OrdinalDay
from tests.dags import GREEN, RED, Daily, contents
from tests.dags.restore import DAG, target
from tests.dags.trigger_form import TriggerForm, see
from tests.include.restore.work import publish_folder
from tests.site.airflow_home import VIEWER
from tests.site.browser import Browser

pytestmark = pytest.mark.xdist_group("airflow")

DAY = "2011-300"


@pytest.fixture(scope="module")
def restores(daily: Daily) -> Daily:
    """A vault with a day."""
    publish_folder(daily.vault, daily.write(DAY), OrdinalDay.parse(DAY))
    daily.airflow.unpause(DAG)
    return daily


@pytest.fixture(scope="module")
def page(browser: Browser, restores: Daily) -> Page:
    """Airflow's web page, as its admin sees it."""
    return browser.log_in(restores.airflow)


@pytest.fixture
def form(page: Page, restores: Daily) -> TriggerForm:
    """The DAG's form, opened."""
    return TriggerForm(page, restores.airflow, restores.institute, DAG)


def test_a_day_comes_back_from_the_form_to_the_byte(page: Page, restores: Daily, form: TriggerForm) -> None:
    """Day and folder are all that is asked; the run's page says what came of it."""
    folder = target(restores, "from the form")
    assert not form.can_be_sent()
    form.fill("Day", DAY)
    form.fill("Folder", str(folder))
    run = form.send()

    assert run.end() == GREEN
    assert contents(folder / "2011" / "300") == contents(restores.institute.source / "2011" / "300")
    assert "RESTORE OK · 1 restored" in see(page, run)


def test_a_day_of_another_form_is_refused_at_once(form: TriggerForm) -> None:
    """The page names the field and what was written; the field says how to write it."""
    form.fill("Day", "2011-66")
    form.fill("Folder", "/tmp/nowhere")

    assert "Invalid input for param day: '2011-66'" in form.refused()
    assert "such as 2026-268" in form.told("Day")


def test_what_the_form_cant_know_is_in_the_mail(page: Page, form: TriggerForm) -> None:
    """And the run is red; nothing is asked of any vault."""
    form.fill("Day", "2011-366")
    form.fill("Folder", "/tmp/nowhere")
    run = form.send()

    assert run.end() == RED
    assert "There is no day 366 in 2011; its days go from 1 to 365" in run.told
    assert run.subject in see(page, run)


def test_who_may_only_look_cant_restore(browser: Browser, restores: Daily) -> None:
    """He sees the DAG and its form, but Airflow refuses what he sends."""
    page, runs = browser.log_in(restores.airflow, VIEWER), len(restores.airflow.runs(DAG))
    form = TriggerForm(page, restores.airflow, restores.institute, DAG)
    form.fill("Day", DAY)
    form.fill("Folder", "/tmp/nowhere")

    assert "403" in form.refused("Forbidden")
    assert len(restores.airflow.runs(DAG)) == runs
