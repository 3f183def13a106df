"""A mail's pictures: those that its report has data for; matplotlib is loaded only to draw."""

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from include.report import CoveredYear, DowntimeHistory, Report
from include.report.pictures import calendar_picture, mail_pictures
from include.results.states import Coverage
from include.status.space import CopiedBytes
from tests.include.report.sample_items import copied, report, safe, space, weekly

PROJECT = Path(__file__).parents[4]
YEAR = CoveredYear.of(2026, dict.fromkeys(range(200, 269), Coverage.SAFE))
DATES = tuple(CopiedBytes(on=date(2026, 9, 25) + timedelta(days=day), bytes=9) for day in range(3))


def downtimes(count: int) -> tuple[DowntimeHistory, ...]:
    """Return the downtimes of a VM with a number of images."""
    instants = tuple(datetime(2026, 9, 6, tzinfo=UTC) + timedelta(weeks=week) for week in range(count))
    return (DowntimeHistory(name="maq1", budget_s=60, instants=instants, seconds=(14.0,) * count),)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (report(years=(YEAR,), space=space(copied=DATES)), {"coverage", "space"}),
        (report(years=(YEAR,), space=space(copied=DATES[:2])), {"coverage"}),
        (report(space=None), set()),
        (report(safe("2026-268", own=True), years=(YEAR,), space=space(copied=DATES)), set()),
        (weekly(downtimes=downtimes(3)), {"downtime"}),
        (weekly(downtimes=downtimes(2)), set()),
    ],
    ids=["daily", "two points", "no data", "nothing done", "weekly", "two images"],
)
def test_a_picture_is_drawn_if_there_is_enough_data(given: Report, names: set[str]) -> None:
    """Two points are not a trend, and a run that had nothing to do has no pictures."""
    messages: list[str] = []
    assert set(mail_pictures.drawn(given, messages.append)) == names
    assert messages == []


def test_a_picture_that_fails_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mail is sent without it, and the reason is logged."""

    def fail(*_: object) -> bytes:
        raise MemoryError("out of memory")

    monkeypatch.setattr(calendar_picture, "picture", fail)
    messages: list[str] = []
    given = report(copied(), years=(YEAR,), space=space(copied=DATES))

    assert set(mail_pictures.drawn(given, messages.append)) == {"space"}
    assert messages == ["The picture coverage couldn't be drawn: out of memory"]


ALONE = """
import sys
from include.report.pictures import day_maps, mail_pictures
from include.results.states import Coverage
from include.report import CoveredYear
from tests.include.report.sample_items import report, safe
YEAR = CoveredYear.of(2026, dict.fromkeys(range(200, 269), Coverage.SAFE))
mail_pictures.drawn(report(safe("2026-268", own=True), years=(YEAR,)), print)
day_maps.with_maps(report(), None)
loaded = {"matplotlib", "numpy", "PIL"} & set(sys.modules)
assert not loaded, loaded
assert set(mail_pictures.drawn(report(years=(YEAR,)), print)) == {"coverage"}
assert "matplotlib" in sys.modules and "matplotlib.pyplot" not in sys.modules
"""


def test_matplotlib_is_loaded_only_to_draw_and_leaves_no_files(tmp_path: Path) -> None:
    """Neither in the home folder nor in the temporary folder."""
    home, scratch = tmp_path / "home", tmp_path / "scratch"
    home.mkdir()
    scratch.mkdir()
    drop = ("MPLCONFIGDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "AIRFLOW_HOME")
    clean = {name: value for name, value in os.environ.items() if name not in drop}
    places = {"HOME": str(home), "TMPDIR": str(scratch), "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        [sys.executable, "-c", ALONE],
        cwd=PROJECT,
        env={**clean, **places},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert list(home.rglob("*")) == []
    assert list(scratch.rglob("*")) == []
