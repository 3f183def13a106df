"""Screenshots of boot-tested VMs, small enough for an asset event."""

import io
from contextlib import suppress

from include.boot_test.screenshot import as_png

MAX_WIDTH = 480
"""In pixels."""
MAX_BYTES = 12 * 1024
_TRIES = ((MAX_WIDTH, 64), (MAX_WIDTH, 16), (MAX_WIDTH, 4), (320, 16), (320, 4), (200, 4))


def small_png(picture: bytes) -> bytes | None:
    """Shrink a picture to ``MAX_WIDTH`` and less than ``MAX_BYTES``.

    Args:
        picture: as the boot test saved it.

    Returns:
        A PNG; None if the picture is unreadable, or can't be made small enough.
    """
    with suppress(OSError, ValueError):
        png = as_png(picture)
        tries = (_shrunk(png, *size) for size in _TRIES)  # the best first
        return next((png for png in tries if len(png) < MAX_BYTES), None)
    return None


def _shrunk(png: bytes, width: int, colours: int) -> bytes:
    from PIL import Image  # noqa: PLC0415 - only needed where screens are published

    with Image.open(io.BytesIO(png), formats=("PNG",)) as picture:
        small = picture.convert("RGB")
    small.thumbnail((width, width))
    file = io.BytesIO()
    small.quantize(colours).save(file, "PNG", optimize=True)
    return file.getvalue()
