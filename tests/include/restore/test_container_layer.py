"""A restore to a folder of the container itself is refused: it would be gone after the next start."""

import os
from pathlib import Path
from typing import Any

import pytest

from include.restore import container_layer

ROOT = "{number} 1 0:{number} / {place} rw,relatime shared:1 - {kind} {kind} rw,lowerdir=/var/lib/docker\n"


@pytest.fixture
def container(tmp_path: Path) -> Path:
    """Return the mounts of a process in a container, as it sees them."""
    mounts = tmp_path / "mountinfo"
    lines = [("/", "overlay"), ("/proc", "proc"), ("/backup/vault", "ext4")]
    mounts.write_text(
        "".join(ROOT.format(number=n, place=place, kind=kind) for n, (place, kind) in enumerate(lines, 40))
    )
    return mounts


def test_a_folder_of_the_container_itself_is_refused(container: Path) -> None:
    """Whether it exists or not; the message has a folder that stays."""
    for folder in (Path("/"), Path("/nowhere/at/all")):
        assert "/backup/restored" in container_layer.refusal(folder, container)


def test_a_folder_on_a_mount_isnt(container: Path) -> None:
    """Another device: /proc here, a bind mount of the machine's disk there."""
    assert container_layer.refusal(Path("/proc/self"), container) == ""


def test_a_folder_that_this_user_may_not_see_raises_nothing(
    container: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder above it decides; the restore itself says what it may not."""
    real = os.stat

    def stat(path: str | Path, **options: Any) -> os.stat_result:  # noqa: ANN401 - as os.stat
        if Path(path).is_relative_to("/proc/closed"):
            raise PermissionError(path)
        return real(path, **options)

    monkeypatch.setattr(os, "stat", stat)
    assert container_layer.refusal(Path("/proc/closed/restored"), container) == ""


def test_a_machine_without_a_container_has_no_such_folder(tmp_path: Path) -> None:
    """Its root file system is a disk's."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(ROOT.format(number=40, place="/", kind="ext4"))
    assert container_layer.refusal(Path("/nowhere"), mounts) == ""
