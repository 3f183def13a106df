"""Tests of pictures, which are decoded and compared with their data."""

import io

import numpy as np
from PIL import Image

Colour = tuple[int, ...]


def opened(png: bytes) -> Image.Image:
    """Return a decoded picture."""
    with Image.open(io.BytesIO(png), formats=("PNG",)) as picture:
        return picture.convert("RGB")


def count(picture: Image.Image, colour: str, off: int = 12) -> int:
    """Return the number of pixels whose colour is close to one such as ``#0072b2``."""
    target = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    pixels = np.asarray(picture).astype(int)
    return int((abs(pixels - target) <= off).all(axis=2).sum())


def is_near(first: Colour, second: Colour, off: int = 12) -> bool:
    """Return whether two colours are almost the same, because a palette rounds them."""
    return all(abs(a - b) <= off for a, b in zip(first, second, strict=True))
