"""Fixtures of the page, on the test worker's Airflow."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from tests import sample_status
from tests.dags import Daily
from tests.one_airflow import OneAirflow
from tests.site.browser import Browser
from tests.site.publish import newest, publish

expect.set_options(timeout=60_000)  # these tests measure no time, and the machine may be busy


@pytest.fixture(scope="module")
def daily(one: OneAirflow) -> Daily:
    """Return the daily DAG, paused, with an empty vault and source."""
    work = Daily.on(one, "ui")
    one.take_over()
    work.write_site_file()
    return work


@pytest.fixture(scope="module")
def admin(daily: Daily, browser: Browser) -> Page:
    """Return a page with an admin logged in, which all tests of a module share."""
    return browser.log_in(daily.airflow)


@pytest.fixture
def new_window(browser: Browser, admin: Page) -> Iterator[Callable[..., Page]]:
    """Return a function that opens another window for the admin, without another login."""
    state, opened = admin.context.storage_state(), list[Page]()

    def window(**context: object) -> Page:
        opened.append(browser.stranger(storage_state=state, **context))
        return opened[-1]

    yield window
    for page in opened:
        page.context.close()


_SAMPLE: dict[str, tuple[datetime, int]] = {}


@pytest.fixture
def sample_vault(daily: Daily) -> datetime:
    """Publish the sample vault, and nothing else; return when it was published."""
    when, last = _SAMPLE.get(daily.airflow.url, (datetime.now(UTC), 0))
    if not last or newest(daily.airflow) != last:  # an earlier test published something else
        publish(daily.airflow, sample_status.vault(when), clear=True)
        _SAMPLE[daily.airflow.url] = when, newest(daily.airflow)
    return when
