"""Progress: told every few seconds, in numbers that a person can use, and not at all of what is short."""

import re
from pathlib import Path

import pytest

from include.machines import progress
from include.machines.generation import Generations
from include.machines.progress import Progress
from include.machines.pull import pull
from include.vault import Vault
from tests.include.machines.held_disks import MIB, HeldDisks, image, noise

LINE = r"maq1 vda: \d+ % · [\d,]+ MB · [\d,]+ MB/s · .* left"


class Clock:
    """A clock that a test moves."""

    now = 100.0

    def monotonic(self) -> float:
        """Give its time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that progress looks at."""
    moved = Clock()
    monkeypatch.setattr(progress, "time", moved)
    return moved


def test_it_says_how_far_how_fast_and_how_long_yet(clock: Clock) -> None:
    """What was there before counts for how far it is, and not for the pace."""
    said = list[str]()
    told = Progress("maq1 vda", 40_000 * 10**6, said.append, done=10_000 * 10**6)
    clock.now += 10
    told.tell(11_000 * 10**6)
    assert said == ["maq1 vda: 27 % · 11,000 MB · 100 MB/s · 4 min 50 s left"]


def test_it_is_quiet_between_two_lines(clock: Clock) -> None:
    """A log of 10,000 chunks has no 10,000 lines."""
    said = list[str]()
    told = Progress("maq1 vda", 100, said.append)
    for second in range(1, 13):
        clock.now = 100.0 + second
        told.tell(second)
    assert [line.split(" ·")[0] for line in said] == ["maq1 vda: 5 %", "maq1 vda: 10 %"]


def test_what_doesnt_get_on_is_told_too(clock: Clock) -> None:
    """With a time left that says so, and no division by nothing."""
    said = list[str]()
    told = Progress("maq1 vda", 3600 * 10**6, said.append)
    clock.now += 60
    told.tell(0)
    assert re.fullmatch(r"maq1 vda: 0 % · 0 MB · 0 MB/s · [\d,]+ h \d+ min left", said[0])


def test_pulling_tells_its_progress(
    held: HeldDisks, vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By disk, from what is there already to all of it."""
    monkeypatch.setattr(progress, "PROGRESS_EVERY_S", 0)
    disk = image(tmp_path / "disk", 4 * MIB, at_0=noise(4))
    frozen, said = held.hold({"vda": disk}), list[str]()
    with Generations(vault).hold("maq1") as staged, held.way(frozen) as way:
        pull(way, staged, None, said.append)
    assert len(said) == 4
    assert all(re.fullmatch(LINE, line) for line in said), said
    assert said[-1].startswith("maq1 vda: 100 % · 4 MB · ")
    assert said[-1].endswith(" 0.0 s left")
