"""The TEC of one time step, read from a day's own files as GrADS would read them."""

import os
import posixpath
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from include.days import grads, supim
from include.days.folder_scan import DESCRIPTOR_LIMIT
from include.errors import BackupError
from include.names import checked, shown
from include.ordinal_day import OrdinalDay

VARIABLE = "TEC"
_MOST_POINTS = 4_000_000  # 90 times SUPIM's own grid
_FEWEST = 2

Numbers = NDArray[np.float64]


class NoMapError(BackupError):
    """No map can be drawn from a day; the message is the reason."""


@dataclass(frozen=True)
class TecField:
    """One time step.

    Args:
        moment: its time, in UTC.
        longitudes: degrees east, in increasing order.
        latitudes: degrees north, in increasing order.
        values: a row for each latitude; NaN where there is no value.
        unit: as in the descriptor; None: the descriptor has none.
    """

    moment: datetime
    longitudes: Numbers
    latitudes: Numbers
    values: Numbers
    unit: str | None


def near_noon(day: OrdinalDay, folder: Path, zone: ZoneInfo) -> TecField:
    """Read the time step of a day (UTC) that is nearest to noon in a time zone.

    Raises:
        NoMapError: there is none, or it can't be read.
    """
    steps = {moment: path for path, moment in reversed(list(_steps(day, folder)))}
    if not steps:
        raise NoMapError("The folder holds no descriptor.")
    moment = nearest_to_noon(steps, zone)
    try:
        return _field(folder, steps[moment], moment)
    except (BackupError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise NoMapError(f"{shown(steps[moment])}: {reason.removesuffix('.')}.") from error


def nearest_to_noon(moments: Iterable[datetime], zone: ZoneInfo) -> datetime:
    """Return the instant that is nearest to a local noon; of two equally near, the earlier."""
    return min(moments, key=lambda moment: (_from_noon(moment, zone), moment))


def _from_noon(moment: datetime, zone: ZoneInfo) -> timedelta:
    here = moment.astimezone(zone).date()
    noons = (datetime.combine(here + timedelta(days=days), time(12), zone) for days in (-1, 0, 1))
    return min(abs(noon.astimezone(UTC) - moment) for noon in noons)


def _steps(day: OrdinalDay, folder: Path) -> Iterator[tuple[str, datetime]]:
    midnight = datetime.combine(day.date, time(), UTC)
    for inside, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if (minute := supim.minute_of(day, name)) is not None:
                path = (Path(inside) / name).relative_to(folder).as_posix()
                yield path, midnight + timedelta(minutes=minute)


def _field(folder: Path, path: str, moment: datetime) -> TecField:
    text = _read(folder, path, 0, DESCRIPTOR_LIMIT).decode("utf-8", "replace")
    descriptor = grads.parse(text)
    if not descriptor.is_plain:
        raise NoMapError("its data have a layout that isn't drawn")
    values = _values(folder, path, descriptor)
    undefined = grads.undefined(text)
    missing = ~np.isfinite(values) if undefined is None else ~np.isfinite(values) | (values == undefined)
    if missing.all():
        raise NoMapError(f"its {VARIABLE} has no values")
    longitudes, latitudes = (_increasing(text, keyword) for keyword in ("xdef", "ydef"))
    return TecField(
        moment, longitudes, latitudes, np.where(missing, np.nan, values), grads.unit(text, VARIABLE)
    )


def _increasing(text: str, keyword: str) -> Numbers:
    points = np.array(grads.axis(text, keyword))
    if len(points) < _FEWEST or not (np.diff(points) > 0).all():
        raise NoMapError(f"its {keyword} points are not in increasing order")
    return points


def _values(folder: Path, path: str, descriptor: grads.Descriptor) -> Numbers:
    nx, ny, _ = descriptor.shape
    if VARIABLE not in (variable.name for variable in descriptor.variables):
        raise NoMapError(f"it has no variable {VARIABLE}")
    if nx * ny > _MOST_POINTS:
        raise NoMapError(f"its grid of {nx:,} x {ny:,} points is too large to draw")
    if not descriptor.dset.startswith("^"):
        raise NoMapError(f"its data file {shown(descriptor.dset)} is named outside the day's folder")
    data = checked(posixpath.join(posixpath.dirname(path), descriptor.dset[1:]))
    # The TEC is the same at every height, so the lowest will do.
    [size] = descriptor.files.values()
    raw = _read(folder, data, descriptor.offset(VARIABLE), nx * ny * grads.FLOAT_BYTES, size=size)
    return np.frombuffer(raw, "<f4").astype(np.float64).reshape(ny, nx)


def _read(folder: Path, path: str, first: int, count: int, size: int | None = None) -> bytes:
    """Read a part of a regular file of the day, which must have the given size, if any."""
    file = folder / path
    if not file.parent.resolve().is_relative_to(folder.resolve()):
        raise NoMapError(f"{shown(path)} links out of the day's folder")
    with suppress(FileNotFoundError):
        opened = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(opened, "rb") as data:
            status = os.fstat(opened)
            if not stat.S_ISREG(status.st_mode):
                raise NoMapError(f"{shown(path)} is not a regular file")
            if size is not None and status.st_size != size:
                raise NoMapError(f"its data file {shown(path)} has {status.st_size:,} of {size:,} bytes")
            data.seek(first)
            return data.read(count)
    raise NoMapError(f"{shown(path)} is missing")
