"""The picture of a drill: whatever the host sends as a screen, the vault gets a small PNG, or nothing."""

import io
import struct
import zlib

import pytest
from PIL import Image

from include.machines import drill_picture
from include.machines.drill import trend
from include.machines.drill_picture import WIDEST, as_png
from include.proofs import Found
from tests.include.test_proofs import found


def screen(width: int, height: int, form: str = "PPM") -> bytes:
    """Give a screen as QEMU writes it."""
    written = io.BytesIO()
    Image.new("RGB", (width, height), (0, 0, 170)).save(written, form)
    return written.getvalue()


def took(seconds: float) -> Found:
    """Give a drill that passed, and what it took."""
    return found("drill").model_copy(update={"seconds": seconds})


def opened(png: bytes) -> Image.Image:
    """Give a PNG, read whole."""
    picture = Image.open(io.BytesIO(png), formats=("PNG",))
    picture.load()
    return picture


def bomb(side: int) -> bytes:
    """Give a PNG of a few bytes that says it has so many pixels in each direction."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    parts = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("form", ["PPM", "PNG"])
def test_a_screen_becomes_a_small_png(form: str) -> None:
    """Smaller than it was, in its own shape; older QEMU writes PPM, newer PNG."""
    picture = opened(as_png(screen(1280, 800, form)))
    assert picture.size == (WIDEST, 400)
    assert picture.getpixel((3, 3)) == (0, 0, 170)


def test_a_small_screen_keeps_its_size_and_a_tall_one_gets_smaller_too() -> None:
    """No pixel is made up."""
    assert opened(as_png(screen(320, 200))).size == (320, 200)
    assert opened(as_png(screen(400, 1280))).size == (200, WIDEST)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"P6\n",
        b"<svg/>",
        screen(9, 9, "GIF"),
        screen(640, 480)[:-1000],
        screen(64, 48, "PNG")[:40],
        bomb(60_000),
        bomb(6_000),
    ],
    ids=[
        "nothing",
        "a header",
        "SVG",
        "GIF",
        "a PPM cut off",
        "a PNG cut off",
        "a bomb",
        "a large one",
    ],
)
def test_what_is_no_picture_is_refused(sent: bytes) -> None:
    """A host that was broken into must not get at whoever looks at it."""
    with pytest.raises(ValueError, match="picture"):
        as_png(sent)


def test_too_large_a_screen_is_refused_before_its_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its bytes."""
    monkeypatch.setattr(drill_picture, "PICTURE_MOST", 999)
    with pytest.raises(ValueError, match="is too large"):
        as_png(screen(640, 480))


def test_nothing_of_the_screens_file_is_passed_on() -> None:
    """No text that somebody put into it."""
    written = io.BytesIO()
    Image.new("RGB", (9, 9)).save(written, "PNG", comment="x", pnginfo=None, exif=b"Exif\x00\x00secret")
    assert b"secret" not in as_png(written.getvalue())


def test_the_trend_is_told_of_what_booted_alone() -> None:
    """The last five times."""
    before = [took(number) for number in range(9)]
    now = took(7)
    assert trend(now, before) == " It took 7.0 s; before: 0.0 s, 1.0 s, 2.0 s, 3.0 s, 4.0 s."
    assert trend(now, []) == " It took 7.0 s."
    assert trend(found("drill", "failed"), before) == ""
