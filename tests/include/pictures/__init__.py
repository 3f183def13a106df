"""Pictures are decoded and held against the facts that they were drawn from."""

import io

import numpy as np
from PIL import Image

Colour = tuple[int, ...]


def opened(png: bytes) -> Image.Image:
    """Decode a picture."""
    with Image.open(io.BytesIO(png), formats=("PNG",)) as picture:
        return picture.convert("RGB")


def count(picture: Image.Image, colour: str, off: int = 12) -> int:
    """Count the dots that have nearly a colour, such as ``#0072b2``."""
    wanted = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    dots = np.asarray(picture).astype(int)
    return int((abs(dots - wanted) <= off).all(axis=2).sum())


def is_near(one: Colour, other: Colour, off: int = 12) -> bool:
    """Say whether two colours look the same; a palette rounds them."""
    return all(abs(mine - yours) <= off for mine, yours in zip(one, other, strict=True))
