"""The map of one time step's TEC, in colours, with labelled contour lines that need no colour, and coasts."""

from zoneinfo import ZoneInfo

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator

from include.ordinal_day import OrdinalDay
from include.report.pictures import coastlines
from include.report.pictures.canvas import INK, PAPER, SOFT, Axes, Figure, axes, figure, png, write
from include.report.pictures.tec_field import Numbers, TecField

WIDTH, HEIGHT = 478, 262  # the column of the mail
_LINES = 4
_COLOURS = "cividis"  # from dark to light with any kind of colour vision


def picture(field: TecField, day: OrdinalDay, zone: ZoneInfo) -> bytes:
    """Draw a time step, and return the PNG."""
    sheet = figure(WIDTH, HEIGHT)
    write(sheet, 8, HEIGHT - 20, f"TEC of {day}", fontsize=14, color=INK, weight="bold")
    write(sheet, 8, HEIGHT - 38, when(field, zone))
    plot = axes(sheet, 46, 26, 356, 188)
    lowest, highest = np.nanmin(field.values), np.nanmax(field.values)
    plot.set_facecolor("#e3e7ea")  # where there is no value
    mesh = plot.pcolormesh(
        _edges(field.longitudes),
        _edges(field.latitudes),
        np.ma.masked_invalid(field.values),
        cmap=_COLOURS,
        vmin=lowest,
        vmax=highest if highest > lowest else lowest + 1,
    )
    levels = [at for at in MaxNLocator(_LINES).tick_values(lowest, highest) if lowest < at < highest]
    if levels:
        _lines(plot, field, levels)
    coastlines.draw(plot)
    _degrees(plot)
    _scale(sheet, mesh, field, constant=not highest > lowest)
    return png(sheet)


def caption(field: TecField, day: OrdinalDay, zone: ZoneInfo) -> str:
    """Return what the picture shows, in a sentence."""
    unit = f" {field.unit}" if field.unit else ""
    lowest, highest = np.nanmin(field.values), np.nanmax(field.values)
    missing = np.isnan(field.values).mean()
    gaps = f", without a value at {max(missing, 0.01):.0%} of the points" if missing else ""
    return (
        f"TEC of {day} at {when(field, zone)}, drawn from the published copy: "
        f"{_number(lowest)} to {_number(highest)}{unit}{gaps}."
    )


def when(field: TecField, zone: ZoneInfo) -> str:
    """Return the step's time: ``15:00 UTC (12:00 in America/Sao_Paulo)``, with the local date if another."""
    here = field.moment.astimezone(zone)
    date = f"{here:%Y-%m-%d} " if here.date() != field.moment.date() else ""
    return f"{field.moment:%H:%M} UTC ({date}{here:%H:%M} in {zone.key})"


def _number(value: float) -> str:
    return f"{value:.1f}" if 0.1 <= abs(value) < 10_000 or not value else f"{value:.2g}"  # noqa: PLR2004 - readable so


def _edges(points: Numbers) -> Numbers:
    """Return the borders half-way between points, and as far beyond the outermost points."""
    between = (points[:-1] + points[1:]) / 2
    first, last = 2 * points[0] - between[0], 2 * points[-1] - between[-1]
    return np.concatenate([[first], between, [last]])


def _lines(plot: Axes, field: TecField, levels: list[float]) -> None:
    drawn = plot.contour(
        field.longitudes,
        field.latitudes,
        np.ma.masked_invalid(field.values),
        levels=levels,
        colors=PAPER,
        linewidths=0.7,
        alpha=0.8,
    )
    plot.clabel(drawn, fontsize=9, fmt=lambda level: f"{level:g}")


def _degrees(plot: Axes) -> None:
    plot.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 1.5, 3, 4.5, 6, 9, 10]))
    plot.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 1.5, 3, 4.5, 6, 9, 10]))
    plot.xaxis.set_major_formatter(FuncFormatter(lambda at, _: _degree(at, "E", "W")))
    plot.yaxis.set_major_formatter(FuncFormatter(lambda at, _: _degree(at, "N", "S")))


def _degree(at: float, up: str, down: str) -> str:
    turned = (at + 180) % 360 - 180 if up == "E" and abs(at) != 180 else at  # noqa: PLR2004 - half a turn
    side = "" if not turned or abs(turned) == 180 else up if turned > 0 else down  # noqa: PLR2004 - the same
    return f"{abs(turned):g}°{side}"


def _scale(sheet: Figure, mesh: object, field: TecField, *, constant: bool) -> None:
    """Draw the colour scale, or write the one value that all points have."""
    if constant:
        write(sheet, 412, 118, f"all {_number(float(np.nanmin(field.values)))}", color=INK, fontsize=11)
    else:
        bar = sheet.colorbar(mesh, cax=axes(sheet, 414, 26, 12, 188), ticks=MaxNLocator(5))  # type: ignore[arg-type]
        bar.outline.set_visible(False)
        bar.ax.tick_params(length=0, pad=4, labelsize=11, labelcolor=SOFT)
    if field.unit:
        write(sheet, 414, 222, field.unit, color=INK, fontsize=11)
