"""Screens of drilled machines, small enough to travel with the facts."""

import io
from contextlib import suppress

from include.machines.drill_picture import as_png

WIDEST = 480
"""Pixels."""
MOST_BYTES = 12 * 1024
_TRIES = ((WIDEST, 64), (WIDEST, 16), (WIDEST, 4), (320, 16), (320, 4), (200, 4))


def small_png(picture: bytes) -> bytes | None:
    """Make a picture small: at most ``WIDEST`` pixels and ``MOST_BYTES``; None where that can't be done."""
    with suppress(OSError, ValueError):
        plain = as_png(picture)
        made = (_made(plain, *size) for size in _TRIES)  # the best first
        return next((png for png in made if len(png) < MOST_BYTES), None)
    return None


def _made(picture: bytes, widest: int, colours: int) -> bytes:
    from PIL import Image  # noqa: PLC0415 - only what publishes screens makes pictures

    with Image.open(io.BytesIO(picture), formats=("PNG",)) as screen:
        plain = screen.convert("RGB")
    plain.thumbnail((widest, widest))
    written = io.BytesIO()
    plain.quantize(colours).save(written, "PNG", optimize=True)
    return written.getvalue()
