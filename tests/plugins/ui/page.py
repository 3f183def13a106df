"""Helpers for tests of the page."""

from playwright.sync_api import FrameLocator, Locator, Page

from tests.site.airflow import LocalAirflow
from tests.site.airflow_api import AirflowApi

_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts.push(entry.value);
}).observe({ type: "layout-shift", buffered: true });
"""


def open_page(page: Page, airflow: LocalAirflow, query: str = "") -> None:
    """Open the page by itself, without Airflow's frame around it."""
    page.goto(f"{airflow.url}/backups/{query}")
    page.get_by_role("heading", level=1).wait_for()


def open_framed(page: Page, airflow: AirflowApi) -> FrameLocator:
    """Open the page from the navigation of Airflow's UI, in its frame."""
    page.goto(airflow.url)
    page.get_by_role("link", name="Backups").click()
    frame = page.frame_locator("iframe[title=Backups]")
    frame.get_by_role("heading", level=1).wait_for()
    return frame


def cell(within: Page | FrameLocator, day: str) -> Locator:
    """Return a day's cell in the calendar, by its row and column."""
    year, number = day.split("-")
    tens, digit = divmod(int(number), 10)
    return within.locator(f"table[data-year='{year}'] tr").nth(1 + digit).locator("td").nth(tens)


def watch_shifts(page: Page) -> None:
    """Make the page record every layout shift, from its start."""
    page.add_init_script(_SHIFTS)


def shifts(page: Page) -> float:
    """Return the layout shift so far, as browsers measure it (Cumulative Layout Shift)."""
    total: float = page.evaluate("window.shifts.reduce((sum, shift) => sum + shift, 0)")
    return total
