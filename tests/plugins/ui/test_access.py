"""Who sees the page and its facts, and what the browser is told about them."""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.dags import Daily
from tests.plugins.ui.page import open_page
from tests.published import VAULT
from tests.site.airflow_home import VIEWER
from tests.site.browser import Browser

pytestmark = [pytest.mark.xdist_group("ui"), pytest.mark.usefixtures("usual")]

PATHS = [
    "/",
    "/?vault=x",
    "/static/page.css",
    "/static/page.js",
    f"/screens/{VAULT}/maq1",
    "/runs/supim_daily/x",
    "/reports/supim_daily/x",
    "/api/v1/news",
    "/api/v1/vaults",
    f"/api/v1/vaults/{VAULT}",
    f"/api/v1/vaults/{VAULT}/years/2026",
    f"/api/v1/vaults/{VAULT}/days/2026-100",
    f"/api/v1/vaults/{VAULT}/machines",
    f"/api/v1/vaults/{VAULT}/machines/maq1",
    f"/api/v1/vaults/{VAULT}/room",
    f"/api/v1/vaults/{VAULT}/runs",
    "/docs",
    "/openapi.json",
]


def ask(daily: Daily, path: str, token: str = "", method: str = "GET") -> tuple[int, Any, dict[str, str]]:
    """Ask without a browser; gives status, body and headers."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"{daily.airflow.url}/backups{path}", headers=headers, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own server
            return answer.status, answer.read(), dict(answer.headers)
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read(), dict(refused.headers)


@pytest.fixture
def viewer(daily: Daily, browser: Browser) -> Iterator[Page]:
    """Give a page of somebody who may look, and do nothing."""
    page = browser.log_in(daily.airflow, VIEWER)
    yield page
    page.context.close()


@pytest.mark.parametrize("path", PATHS)
def test_a_stranger_gets_nothing(daily: Daily, path: str) -> None:
    """Not even the style sheet, nor a word of what there is."""
    status, body, _ = ask(daily, path)
    assert status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND)
    assert status == HTTPStatus.UNAUTHORIZED or path in ("/docs", "/openapi.json")
    assert b"maq" not in body


def test_a_stranger_in_a_browser_is_asked_to_log_in(daily: Daily, browser: Browser) -> None:
    """And sees the page after it."""
    page = browser.stranger()
    page.goto(f"{daily.airflow.url}/backups/")
    page.get_by_label("Username").fill(VIEWER)
    page.get_by_label("Password").fill(daily.airflow.home.passwords[VIEWER])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("days are not safe")
    page.context.close()


def test_a_viewer_sees_everything_and_is_told_that_airflow_refuses(daily: Daily, viewer: Page) -> None:
    """Airflow decides: the page has no rights of its own."""
    open_page(viewer, daily.airflow)
    expect(viewer.get_by_role("heading", level=1)).to_contain_text("days are not safe")
    before = len(daily.airflow.runs("supim_daily"))
    viewer.locator(".needs li", has_text="damaged in the vault").get_by_role("button").click()
    form = viewer.get_by_role("dialog", name="Back up days")
    form.get_by_role("button", name="Back up", exact=True).click()
    expect(form.get_by_role("alert")).to_have_text(
        "You may look, but not start runs. Ask whoever runs Airflow."
    )
    assert len(daily.airflow.runs("supim_daily")) == before


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_changed_by_the_page(daily: Daily, method: str) -> None:
    """It only answers questions, whoever asks."""
    token = daily.airflow.log_in()
    for path in ("/", "/api/v1/vaults"):
        assert ask(daily, path, token, method)[0] == HTTPStatus.METHOD_NOT_ALLOWED


def test_the_browser_may_load_nothing_from_elsewhere(daily: Daily) -> None:
    """No inline script or style, no other host, no frame of another site around it."""
    _, body, headers = ask(daily, "/", daily.airflow.log_in())
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'self'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert not re.search(rb"<script>|<style|style=| on\w+=", body)
    assert not re.search(rb"(src|href)=\"?(https?:)?//", body)


def test_the_same_facts_come_as_json(daily: Daily) -> None:
    """Under a path with a version in it."""
    token = daily.airflow.log_in()
    [vault] = _json(daily, "vaults", token)
    assert (vault["vault"], vault["path"], vault["urgency"]) == (VAULT, "/backup/vault", "look now")
    year = _json(daily, f"vaults/{VAULT}/years/{vault['years'][0]}", token)
    damaged = next(day["day"] for day in year if day["state"] == "damaged")
    told = _json(daily, f"vaults/{VAULT}/days/{damaged}", token)
    assert told["record"]["damage"] == "1 of its 48 files differs from its checksum."
    assert told["step"] == "Back it up"
    assert _json(daily, f"vaults/{VAULT}/machines/maq1", token)["screen"] is True
    assert _json(daily, f"vaults/{VAULT}/room", token)["sentence"].startswith("It grows by")
    assert _json(daily, f"vaults/{VAULT}/runs", token)[0]["good"] is True


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("vaults/none", HTTPStatus.NOT_FOUND),
        (f"vaults/{VAULT}/machines/none", HTTPStatus.NOT_FOUND),
        (f"vaults/{VAULT}/days/2025-366", HTTPStatus.BAD_REQUEST),
    ],
)
def test_what_there_is_not_is_said(daily: Daily, path: str, status: HTTPStatus) -> None:
    """With a sentence."""
    answered, body, _ = ask(daily, f"/api/v1/{path}", daily.airflow.log_in())
    assert answered == status
    assert " " in json.loads(body)["detail"]


def _json(daily: Daily, path: str, token: str) -> Any:  # noqa: ANN401 - JSON
    status, body, _ = ask(daily, f"/api/v1/{path}", token)
    assert status == HTTPStatus.OK, body
    return json.loads(body)
