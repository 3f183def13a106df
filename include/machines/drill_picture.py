"""The picture of a drilled machine's screen: small, plain, and made of nothing but its pixels."""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

WIDEST = 640  # pixels of a picture that is kept
PICTURE_MOST, PIXELS_MOST = 32 << 20, 7680 * 4320  # of a screen as the host sends it: bytes; pixels


def as_png(picture: bytes) -> bytes:
    """Turn a screen into a PNG of at most ``WIDEST`` pixels.

    Raises:
        ValueError: it's no picture, or too large a one.
    """
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - only drills make pictures

    if len(picture) > PICTURE_MOST:
        raise ValueError(f"A screen of {len(picture):,} bytes is too large.")
    try:
        with Image.open(io.BytesIO(picture), formats=("PPM", "PNG")) as screen:
            _require_few_pixels(screen)
            plain = screen.convert("RGB")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as wrong:
        raise ValueError(f"That is no picture: {wrong}") from wrong
    plain.thumbnail((WIDEST, WIDEST))
    written = io.BytesIO()
    plain.save(written, "PNG", optimize=True)
    return written.getvalue()


def _require_few_pixels(screen: "Image.Image") -> None:
    """See that it can be unpacked: a few bytes can be a wall of one colour."""
    if screen.width * screen.height > PIXELS_MOST:
        raise ValueError(f"it has {screen.width:,} by {screen.height:,} pixels")
