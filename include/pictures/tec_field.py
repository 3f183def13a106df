"""The TEC of one time step, read from a day's own files as any reader of GrADS would."""

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

from include import grads, supim
from include.errors import BackupError
from include.names import checked, shown
from include.ordinal_day import OrdinalDay
from include.source_agent import DESCRIPTOR_LIMIT

VARIABLE = "TEC"
_MOST_POINTS = 4_000_000  # 90 times SUPIM's own grid
_FEWEST = 2

Numbers = NDArray[np.float64]


class NoMapError(BackupError):
    """A day, or a part of it, that no map can be drawn from; says why."""


@dataclass(frozen=True)
class TecField:
    """One time step.

    Args:
        moment: when, in UTC.
        longitudes: degrees east, rising.
        latitudes: degrees north, rising.
        values: a row for each latitude; NaN where there is no value.
        unit: what the descriptor says; None: nothing.
    """

    moment: datetime
    longitudes: Numbers
    latitudes: Numbers
    values: Numbers
    unit: str | None


def near_noon(day: OrdinalDay, folder: Path, zone: ZoneInfo) -> TecField:
    """Read the time step of a day (UTC) that is nearest to a noon in a zone.

    Raises:
        NoMapError: there is none, or it can't be read; says why.
    """
    steps = {moment: path for path, moment in reversed(list(_steps(day, folder)))}
    if not steps:
        raise NoMapError("The folder holds no descriptor.")
    moment = nearest_to_noon(steps, zone)
    try:
        return _field(folder, steps[moment], moment)
    except (BackupError, OSError) as why:
        told = why.strerror if isinstance(why, OSError) and why.strerror else str(why)
        raise NoMapError(f"{shown(steps[moment])}: {told.removesuffix('.')}.") from why


def nearest_to_noon(moments: Iterable[datetime], zone: ZoneInfo) -> datetime:
    """Choose among instants the one that is nearest to a local noon; the earlier of two."""
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
    grads.require_plain(text)
    values = _values(folder, path, descriptor)
    undefined = grads.undefined(text)
    missing = ~np.isfinite(values) if undefined is None else ~np.isfinite(values) | (values == undefined)
    if missing.all():
        raise NoMapError(f"its {VARIABLE} holds no value")
    longitudes, latitudes = (_rising(text, keyword) for keyword in ("xdef", "ydef"))
    return TecField(
        moment, longitudes, latitudes, np.where(missing, np.nan, values), grads.unit(text, VARIABLE)
    )


def _rising(text: str, keyword: str) -> Numbers:
    points = np.array(grads.axis(text, keyword))
    if len(points) < _FEWEST or not (np.diff(points) > 0).all():
        raise NoMapError(f"the points of its {keyword} don't rise from one to the next")
    return points


def _values(folder: Path, path: str, descriptor: grads.Descriptor) -> Numbers:
    nx, ny, nz = descriptor.shape
    if VARIABLE not in descriptor.variables:
        raise NoMapError(f"it names no variable {VARIABLE}")
    if nx * ny > _MOST_POINTS:
        raise NoMapError(f"its grid of {nx:,} x {ny:,} points is too fine to be drawn")
    if not descriptor.dset.startswith("^"):
        raise NoMapError(f"its data file {shown(descriptor.dset)} is named outside the day's folder")
    data = checked(posixpath.join(posixpath.dirname(path), descriptor.dset[1:]))
    # The TEC is the same on every height: the lowest is as good as any.
    first = descriptor.variables.index(VARIABLE) * nx * ny * nz * grads.FLOAT_BYTES
    raw = _read(folder, data, first, nx * ny * grads.FLOAT_BYTES, whole=descriptor.data_bytes)
    return np.frombuffer(raw, "<f4").astype(np.float64).reshape(ny, nx)


def _read(folder: Path, path: str, first: int, count: int, whole: int | None = None) -> bytes:
    """Read a part of a regular file of the day, of exactly so many bytes if that's said."""
    file = folder / path
    if not file.parent.resolve().is_relative_to(folder.resolve()):
        raise NoMapError(f"{shown(path)} leads out of the day's folder")
    with suppress(FileNotFoundError):
        opened = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(opened, "rb") as data:
            found = os.fstat(opened)
            if not stat.S_ISREG(found.st_mode):
                raise NoMapError(f"{shown(path)} is no regular file")
            if whole is not None and found.st_size != whole:
                raise NoMapError(f"its data file {shown(path)} holds {found.st_size:,} of {whole:,} bytes")
            data.seek(first)
            return data.read(count)
    raise NoMapError(f"{shown(path)} is missing")
