"""A TEC field is read from a day's own files; one that can't be read is refused with the reason."""

import os
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from include.ordinal_day import OrdinalDay
from include.report.pictures.tec_field import NoMapError, TecField, near_noon, nearest_to_noon
from tests.site import supim

DAY = OrdinalDay.parse("2026-268")
ZONE = ZoneInfo("America/Sao_Paulo")
NX, NY, NZ = supim.TINY.shape
NOON = "2026.268.15.0h"  # 12:00 in São Paulo
FIRST = 2 * NX * NY * NZ * 4  # of TEC, after TIMEDIFF and NE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A day as the vault holds it."""
    return supim.write_day(tmp_path, DAY)


def descriptor(folder: Path) -> Path:
    """Return the descriptor of the time step that is drawn."""
    return folder / f"descriptor.ctl.{NOON}"


def data(folder: Path) -> Path:
    """Return the data file of that time step."""
    return folder / f"data.dat.{NOON}"


def put(folder: Path, x: int, y: int, value: float) -> None:
    """Write one TEC value of that time step, at the lowest height."""
    with data(folder).open("r+b") as file:
        file.seek(FIRST + (y * NX + x) * 4)
        file.write(struct.pack("<f", value))


def replace(folder: Path, old: str, new: str) -> None:
    """Change the descriptor of that time step."""
    text = descriptor(folder).read_text()
    assert old in text
    descriptor(folder).write_text(text.replace(old, new))


def test_a_field_has_the_values_of_the_data_file(folder: Path) -> None:
    """Longitude varies fastest, then latitude; the blocks of other variables come first."""
    field = near_noon(DAY, folder, ZONE)
    raw = data(folder).read_bytes()[FIRST : FIRST + NX * NY * 4]
    expected = [struct.unpack_from("<f", raw, (y * NX + x) * 4)[0] for y in range(NY) for x in range(NX)]

    assert field.values.ravel().tolist() == expected
    assert field.longitudes.tolist() == list(supim.TINY.longitudes)
    assert field.latitudes.tolist() == list(supim.TINY.latitudes)
    assert (field.moment, field.unit) == (datetime(2026, 9, 25, 15, tzinfo=UTC), "TECU")


@pytest.mark.parametrize(
    ("zone", "every_min", "chosen"),
    [
        ("America/Sao_Paulo", 60, "15:00"),
        ("UTC", 60, "12:00"),
        ("Europe/Berlin", 60, "10:00"),
        ("Asia/Kolkata", 60, "06:00"),  # 07:00 is as near to 06:30: the earlier
        ("Asia/Kolkata", 15, "06:30"),
        ("Asia/Tokyo", 60, "03:00"),
        ("Pacific/Auckland", 60, "00:00"),  # noon of the same date; 24:00 isn't of the day
        ("Pacific/Kiritimati", 60, "22:00"),  # noon of the next date
        ("Pacific/Pago_Pago", 60, "23:00"),
        ("America/Sao_Paulo", 360, "12:00"),  # 3 hours from noon, as 18:00 is
    ],
)
def test_the_time_step_nearest_to_local_noon_is_chosen(zone: str, every_min: int, chosen: str) -> None:
    """Of a UTC day, in any time zone."""
    midnight = datetime(2026, 9, 25, tzinfo=UTC)
    steps = [midnight + timedelta(minutes=minute) for minute in range(0, 1440, every_min)]

    assert f"{nearest_to_noon(steps, ZoneInfo(zone)):%H:%M}" == chosen


@pytest.mark.parametrize(("date", "chosen"), [("2026-03-29", "10:00"), ("2026-10-25", "11:00")])
def test_noon_follows_a_clock_change_in_the_night(date: str, chosen: str) -> None:
    """In Berlin, on the days on which summer time begins and ends."""
    midnight = datetime.fromisoformat(date).replace(tzinfo=UTC)
    steps = [midnight + timedelta(hours=hour) for hour in range(24)]

    assert f"{nearest_to_noon(steps, ZoneInfo('Europe/Berlin')):%H:%M}" == chosen


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_an_undefined_value_is_a_gap(folder: Path, value: float) -> None:
    """The descriptor's undefined value, NaN and infinity."""
    put(folder, 3, 2, value)
    field = near_noon(DAY, folder, ZONE)

    assert np.argwhere(np.isnan(field.values)).tolist() == [[2, 3]]


def test_without_a_unit_in_the_descriptor_there_is_none(folder: Path) -> None:
    """It isn't made up."""
    replace(folder, " [TECU]", "")
    assert near_noon(DAY, folder, ZONE).unit is None


