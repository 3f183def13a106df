"""A mail's pictures: those that its report has facts for, at no cost to whoever draws nothing."""

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from include.pictures import calendar_picture, mail_pictures
from include.report import CopiedBytes, Coverage, CoveredYear, Downtimes, Report
from tests.include.report.facts import copied, report, safe, space, weekly

PROJECT = Path(__file__).parents[3]
YEAR = CoveredYear.of(2026, dict.fromkeys(range(200, 269), Coverage.SAFE))
DATES = tuple(CopiedBytes(on=date(2026, 9, 25) + timedelta(days=day), bytes=9) for day in range(3))


def downtimes(count: int) -> tuple[Downtimes, ...]:
    """Give a machine with so many images."""
    instants = tuple(datetime(2026, 9, 6, tzinfo=UTC) + timedelta(weeks=week) for week in range(count))
    return (Downtimes(name="maq1", budget_s=60, instants=instants, seconds=(14.0,) * count),)


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
    ids=["daily", "two points", "no facts", "no news", "weekly", "two images"],
)
def test_what_is_known_is_drawn(given: Report, names: set[str]) -> None:
    """Two points are no trend; and a run that found nothing to do has no news."""
    said: list[str] = []
    assert set(mail_pictures.drawn(given, said.append)) == names
    assert said == []


def test_a_picture_that_fails_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mail goes out without it, and the log says why."""

    def fail(*_: object) -> bytes:
        raise MemoryError("no room to draw")

    monkeypatch.setattr(calendar_picture, "picture", fail)
    said: list[str] = []
    given = report(copied(), years=(YEAR,), space=space(copied=DATES))

    assert set(mail_pictures.drawn(given, said.append)) == {"space"}
    assert said == ["The picture coverage couldn't be drawn: no room to draw"]


ALONE = """
import sys
from include.pictures import day_maps, mail_pictures
from include.report import Coverage, CoveredYear
from tests.include.report.facts import report, safe
YEAR = CoveredYear.of(2026, dict.fromkeys(range(200, 269), Coverage.SAFE))
mail_pictures.drawn(report(safe("2026-268", own=True), years=(YEAR,)), print)
day_maps.with_maps(report(), None)
loaded = {"matplotlib", "numpy", "PIL"} & set(sys.modules)
assert not loaded, loaded
assert set(mail_pictures.drawn(report(years=(YEAR,)), print)) == {"coverage"}
assert "matplotlib" in sys.modules and "matplotlib.pyplot" not in sys.modules
"""


def test_drawing_loads_what_draws_only_then_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """Neither in the user's home nor in the folder for what is temporary, nor in the environment."""
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
