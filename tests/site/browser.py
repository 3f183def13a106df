"""A headless Chromium that shows Airflow's pages, for tests and screenshots.

    with Browser() as browser:
        page = browser.log_in(airflow)            # as admin, on Airflow's first page
        page.goto(f"{airflow.url}/dags/supim_restore")
        viewers = browser.log_in(airflow, VIEWER)  # at the same time, with its own cookies

Each page has a context of its own, which shares nothing with the others; the profile is in a temporary folder
that is removed with the browser.
"""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, sync_playwright

from tests.site.airflow import LocalAirflow
from tests.site.airflow_api import AirflowApi
from tests.site.airflow_home import USER

CHROMIUM = Path("/usr/bin/chromium")
_SWITCHES = [
    # Chromium's sandbox doesn't work for root, and the pages are our own.
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    # It must not connect to anything outside.
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
_PATIENCE_MS = 60_000
_SIZE = {"width": 1280, "height": 1000}


class Browser:
    """A Chromium; a context manager.

    Raises:
        FileNotFoundError: on entering, if there is no Chromium; the message says how to install it.
    """

    def __init__(self) -> None:
        self._running = ExitStack()
        self._chromium: Chromium | None = None

    def stranger(self, **context: object) -> Page:
        """Return an empty page that isn't logged in.

        Args:
            **context: what playwright's ``new_context`` takes, such as ``color_scheme="dark"``.
        """
        if self._chromium is None:
            raise RuntimeError("The browser isn't running: use it in a `with` block.")
        settings = {"viewport": _SIZE, "locale": "en-GB"} | context
        page = self._chromium.new_context(**settings).new_page()  # type: ignore[arg-type] # passed on
        page.set_default_timeout(_PATIENCE_MS)
        return page

    def log_in(self, airflow: LocalAirflow, user: str = USER, **context: object) -> Page:
        """Log in to a running Airflow by its form, and return its first page.

        Args:
            airflow: the Airflow.
            user: one of ``airflow.home.passwords``: ``USER``, or ``VIEWER``, who may only look.
            **context: as of ``stranger``.
        """
        return self.log_in_to(AirflowApi(airflow.url, user, airflow.home.passwords[user]), **context)

    def log_in_to(self, account: AirflowApi, **context: object) -> Page:
        """Log in to any Airflow by its form, and return its first page."""
        page = self.stranger(**context)
        page.goto(account.url)
        page.get_by_label("Username").fill(account.user)
        page.get_by_label("Password").fill(account.password)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("link", name="Dags").first.wait_for()
        return page

    def __enter__(self) -> Self:
        if not CHROMIUM.exists():
            raise FileNotFoundError(
                f"There is no Chromium at {CHROMIUM}. Install it: sudo apt-get install --yes chromium"
            )
        with ExitStack() as starting:
            chromium = starting.enter_context(sync_playwright()).chromium
            # Playwright makes the profile in a temporary folder, and removes it at the end.
            self._chromium = chromium.launch(executable_path=CHROMIUM, args=_SWITCHES)
            starting.callback(self._chromium.close)
            self._running = starting.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()
        self._chromium = None
