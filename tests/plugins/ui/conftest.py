"""One institute and one Airflow for all tests of the page: starting them takes longest."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from include.vault import Vault
from tests import published
from tests.dags import Daily
from tests.site import Institute
from tests.site.airflow import LocalAirflow
from tests.site.browser import Browser
from tests.site.publish import newest, publish

expect.set_options(timeout=60_000)  # nothing here is timed; machines that test are busy


@pytest.fixture(scope="package")
def daily(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daily]:
    """Give the daily DAG, switched off so that nothing runs by itself, with an empty vault and source."""
    root = tmp_path_factory.mktemp("ui")
    with Institute(root / "institute") as institute:
        Vault.create(institute.vault)
        work = Daily(institute, LocalAirflow(root / "airflow", env=institute.airflow_env()))
        work.write_site_file()
        with work.airflow:
            yield work


@pytest.fixture(scope="module")
def admin(daily: Daily, browser: Browser) -> Page:
    """Give a page whose user may do everything; tests go where they want with it."""
    return browser.log_in(daily.airflow)


@pytest.fixture
def another(browser: Browser, admin: Page) -> Iterator[Callable[..., Page]]:
    """Give a way to open a window of the admin's that is set up otherwise, without another log-in."""
    state, opened = admin.context.storage_state(), list[Page]()

    def window(**context: object) -> Page:
        opened.append(browser.stranger(storage_state=state, **context))
        return opened[-1]

    yield window
    for page in opened:
        page.context.close()


_USUAL: dict[str, tuple[datetime, int]] = {}


@pytest.fixture
def usual(daily: Daily) -> datetime:
    """Have a vault with some of everything published, and nothing else; gives when."""
    when, last = _USUAL.get(daily.airflow.url, (datetime.now(UTC), 0))
    if not last or newest(daily.airflow) != last:  # a test before this one published something else
        publish(daily.airflow, published.vault(when), anew=True)
        _USUAL[daily.airflow.url] = when, newest(daily.airflow)
    return when
