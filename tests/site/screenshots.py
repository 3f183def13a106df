"""``make screenshots``: take pictures of the page with a plausible vault, in either theme, for the README.

    python -m tests.site.screenshots docs/

It starts an Airflow in a temporary folder, and stops it at the end.
"""

import argparse
import io
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from include.ordinal_day import OrdinalDay
from tests import sample_status
from tests.site import Institute
from tests.site.airflow import LocalAirflow
from tests.site.browser import Browser
from tests.site.publish import publish

_COLOURS = 255
_WINDOW = {"width": 1280, "height": 1060}


def main() -> None:
    """Take all screenshots."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="inpe-pictures-") as scratch:
        root = Path(scratch)
        institute = Institute(root)
        institute.write_site_file()
        env = {"INPE_BACKUP_SITE": str(institute.site_file)}
        with LocalAirflow(root / "airflow", env=env) as airflow, Browser() as browser:
            _take(airflow, browser, folder)


def _take(airflow: LocalAirflow, browser: Browser, folder: Path) -> None:
    now = datetime.now(UTC)
    publish(airflow, sample_status.vault(now), clear=True)
    for dag in ("supim_daily", "vm_weekly"):
        airflow.unpause(dag)
    for theme in ("light", "dark"):
        page = browser.log_in(airflow, color_scheme=theme, viewport=_WINDOW)
        _open(page, airflow)
        _save(page.screenshot(), folder / f"page-{theme}.png")
        if theme == "light":
            _details(page, folder, OrdinalDay.of(now.date()) - 20)
        page.context.close()


def _open(page: Page, airflow: LocalAirflow) -> None:
    page.goto(airflow.url)
    page.get_by_role("link", name="Backups").click()
    page.frame_locator("iframe").get_by_role("heading", name="Runs").wait_for()
    page.mouse.move(0, 0)
    page.wait_for_timeout(500)  # the navigation's own transition


def _details(page: Page, folder: Path, missing: OrdinalDay) -> None:
    """Take the form for a range of missing days, and the table of VMs."""
    frame = page.frame_locator("iframe")
    frame.locator(".alerts li", has_text=str(missing.year)).get_by_role("button", name="Back up …").nth(
        1
    ).click()
    page.wait_for_timeout(300)
    _save(page.screenshot(), folder / "page-back-up.png")
    page.keyboard.press("Escape")
    frame.get_by_role("heading", name="VMs").evaluate("heading => heading.scrollIntoView()")
    page.wait_for_timeout(500)  # screenshots of VMs load when they become visible
    _save(page.screenshot(), folder / "page-vms.png")


def _save(png: bytes, path: Path) -> None:
    """Save a picture with few colours: a fifth of its size, with no visible difference."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.quantize(_COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")  # noqa: T201 - a command-line tool


if __name__ == "__main__":
    main()
