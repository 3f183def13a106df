"""What all pictures share: matplotlib without its global state, colours, and the PNG format."""

import io
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image


@contextmanager
def _temporary_font_cache() -> Iterator[None]:
    """Let matplotlib write its font cache, which it builds on import, into a temporary folder.

    It warns that this may take a moment, in the log of each report; it takes a second.
    """
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    before = os.environ.get("MPLCONFIGDIR")
    with TemporaryDirectory(prefix="inpe-backup-") as folder:
        os.environ["MPLCONFIGDIR"] = folder
        try:
            yield
        finally:
            os.environ.pop("MPLCONFIGDIR")
            if before is not None:
                os.environ["MPLCONFIGDIR"] = before


with _temporary_font_cache():
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

__all__ = ["Axes", "Figure", "axes", "figure", "png"]

PAPER, INK, SOFT, FAINT, LINE = "#ffffff", "#1c2733", "#586472", "#a7b1bc", "#dfe4e8"
# Okabe and Ito's colours, distinct with any kind of colour vision.
BLUE, SKY, GREEN, ORANGE, VERMILION = "#0072b2", "#56b4e9", "#009e73", "#e69f00", "#d55e00"

_SHARPNESS = 2  # dots per pixel of the mail, for high-resolution screens
_COLOURS = 192


def figure(width: int, height: int) -> Figure:
    """Return an empty figure; its size and its font sizes are in pixels of the mail."""
    sheet = Figure((width / 72, height / 72), dpi=72 * _SHARPNESS, facecolor=PAPER)
    FigureCanvasAgg(sheet)
    return sheet


def axes(sheet: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Add a plain plot, placed by pixels from the lower left corner, and return it."""
    across, up = (float(inches) * 72 for inches in sheet.get_size_inches())
    plot: Axes = sheet.add_axes((left / across, bottom / up, width / across, height / up))
    plot.set_facecolor(PAPER)
    plot.spines[:].set_visible(False)
    plot.tick_params(length=0, pad=4, labelsize=11, labelcolor=SOFT)
    return plot


def write(sheet: Figure, left: float, bottom: float, text: str, **style: Any) -> None:  # noqa: ANN401 - matplotlib's own
    """Write a line of text, placed by pixels; nothing in it is parsed as a formula."""
    across, up = (float(inches) * 72 for inches in sheet.get_size_inches())
    look = {"fontsize": 12, "color": SOFT, "va": "baseline", **style}
    sheet.text(left / across, bottom / up, text, parse_math=False, **look)


def png(sheet: Figure) -> bytes:
    """Return the figure as a PNG with a palette, which keeps it small."""
    canvas = sheet.canvas
    if not isinstance(canvas, FigureCanvasAgg):
        raise TypeError("The figure must come from figure().")
    canvas.draw()  # type: ignore[no-untyped-call]
    size = canvas.get_width_height(physical=True)
    dots = canvas.buffer_rgba()  # type: ignore[no-untyped-call]
    drawn = Image.frombuffer("RGBA", size, dots).convert("RGB")
    buffer = io.BytesIO()
    drawn.quantize(_COLOURS, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
