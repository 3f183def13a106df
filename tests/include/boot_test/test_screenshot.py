"""Boot test screenshots: whatever the host sends, the vault gets a small PNG, or nothing."""

import io
import struct
import zlib

import pytest
from PIL import Image

from include.boot_test import screenshot
from include.boot_test.boot_test import trend
from include.boot_test.screenshot import MAX_SIDE, as_png
from include.vault.verification_log import LogEntry
from tests.include.vault.test_verification_log import found


def screen(width: int, height: int, form: str = "PPM") -> bytes:
    """Return a screenshot as QEMU writes it."""
    written = io.BytesIO()
    Image.new("RGB", (width, height), (0, 0, 170)).save(written, form)
    return written.getvalue()


def took(seconds: float) -> LogEntry:
    """Return a boot test that passed after some seconds."""
    return found("boot_test").model_copy(update={"seconds": seconds})


def opened(png: bytes) -> Image.Image:
    """Return a PNG, fully decoded."""
    picture = Image.open(io.BytesIO(png), formats=("PNG",))
    picture.load()
    return picture


def bomb(side: int) -> bytes:
    """Return a PNG of a few bytes whose header claims so many pixels per side."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    parts = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("form", ["PPM", "PNG"])
def test_a_screen_becomes_a_small_png(form: str) -> None:
    """Scaled down in proportion; older QEMU writes PPM, newer PNG."""
    picture = opened(as_png(screen(1280, 800, form)))
    assert picture.size == (MAX_SIDE, 400)
    assert picture.getpixel((3, 3)) == (0, 0, 170)


def test_a_small_screen_keeps_its_size_and_a_tall_one_is_scaled_down() -> None:
    """Nothing is scaled up."""
    assert opened(as_png(screen(320, 200))).size == (320, 200)
    assert opened(as_png(screen(400, 1280))).size == (200, MAX_SIDE)


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
        "a truncated PPM",
        "a truncated PNG",
        "a bomb",
        "a large one",
    ],
)
def test_invalid_images_are_refused(sent: bytes) -> None:
    """A compromised host must not attack those who view the screenshot."""
    with pytest.raises(ValueError, match="isn't an image"):
        as_png(sent)


def test_a_screenshot_of_too_many_bytes_is_refused_before_it_is_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its size in bytes is enough."""
    monkeypatch.setattr(screenshot, "MAX_BYTES", 999)
    with pytest.raises(ValueError, match="is too large"):
        as_png(screen(640, 480))


def test_metadata_is_dropped() -> None:
    """Only the pixels are kept."""
    written = io.BytesIO()
    Image.new("RGB", (9, 9)).save(written, "PNG", comment="x", pnginfo=None, exif=b"Exif\x00\x00secret")
    assert b"secret" not in as_png(written.getvalue())


def test_the_trend_has_the_last_five_durations() -> None:
    """Only for a boot test that passed."""
    before = [took(number) for number in range(9)]
    now = took(7)
    assert trend(now, before) == " Booting took 7.0 s; before: 0.0 s, 1.0 s, 2.0 s, 3.0 s, 4.0 s."
    assert trend(now, []) == " Booting took 7.0 s."
    assert trend(found("boot_test", "failed"), before) == ""