def test_linear_axes_are_read(folder: Path, tmp_path: Path) -> None:
    """The other form in GrADS."""
    even = supim.Grid(supim.TINY.longitudes, supim.TINY.latitudes, supim.TINY.heights, form="linear")
    other = supim.write_day(tmp_path / "linear", DAY, grid=even)
    levels, linear = (near_noon(DAY, place, ZONE) for place in (folder, other))

    assert levels.longitudes.tolist() == linear.longitudes.tolist()
    assert levels.latitudes.tolist() == linear.latitudes.tolist()


def _link(folder: Path) -> None:
    data(folder).rename(folder.parent / "elsewhere")
    data(folder).symlink_to(folder.parent / "elsewhere")


def _linked_folder(folder: Path) -> None:
    outside = folder.parent / "outside"
    outside.mkdir()
    data(folder).rename(outside / "file")
    (folder / "in").symlink_to(outside)
    replace(folder, f"^{data(folder).name}", "^in/file")


def _pipe(folder: Path) -> None:
    data(folder).unlink()
    os.mkfifo(data(folder))


def _empty(folder: Path) -> None:
    for x in range(NX):
        for y in range(NY):
            put(folder, x, y, -1)


TROUBLES: dict[str, Callable[[Path], None]] = {
    "has 1,638 of 3,276 bytes": lambda folder: os.truncate(data(folder), 1638),
    f"'data.dat.{NOON}' is missing": lambda folder: data(folder).unlink(),
    "it has no variable TEC": lambda folder: replace(folder, "TEC 3", "VTEC 3"),
    "its TEC has no values": _empty,
    "leads out of its folder": lambda folder: replace(folder, "^data", "^../data"),
    "is named outside the day's folder": lambda folder: replace(folder, "^data", "/data"),
    "links out of the day's folder": _linked_folder,
    "Too many levels of symbolic links": _link,
    "is not a regular file": _pipe,
    "its ydef points are not in increasing order": lambda folder: replace(
        folder, "levels -60 -40", "levels -40 -60"
    ),
    "its xdef line gives no points": lambda folder: replace(folder, "levels -180", "levels west"),
    "its data have a layout that isn't drawn": lambda folder: replace(
        folder, "undef", "options big_endian yrev\nundef"
    ),
    "is too large to draw": lambda folder: replace(folder, "xdef 13", "xdef 999999"),
    "ends before its endvars": lambda folder: replace(folder, "endvars", ""),
    "it has no dset line": lambda folder: os.truncate(descriptor(folder), 0),
}


@pytest.mark.parametrize("message", TROUBLES)
def test_a_field_that_cant_be_read_is_refused_with_the_reason(folder: Path, message: str) -> None:
    """No other time step is used instead."""
    TROUBLES[message](folder)
    with pytest.raises(NoMapError) as refused:
        near_noon(DAY, folder, ZONE)

    assert message in str(refused.value)
    assert str(refused.value).startswith(f"'descriptor.ctl.{NOON}': ")


@pytest.mark.parametrize("shape", [(13, 1), (1, 7)])
def test_a_single_row_or_column_is_refused(folder: Path, shape: tuple[int, int]) -> None:
    """Its width is unknown."""
    nx, ny = shape
    lines = [
        line
        for line in descriptor(folder).read_text().splitlines()
        if not line.startswith((" ", "xdef", "ydef"))
    ]
    axes = [f"xdef {nx} linear -180 30", f"ydef {ny} linear -60 20"]
    descriptor(folder).write_text("\n".join([*axes, *lines]))
    data(folder).write_bytes(struct.pack("<f", 1) * (3 * nx * ny * NZ))
    with pytest.raises(NoMapError, match="not in increasing order"):
        near_noon(DAY, folder, ZONE)


def test_a_folder_without_descriptors_of_the_day_is_refused(tmp_path: Path) -> None:
    """Those of another day don't count."""
    supim.write_day(tmp_path, DAY, folder=tmp_path / "other")
    with pytest.raises(NoMapError, match="holds no descriptor"):
        near_noon(DAY - 1, tmp_path / "other", ZONE)


def test_a_time_step_in_a_subfolder_is_found(folder: Path) -> None:
    """Some days have subfolders."""
    inside = folder / "steps"
    inside.mkdir()
    for path in list(folder.glob("*.*")):
        path.rename(inside / path.name)

    assert isinstance(near_noon(DAY, folder, ZONE), TecField)
