"""A part that a test broke isn't passed on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.site.renewed import Renewed


@dataclass
class Part:
    """A part that can break."""

    wrong: str = ""
    ended: bool = False


@contextmanager
def part() -> Iterator[Part]:
    """Make a part."""
    made = Part()
    yield made
    made.ended = True


@pytest.fixture
def parts() -> Renewed[Part]:
    """A shared part."""
    return Renewed(part, lambda part: part.wrong)


def test_an_intact_part_is_shared(parts: Renewed[Part], request: pytest.FixtureRequest) -> None:
    """It's made once, and nothing is reported."""
    assert parts.get(request.node) is parts.get(request.node)
    assert not _reported(request)


def test_a_broken_part_is_renewed_and_the_report_says_why(
    parts: Renewed[Part], request: pytest.FixtureRequest
) -> None:
    """The old one is ended first."""
    first = parts.get(request.node)
    first.wrong = "libvirtd is gone"
    second = parts.get(request.node)
    assert (first.ended, second.ended) == (True, False)
    assert "libvirtd is gone" in _reported(request)
    parts.end()
    assert second.ended


def _reported(request: pytest.FixtureRequest) -> str:
    return "".join(text for _, title, text in request.node._report_sections if title == "renewed")  # noqa: SLF001
