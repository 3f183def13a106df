"""Airflow's *Trigger* form, filled in by a real Chromium."""

import re
from urllib.parse import unquote

from playwright.sync_api import Locator, Page

from tests.dags import Run
from tests.site import Institute
from tests.site.airflow import LocalAirflow

MORE = "Only when needed"


class TriggerForm:
    """A DAG's open *Trigger* form.

    Args:
        page: a page that is logged in to ``airflow``.
        airflow: an Airflow in which the DAG is switched on.
        institute: the institute that its runs back up.
        dag: the DAG's id.
    """

    def __init__(self, page: Page, airflow: LocalAirflow, institute: Institute, dag: str) -> None:
        self._page, self._airflow, self._institute, self._dag = page, airflow, institute, dag
        page.goto(f"{airflow.url}/dags/{dag}")
        page.get_by_role("button", name="Trigger").first.click()
        self._dialog = page.get_by_role("dialog")
        self._dialog.get_by_text("Run Parameters").wait_for()

    def section(self, title: str) -> None:
        """Open a section that is closed at first."""
        self._dialog.get_by_role("button", name=title).click()

    def fill(self, title: str, text: str) -> None:
        """Fill in a field, of one line or of several."""
        self._field(title).locator("input, textarea").first.fill(text)

    def choose(self, title: str, text: str) -> None:
        """Choose an option that contains a text."""
        self._field(title).get_by_role("combobox").click()
        self._page.get_by_role("option").filter(has_text=text).click()

    def switch(self, title: str) -> None:
        """Toggle a switch."""
        self._field(title).locator("label").last.click()

    def field_text(self, title: str) -> str:
        """Return all text of a field: title, value and description."""
        return self._field(title).inner_text()

    def can_be_sent(self) -> bool:
        """Return whether the *Trigger* button is enabled."""
        return self._button.is_enabled()

    def send(self) -> Run:
        """Press *Trigger*, and return the run whose page opens."""
        self._button.click()
        self._page.wait_for_url(f"**/dags/{self._dag}/runs/*")
        run_id = unquote(self._page.url.partition("/runs/")[2].partition("/")[0].partition("?")[0])
        return Run(self._airflow, self._institute, run_id, self._dag)

    def refused(self, why: str = "Bad Request") -> str:
        """Press *Trigger*, and return the page's error message."""
        self._button.click()
        refusal = self._dialog.get_by_text(why).first.locator("xpath=../..")
        refusal.wait_for()
        return refusal.inner_text()

    @property
    def _button(self) -> Locator:
        return self._page.get_by_test_id("trigger-dag-submit")

    def _field(self, title: str) -> Locator:
        label = self._page.locator("label").filter(has_text=re.compile(rf"^{re.escape(title)}[ *]*$"))
        return self._dialog.get_by_role("group").filter(has=label)


def see(page: Page, run: Run) -> str:
    """Open the page of a run that is over, and return its text."""
    page.goto(f"{run.airflow.url}/dags/{run.dag}/runs/{run.run_id}")
    page.get_by_text(run.note or "no note").first.wait_for()
    return page.locator("body").inner_text()
