"""What all tests share: an Airflow home that isn't the user's own, patience on slow machines, a browser."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.site.browser import Browser

# Before anything imports Airflow, which reads and writes its home on import.
os.environ.setdefault("AIRFLOW_HOME", str(Path(__file__).parents[1] / ".test" / "airflow"))

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


# A module's, and no longer: as long as it's there, an event loop counts as running in its process, and pages
# that are left open keep a machine busy.
@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Give a Chromium."""
    from tests.site.browser import Browser  # noqa: PLC0415 - most tests need none

    with Browser() as chromium:
        yield chromium
