"""Whether a SUPIM day is complete, by its own descriptors."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from include.days import folder_scan
from include.days.manifest_builder import ManifestBuilder
from include.days.supim import Completeness, completeness
from include.ordinal_day import OrdinalDay
from tests.site import supim

DAY = OrdinalDay.parse("2016-268")
LAST = "2016.268.23.0h"


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """A complete day of 24 steps."""
    return supim.write_day(tmp_path, DAY)


def found(folder: Path, day: OrdinalDay = DAY, steps_per_day: int | None = 24) -> Completeness:
    """Check a real folder."""
    scan, builder = os.fsencode(folder), ManifestBuilder()
    for fields in folder_scan.described(scan, folder_scan.walk(scan)):
        builder.add(fields)
    return completeness(day, builder.manifest(), builder.descriptors, steps_per_day)


def test_a_day_with_all_steps_is_complete(day: Path) -> None:
    """24 steps and no problem."""
    assert found(day) == Completeness(24, ())


@pytest.mark.parametrize(("steps", "expected"), [(96, 96), (96, 24), (1, None), (1, 1)])
def test_a_site_decides_how_many_steps_make_a_day(tmp_path: Path, steps: int, expected: int | None) -> None:
    """More steps are fine, and None accepts any number."""
    folder = supim.write_day(tmp_path, DAY, steps=steps)
    assert found(folder, steps_per_day=expected) == Completeness(steps, ())


def _as_one_file(day: Path, hours: int) -> None:
    """Put a day into one data file with these hours; the descriptor has 24."""
    blocks = [(day / f"data.dat.2016.268.{hour}.0h").read_bytes() for hour in range(24)]
    text = (day / "descriptor.ctl.2016.268.0.0h").read_text().replace("tdef 1 ", "tdef 24 ")
    for path in day.iterdir():
        path.unlink()
    (day / "descriptor.ctl.2016.268.0.0h").write_text(text)
    (day / "data.dat.2016.268.0.0h").write_bytes(b"".join(blocks[:hours]))


def test_a_day_in_one_file_is_complete_with_all_its_hours(day: Path) -> None:
    """Its descriptor names 24 times."""
    _as_one_file(day, 24)
    assert found(day) == Completeness(24, ())


def test_a_day_in_one_file_is_incomplete_while_hours_are_written(day: Path) -> None:
    """The first hour alone has the size of a file with one time."""
    _as_one_file(day, 1)
    assert found(day).steps == 0
    assert found(day).problems[1].endswith("holds 3,276 of 78,624 bytes.")


def test_a_day_of_a_template_needs_every_file(day: Path) -> None:
    """One descriptor, 24 files."""
    text = (day / "descriptor.ctl.2016.268.0.0h").read_text()
    text = text.replace("^data.dat.2016.268.0.0h", "^data.dat.%y4.%j3.%h1.0h\noptions template")
    for path in day.glob("descriptor*"):
        path.unlink()
    (day / "descriptor.ctl.2016.268.0.0h").write_text(text.replace("tdef 1 ", "tdef 24 "))
    assert found(day) == Completeness(24, ())
    (day / f"data.dat.{LAST}").unlink()
    assert found(day).steps == 0


def test_a_day_in_folders_of_its_own_is_complete_too(tmp_path: Path) -> None:
    """``^`` means the descriptor's own folder."""
    supim.write_day(tmp_path, DAY, folder=tmp_path / "268" / "run1")
    assert found(tmp_path / "268") == Completeness(24, ())


def _cut(day: Path) -> None:
    supim.half_write(day)


def _grown(day: Path) -> None:
    with (day / f"data.dat.{LAST}").open("ab") as file:
        file.write(b"\0")


def _without_data(day: Path) -> None:
    (day / f"data.dat.{LAST}").unlink()


def _data_is_a_link(day: Path) -> None:
    data = day / f"data.dat.{LAST}"
    data.rename(day / "elsewhere")
    data.symlink_to("elsewhere")


def _data_is_a_folder(day: Path) -> None:
    _without_data(day)
    (day / f"data.dat.{LAST}").mkdir()


def _descriptor(change: Callable[[str], str]) -> Callable[[Path], None]:
    def rewrite(day: Path) -> None:
        path = day / f"descriptor.ctl.{LAST}"
        path.write_text(change(path.read_text()))

    return rewrite


