"""The page in Airflow's web UI, with ten years of days and 500 VMs: server time, and size."""

import re
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench.row import Row, medians
from tests import sample_status
from tests.site.airflow import LocalAirflow
from tests.site.publish import publish

YEARS, VMS = 10, 500
LIMIT_S, LIMIT_KB = 0.3, 500


def rows(scratch: Path, rounds: int) -> Iterator[Row]:
    """Request the page from a real api-server, as a browser does."""
    with LocalAirflow(scratch / "airflow", project_dags=False) as airflow:
        publish(airflow, sample_status.vault(datetime.now(UTC), years=YEARS, vms=VMS))
        token = airflow.log_in()
        page = _fetch(airflow.url + "/backups/", token)
        if page.count(b"<tr><th scope=row><b") != VMS or page.count(b"<table class=cal") != YEARS:
            raise AssertionError("Nothing was measured: the page is incomplete.")
        took = medians({"ours": lambda: _fetch(airflow.url + "/backups/", token)}, rounds)
        yield Row("the page, 10 years and 500 VMs", took["ours"], "the limit", LIMIT_S, 1.0)
        size = (len(page) + sum(_parts(airflow.url, page, token))) / 1000
        yield Row("its weight with style and script", size, "the limit", LIMIT_KB, 1.0, "kB")


def _parts(url: str, page: bytes, token: str) -> Iterator[int]:
    for path in re.findall(rb'(?:href|src)="(static/[^"]+)"', page):
        yield len(_fetch(f"{url}/backups/{path.decode()}", token))


def _fetch(url: str, token: str) -> bytes:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})  # noqa: S310 - http, to our own server
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - see above
        content: bytes = answer.read()
    return content
