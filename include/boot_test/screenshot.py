"""The screenshot of a boot-tested VM, re-encoded from its pixels alone as a small PNG."""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

MAX_SIDE = 640  # pixels
MAX_BYTES, MAX_PIXELS = 32 << 20, 7680 * 4320  # of a screenshot from a host


def as_png(picture: bytes) -> bytes:
    """Return a PPM or PNG screenshot as a PNG whose sides have at most ``MAX_SIDE`` pixels.

    Raises:
        ValueError: it isn't an image, or is too large.
    """
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - only boot tests need it

    if len(picture) > MAX_BYTES:
        raise ValueError(f"The screenshot is too large: {len(picture):,} bytes.")
    try:
        with Image.open(io.BytesIO(picture), formats=("PPM", "PNG")) as screen:
            _require_few_pixels(screen)
            plain = screen.convert("RGB")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as wrong:
        raise ValueError(f"The screenshot isn't an image: {wrong}") from wrong
    plain.thumbnail((MAX_SIDE, MAX_SIDE))
    written = io.BytesIO()
    plain.save(written, "PNG", optimize=True)
    return written.getvalue()


def _require_few_pixels(screen: "Image.Image") -> None:
    """Check that it can be unpacked: a few compressed bytes may hold a huge image."""
    if screen.width * screen.height > MAX_PIXELS:
        raise ValueError(f"it has {screen.width:,} by {screen.height:,} pixels")
