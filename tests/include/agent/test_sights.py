"""What counts as something on a drilled machine's screen."""

import pytest

from include.agent.sights import _differ, _shows_something

HEADER = b"P6\n720 400\n255\n"
PIXELS = 720 * 400
CURSOR, LINE = 16, 2000  # pixels of a text screen's cursor, and of a line of text


@pytest.mark.parametrize(
    ("screen", "something"),
    [
        (b"", False),
        (HEADER + bytes(3 * PIXELS), False),
        (HEADER + b"\x00\x00\xaa" * PIXELS, False),
        (HEADER + bytes(3 * (PIXELS - CURSOR)) + b"\xaa" * (3 * CURSOR), False),
        (HEADER + bytes(3 * (PIXELS - LINE)) + b"\xaa" * (3 * LINE), True),
    ],
    ids=["no picture", "black", "blue", "a cursor", "a line of text"],
)
def test_a_blank_screen_shows_nothing(screen: bytes, *, something: bool) -> None:
    """Whatever its colour; nor does a cursor alone."""
    assert _shows_something(screen) is something


def test_a_cursor_that_blinks_is_no_change() -> None:
    """A line of text is one, and another size of the screen, too."""
    black = HEADER + bytes(3 * PIXELS)
    assert not _differ(black, black[: -3 * CURSOR] + b"\xaa" * (3 * CURSOR))
    assert _differ(black, black[: -3 * LINE] + b"\xaa" * (3 * LINE))
    assert _differ(black, black[:-3])
