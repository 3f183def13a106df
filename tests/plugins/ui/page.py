"""How tests look at the page."""

from playwright.sync_api import FrameLocator, Locator, Page

from tests.site.airflow import LocalAirflow

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


def open_framed(page: Page, airflow: LocalAirflow) -> FrameLocator:
    """Open it as people do: from the navigation of Airflow's UI."""
    page.goto(airflow.url)
    page.get_by_role("link", name="Backups").click()
    frame = page.frame_locator("iframe[title=Backups]")
    frame.get_by_role("heading", level=1).wait_for()
    return frame


def cell(within: Page | FrameLocator, day: str) -> Locator:
    """Give a day's cell in the calendar, by its place."""
    year, number = day.split("-")
    tens, digit = divmod(int(number), 10)
    return within.locator(f"table[data-year='{year}'] tr").nth(1 + digit).locator("td").nth(tens)


def watch_shifts(page: Page) -> None:
    """Have the page note each move of what was already laid out, from its beginning on."""
    page.add_init_script(_SHIFTS)


def shifts(page: Page) -> float:
    """Give how much moved so far, as browsers count it (Cumulative Layout Shift)."""
    moved: float = page.evaluate("window.shifts.reduce((sum, one) => sum + one, 0)")
    return moved
