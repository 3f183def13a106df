"""Progress: a line every few seconds, and none for what takes less."""

import re
from pathlib import Path

import pytest

from include.vault.vault import Vault
from include.vms import progress
from include.vms.archive import VmArchive
from include.vms.progress import Progress
from include.vms.transfer import transfer
from tests.include.vms.exported_disks import MIB, ExportedDisks, image, noise

LINE = r"maq1 vda: \d+ % · [\d,]+ MB · [\d,]+ MB/s · .* left"


class Clock:
    """A clock that a test moves."""

    now = 100.0

    def monotonic(self) -> float:
        """Return its time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that progress reads."""
    moved = Clock()
    monkeypatch.setattr(progress, "time", moved)
    return moved


def test_a_line_has_progress_speed_and_time_left(clock: Clock) -> None:
    """What was done before counts for the progress, but not for the speed."""
    lines = list[str]()
    transfer_progress = Progress("maq1 vda", 40_000 * 10**6, lines.append, done=10_000 * 10**6)
    clock.now += 10
    transfer_progress.report(11_000 * 10**6)
    assert lines == ["maq1 vda: 27 % · 11,000 MB · 100 MB/s · 4 min 50 s left"]


def test_lines_come_every_few_seconds_only(clock: Clock) -> None:
    """However many chunks there are."""
    lines = list[str]()
    transfer_progress = Progress("maq1 vda", 100, lines.append)
    for second in range(1, 13):
        clock.now = 100.0 + second
        transfer_progress.report(second)
    assert [line.split(" ·")[0] for line in lines] == ["maq1 vda: 5 %", "maq1 vda: 10 %"]


def test_a_transfer_without_progress_is_logged_too(clock: Clock) -> None:
    """With a long time left, and without a division by zero."""
    lines = list[str]()
    transfer_progress = Progress("maq1 vda", 3600 * 10**6, lines.append)
    clock.now += 60
    transfer_progress.report(0)
    assert re.fullmatch(r"maq1 vda: 0 % · 0 MB · 0 MB/s · [\d,]+ h \d+ min left", lines[0])


def test_a_transfer_logs_its_progress(
    exported: ExportedDisks, vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For each disk, up to 100 %."""
    monkeypatch.setattr(progress, "PROGRESS_EVERY_S", 0)
    disk = image(tmp_path / "disk", 4 * MIB, at_0=noise(4))
    begun, lines = exported.export({"vda": disk}), list[str]()
    with VmArchive(vault).lock("maq1") as staged, exported.source(begun) as source:
        transfer(source, staged, None, lines.append)
    assert len(lines) == 4
    assert all(re.fullmatch(LINE, line) for line in lines), lines
    assert lines[-1].startswith("maq1 vda: 100 % · 4 MB · ")
    assert lines[-1].endswith(" 0.0 s left")