def _named(name: str) -> Callable[[Path], None]:
    def rename(day: Path) -> None:
        (day / f"descriptor.ctl.{LAST}").rename(day / name)

    return rename


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (_cut, "its data file 'data.dat.2016.268.23.0h' holds 1,638 of 3,276 bytes."),
        (_grown, "its data file 'data.dat.2016.268.23.0h' holds 3,277 of 3,276 bytes."),
        (_without_data, "its data file 'data.dat.2016.268.23.0h' is missing."),
        (_data_is_a_link, "its data file 'data.dat.2016.268.23.0h' is missing."),
        (_data_is_a_folder, "its data file 'data.dat.2016.268.23.0h' is missing."),
        (_descriptor(lambda text: text[:100]), "it has no ydef line."),
        (_descriptor(lambda _: ""), "it has no dset line."),
        (_descriptor(lambda _: "\0\xff" * 99), "it has no dset line."),
        (
            _descriptor(lambda text: text.replace("^data", "^../268/data")),
            "its data file '../268/data.dat.2016.268.23.0h' is missing.",
        ),
        (
            _descriptor(lambda text: text.replace("^data", "/etc/data")),
            "its data file '/etc/data.dat.2016.268.23.0h' is named outside the day's folder.",
        ),
        (
            _descriptor(lambda text: text.replace("^data", "^/etc/data")),
            "its data file '/etc/data.dat.2016.268.23.0h' is missing.",
        ),
        (_descriptor(lambda text: text.replace("dset ^", "dset ^\n", 1)), "its data file '' is missing."),
        (_named("descriptor.ctl.2016.267.23.0h"), "its name is not one of day 2016-268."),
        (_named("descriptor.ctl.2015.268.23.0h"), "its name is not one of day 2016-268."),
        (_named("descriptor.ctl.2016.268.24.0h"), "its name is not one of day 2016-268."),
        (_named("descriptor.ctl.2016.268.23.60h"), "its name is not one of day 2016-268."),
        (_named("descriptor.ctl.2016.268.23h"), "its name is not one of day 2016-268."),
        (_named("descriptor.ctl.2016.268.23.0h.bak"), "its name is not one of day 2016-268."),
        (_named("descriptor.ctl.2016.268.23.0h\n"), "its name is not one of day 2016-268."),
        (_named("descriptor.ctl.2016.٢٦٨.23.0h"), "its name is not one of day 2016-268."),
    ],
)
def test_a_damaged_step_makes_the_day_incomplete(
    day: Path, damage: Callable[[Path], None], problem: str
) -> None:
    """The problem names the descriptor, after the count."""
    damage(day)
    result = found(day)
    assert result.steps == 23
    assert result.problems[0] == "23 of 24 time steps are complete."
    assert result.problems[1].startswith("'descriptor.ctl.")
    assert result.problems[1].endswith(f": {problem}")


def test_a_missing_step_makes_the_day_incomplete(day: Path) -> None:
    """Even if the others are right: 23 of 24."""
    for kind in ("descriptor.ctl", "data.dat"):
        (day / f"{kind}.{LAST}").unlink()
    assert found(day) == Completeness(23, ("23 of 24 time steps are complete.",))


def test_a_damaged_extra_step_makes_the_day_incomplete(day: Path) -> None:
    """Every step must be right, also beyond the required number."""
    supim.half_write(day)
    (problem,) = found(day, steps_per_day=23).problems
    assert problem.endswith("'data.dat.2016.268.23.0h' holds 1,638 of 3,276 bytes.")


def test_another_days_files_are_not_the_day(day: Path) -> None:
    """Somebody put day 268 into the folder of day 269."""
    result = found(day, OrdinalDay.parse("2016-269"))
    assert result.steps == 0
    assert len(result.problems) == 25
    assert result.problems[1] == "'descriptor.ctl.2016.268.0.0h': its name is not one of day 2016-269."


@pytest.mark.parametrize("steps_per_day", [24, None])
def test_a_folder_without_descriptors_is_incomplete(tmp_path: Path, steps_per_day: int | None) -> None:
    """Any number of steps doesn't include 0."""
    (tmp_path / "data.dat").write_text("x")
    assert found(tmp_path, steps_per_day=steps_per_day) == Completeness(
        0, ("The folder holds no descriptor.",)
    )


def test_a_descriptor_that_is_a_link_doesnt_count(day: Path) -> None:
    """It may point anywhere."""
    descriptor = day / f"descriptor.ctl.{LAST}"
    descriptor.rename(day / "elsewhere")
    descriptor.symlink_to("elsewhere")
    assert found(day) == Completeness(23, ("23 of 24 time steps are complete.",))


def test_the_summary_has_two_problems_and_counts_the_rest() -> None:
    """It goes into a message."""
    assert Completeness(0, ()).summary == ""
    assert Completeness(0, ("A.", "B.")).summary == "A. B."
    assert Completeness(0, ("A.", "B.", "C.", "D.")).summary == "A. B. (2 more)"
