"""Alerts that somebody acknowledges: who may, from where, and how the page shows them afterwards."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.dags import Daily
from tests.plugins.ui.page import open_page
from tests.sample_status import VAULT
from tests.site.airflow_home import VIEWER

pytestmark = [pytest.mark.worker_group("days"), pytest.mark.usefixtures("sample_vault")]

PATH = f"/backups/api/v1/vaults/{VAULT}"


def test_an_acknowledged_alert_is_folded_away_with_who_and_until_when(daily: Daily, admin: Page) -> None:
    """After a reload, too; and it can be shown again."""
    open_page(admin, daily.airflow)
    alert = admin.locator("section .alerts li", has_text="maq4: the last downtime exceeded")
    alert.get_by_role("button", name="Acknowledge …").click()
    form = admin.get_by_role("dialog", name="Acknowledge")
    expect(form).to_contain_text("maq4: the last downtime exceeded its budget.")
    form.get_by_label("For").select_option("1 week")
    form.get_by_role("button", name="Acknowledge", exact=True).click()
    expect(alert).to_have_count(0)
    open_page(admin, daily.airflow)
    folded = admin.locator(".acknowledged li", has_text="maq4: the last downtime exceeded")
    expect(folded).to_be_hidden()
    admin.get_by_text("1 acknowledged").click()
    expect(folded).to_contain_text("By admin, ")
    expect(folded.locator("time")).to_have_count(2)
    folded.get_by_role("button", name="Show again").click()
    expect(alert).to_be_visible()
    expect(admin.locator(".acknowledged")).to_have_count(0)


def test_only_the_page_itself_and_tokens_may_acknowledge(daily: Daily, admin: Page) -> None:
    """Not a form of another site with the browser's cookie, nor a viewer; and no alert that isn't there."""
    body = {"key": _alerts(daily)[0]["key"], "period": "day"}
    cookie = "; ".join(f"{each['name']}={each['value']}" for each in admin.context.cookies())
    ours, header = daily.airflow.url, {"X-Backups": "1"}
    refused: list[Mapping[str, str]] = [
        {"Cookie": cookie},
        {"Cookie": cookie, "Origin": ours},
        {"Cookie": cookie, **header},
        {"Cookie": cookie, **header, "Origin": "http://elsewhere.example"},
        {"Cookie": cookie, **header, "Origin": "null"},
        {"Authorization": f"Bearer {_token(daily, VIEWER)}"},
    ]
    assert [_post(daily, body, headers) for headers in refused] == [HTTPStatus.FORBIDDEN] * len(refused)
    assert _post(daily, body, {}) == HTTPStatus.UNAUTHORIZED
    token = {"Authorization": f"Bearer {daily.airflow.log_in()}"}
    assert _post(daily, {**body, "key": "0" * 16}, token) == HTTPStatus.NOT_FOUND
    assert _post(daily, {**body, "period": "ever"}, token) == HTTPStatus.UNPROCESSABLE_ENTITY
    assert body["key"] in {alert["key"] for alert in _alerts(daily)}

    assert _post(daily, body, {"Cookie": cookie, **header, "Origin": ours}) == HTTPStatus.OK
    assert body["key"] not in {alert["key"] for alert in _alerts(daily)}
    assert _post(daily, {**body, "period": "withdrawn"}, token) == HTTPStatus.OK
    assert body["key"] in {alert["key"] for alert in _alerts(daily)}


def _alerts(daily: Daily) -> list[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {daily.airflow.log_in()}"}
    request = urllib.request.Request(f"{daily.airflow.url}{PATH}", headers=headers)  # noqa: S310
    with urllib.request.urlopen(request) as response:  # noqa: S310 - our own server
        found: list[dict[str, Any]] = json.load(response)["alerts"]
    return found


def _token(daily: Daily, user: str) -> str:
    body = json.dumps({"username": user, "password": daily.airflow.home.passwords[user]}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{daily.airflow.url}/auth/token", body, headers)  # noqa: S310
    with urllib.request.urlopen(request) as response:  # noqa: S310 - our own server
        token: str = json.load(response)["access_token"]
    return token


def _post(daily: Daily, body: Mapping[str, str], headers: Mapping[str, str]) -> int:
    """Send an acknowledgement without a browser; return the status."""
    url, sent = f"{daily.airflow.url}{PATH}/acknowledged", {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(url, json.dumps(body).encode(), sent)  # noqa: S310
    try:
        with urllib.request.urlopen(request) as response:  # noqa: S310 - our own server
            status: int = response.status
            return status
    except urllib.error.HTTPError as error:
        return error.code
