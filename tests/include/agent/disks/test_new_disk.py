"""A new disk is made beside the old one: for nobody else's eyes, and gone if that fails."""

import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.agent.disks import disk_program, new_disk
from include.agent.errors import NotRestoredError
from include.agent.restore.disk_place import DiskPlace
from include.agent.restore.request import RequestedDisk
from tests.include.power_cut import Disk
from tests.include.recorded_calls import recorded
from tests.session.needs import program

SIZE = 1 << 20
OLD = b"old" + bytes(SIZE - 3)


def place(folder: Path, form: str, fields: dict[str, Any]) -> DiskPlace:
    """Return the place of a disk whose old content is there already."""
    path = folder / "maq1.img"
    path.write_bytes(OLD)
    path.chmod(0o600)
    disk = RequestedDisk("vda", path, form, SIZE, SIZE, {})
    return DiskPlace(disk, path, folder / "maq1.img.restoring-1", base="raw", base_bytes=SIZE)._replace(
        **fields
    )


@pytest.mark.parametrize(
    ("form", "fields"),
    [
        ("raw", {}),
        ("qcow2", {}),
        ("raw", {"base": "", "base_bytes": 0}),
        ("raw", {"base_bytes": 4096}),
        ("raw", {"overlay": True}),
    ],
    ids=["copied", "converted", "empty", "resized", "overlay"],
)
def test_a_disk_is_never_readable_by_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, fields: dict[str, Any]
) -> None:
    """Not even while it is copied, which may take hours."""
    modes, run = list[int](), disk_program.run

    def observed(command: list[str], folder: Path, alive: Callable[[], None]) -> None:
        run(command, folder, alive)
        modes.extend(stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir())

    monkeypatch.setattr(disk_program, "run", observed)
    made = place(tmp_path, form, fields)
    new_disk.make(made, lambda: None)
    assert set(modes) == {0o600}
    assert stat.S_IMODE(made.new.stat().st_mode) == 0o600


def test_a_disk_that_cant_be_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was copied of it may be what fills the file system."""

    def full(*_: object) -> None:
        raise disk_program.DiskProgramError("The file system is nearly full.")

    made = place(tmp_path, "raw", {})
    monkeypatch.setattr(disk_program, "run", full)
    with pytest.raises(NotRestoredError, match=r"can't be made: .* nearly full. The VM wasn't touched"):
        new_disk.make(made, lambda: None)
    assert list(tmp_path.iterdir()) == [made.place]


def test_what_qemu_img_removed_itself_doesnt_hide_its_error(tmp_path: Path) -> None:
    """It removes a file that it couldn't make."""
    made = place(tmp_path, "qcow2", {"base": "", "base_bytes": 0})
    huge = made._replace(disk=made.disk._replace(bytes=1 << 62))
    with pytest.raises(NotRestoredError, match=r"can't be made: qemu-img: .*too large"):
        new_disk.make(huge, lambda: None)
    assert list(tmp_path.iterdir()) == [made.place]


_MAKE = """
import sys
from pathlib import Path
from include.agent.disks import new_disk
from tests.include.agent.disks.test_new_disk import place
new_disk.make(place(Path(sys.argv[1]), "qcow2", {}), lambda: None)
"""


def test_a_power_cut_leaves_a_whole_new_disk_or_none(tmp_path: Path) -> None:
    """The next try takes a disk of that name for whole: an empty file would be no qcow2 disk for ever."""
    program("strace")
    place(tmp_path, "qcow2", {})
    model = Disk(tmp_path)
    calls = recorded([sys.executable, "-c", _MAKE, str(tmp_path)])
    new = "maq1.img.restoring-1"
    assert len({state[new][1] for state in model.states_after(calls) if new in state}) == 1
    assert all(new in state for state in model.states())
