"""Who may see the page and its JSON, and what the browser may do with them."""

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
from tests.sample_status import VAULT
from tests.site.airflow_home import VIEWER
from tests.site.browser import Browser

pytestmark = [pytest.mark.worker_group("days"), pytest.mark.usefixtures("sample_vault")]

PATHS = [
    "/",
    "/?vault=x",
    "/static/page.css",
    "/static/page.js",
    "/static/vms.js",
    f"/screens/{VAULT}/maq1",
    "/runs/supim_daily/x",
    "/reports/supim_daily/x",
    "/api/v1/news",
    "/api/v1/vaults",
    f"/api/v1/vaults/{VAULT}",
    f"/api/v1/vaults/{VAULT}/years/2026",
    f"/api/v1/vaults/{VAULT}/days/2026-100",
    f"/api/v1/vaults/{VAULT}/vms",
    f"/api/v1/vaults/{VAULT}/vms/maq1",
    f"/api/v1/vaults/{VAULT}/space",
    f"/api/v1/vaults/{VAULT}/runs",
    "/docs",
    "/openapi.json",
]


def request(daily: Daily, path: str, token: str = "", method: str = "GET") -> tuple[int, Any, dict[str, str]]:
    """Send a request without a browser; return status, body and headers."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    prepared = urllib.request.Request(f"{daily.airflow.url}/backups{path}", headers=headers, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(prepared) as response:  # noqa: S310 - our own server
            return response.status, response.read(), dict(response.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read(), dict(error.headers)


@pytest.fixture
def viewer(daily: Daily, browser: Browser) -> Iterator[Page]:
    """Return a page with a viewer logged in, who may change nothing."""
    page = browser.log_in(daily.airflow, VIEWER)
    yield page
    page.context.close()


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_served_without_a_login(daily: Daily, path: str) -> None:
    """Not even the style sheet, or a hint of what exists."""
    status, body, _ = request(daily, path)
    assert status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND)
    assert status == HTTPStatus.UNAUTHORIZED or path in ("/docs", "/openapi.json")
    assert b"maq" not in body


def test_a_browser_without_a_login_is_sent_to_the_login_page(daily: Daily, browser: Browser) -> None:
    """After it, the page opens."""
    page = browser.stranger()
    page.goto(f"{daily.airflow.url}/backups/")
    page.get_by_label("Username").fill(VIEWER)
    page.get_by_label("Password").fill(daily.airflow.home.passwords[VIEWER])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("days are not safe")
    page.context.close()


def test_a_viewer_sees_everything_and_gets_airflows_refusal(daily: Daily, viewer: Page) -> None:
    """The page has no permissions of its own: Airflow decides."""
    open_page(viewer, daily.airflow)
    expect(viewer.get_by_role("heading", level=1)).to_contain_text("days are not safe")
    before = len(daily.airflow.runs("supim_daily"))
    viewer.locator(".alerts li", has_text="damaged in the vault").get_by_role("button").first.click()
    form = viewer.get_by_role("dialog", name="Back up days")
    form.get_by_role("button", name="Back up", exact=True).click()
    expect(form.get_by_role("alert")).to_have_text(
        "You are not allowed to start runs. Ask your Airflow administrator."
    )
    assert len(daily.airflow.runs("supim_daily")) == before


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_changed_by_the_page(daily: Daily, method: str) -> None:
    """But what is acknowledged: it refuses all methods that change anything, for every user."""
    token = daily.airflow.log_in()
    for path in ("/", "/api/v1/vaults"):
        assert request(daily, path, token, method)[0] == HTTPStatus.METHOD_NOT_ALLOWED


def test_the_browser_may_load_nothing_from_elsewhere(daily: Daily) -> None:
    """No inline script or style, no other host, no frame on another site."""
    _, body, headers = request(daily, "/", daily.airflow.log_in())
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'self'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert not re.search(rb"<script>|<style|style=| on\w+=", body)
    assert not re.search(rb"(src|href)=\"?(https?:)?//", body)


def test_the_same_data_is_served_as_json(daily: Daily) -> None:
    """Below a path with a version."""
    token = daily.airflow.log_in()
    [vault] = _json(daily, "vaults", token)
    assert (vault["vault"], vault["path"], vault["urgency"]) == (VAULT, "/backup/vault", "urgent")
    year = _json(daily, f"vaults/{VAULT}/years/{vault['years'][0]}", token)
    damaged = next(each["day"] for each in year if each["state"] == "damaged")
    day = _json(daily, f"vaults/{VAULT}/days/{damaged}", token)
    assert day["record"]["damage"] == "1 of its 48 files differs from its checksum."
    assert day["step"] == "Back it up"
    assert _json(daily, f"vaults/{VAULT}/vms/maq1", token)["screen"] is True
    assert _json(daily, f"vaults/{VAULT}/space", token)["sentence"].startswith("Usage grows by")
    assert _json(daily, f"vaults/{VAULT}/runs", token)[0]["good"] is True


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("vaults/none", HTTPStatus.NOT_FOUND),
        (f"vaults/{VAULT}/vms/none", HTTPStatus.NOT_FOUND),
        (f"vaults/{VAULT}/days/2025-366", HTTPStatus.BAD_REQUEST),
    ],
)
def test_an_unknown_name_is_an_error_with_a_sentence(daily: Daily, path: str, status: HTTPStatus) -> None:
    """In the detail of the JSON."""
    code, body, _ = request(daily, f"/api/v1/{path}", daily.airflow.log_in())
    assert code == status
    assert " " in json.loads(body)["detail"]


def _json(daily: Daily, path: str, token: str) -> Any:  # noqa: ANN401 - JSON
    status, body, _ = request(daily, f"/api/v1/{path}", token)
    assert status == HTTPStatus.OK, body
    return json.loads(body)
