"""A swap that libvirt refuses: it is given up only if nothing was moved."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from include.agent.errors import LibvirtError, NotPossibleError
from include.agent.restore.request import RestoreRequest
from include.agent.restore.swap import swap
from include.agent.state_folder import StateFolder
from include.agent.virsh import Virsh
from tests.include.agent.restore import test_request
from tests.include.agent.restore.test_request import UUID

# Of its own: a swap ends all programs that write files of its restore, those of other tests among them.
REQUEST = {**test_request.REQUEST, "generation": "2026-12-06T05-00-03Z"}


class OneVm(Virsh):
    """Libvirt with the VM, which is off; maybe it refuses definitions."""

    def __init__(self, *, refuses: bool) -> None:
        super().__init__("qemu:///system")
        self._refuses = refuses

    def run(self, command: str, *options: str, timeout_s: float = 1) -> str:
        """Answer what is asked."""
        if command == "define" and self._refuses:
            raise LibvirtError(f"virsh define failed within {timeout_s} s")
        has_flags = bool({"--autostart", "--with-managed-save"} & set(options))
        return {"list": "" if has_flags else UUID, "domstate": "shut off"}.get(command, "<domain/>")


@pytest.fixture
def state() -> Iterator[StateFolder]:
    """A state folder with a path that is short enough for sockets."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield StateFolder(folder)


@pytest.mark.parametrize("moved", [False, True])
def test_a_refused_definition_ends_a_swap_only_before_the_first_move(
    state: StateFolder, tmp_path: Path, *, moved: bool
) -> None:
    """After it, the VM has new disks beside old ones: the restore stays open, and says which they are."""
    restore = RestoreRequest(REQUEST)
    folder = state.of(UUID)
    folder.restore.mkdir(parents=True)
    new, old = tmp_path / "vda.restoring", tmp_path / "vdb"
    to_move: list[Any] = [["vda", str(tmp_path / "vda"), str(new), "", False]]
    to_move += [["vdb", str(old), f"{old}.restoring", f"{old}.old", False]]
    about = {"token": restore.token, "vm": "maq1", "generation": "g", "in_place": True, "stamp": "now"}
    folder.restoring.write("begin", **about, warnings=[], moves=to_move)
    folder.restoring.write("define")
    old.touch()
    Path(f"{old}.restoring").touch()
    if moved:
        for step in ("autostart", "keep vda", "move vda"):
            folder.restoring.write(step, on=False)
        (tmp_path / "vda").touch()
    else:
        new.touch()
    with pytest.raises(LibvirtError if moved else NotPossibleError) as refused:
        swap(state, OneVm(refuses=True), REQUEST)
    assert folder.restoring.open == moved
    assert ("vda is restored" in str(refused.value), "Nothing was moved" in str(refused.value)) == (
        moved,
        not moved,
    )
    assert os.path.lexists(old)


@pytest.mark.parametrize("kept", [False, True])
def test_a_resumed_swap_removes_no_old_disk_that_was_to_be_kept(
    state: StateFolder, tmp_path: Path, *, kept: bool
) -> None:
    """Whatever the resuming call says: because it was kept, it may be another program's file."""
    folder, place = state.of(UUID), tmp_path / "vda"
    folder.restore.mkdir(parents=True)
    new, old = tmp_path / "vda.restoring", tmp_path / "vda.old"
    about = {"token": RestoreRequest(REQUEST).token, "vm": "maq1", "generation": "g", "stamp": "now"}
    to_move = [["vda", str(place), str(new), str(old), False]]
    folder.restoring.write("begin", **about, in_place=True, keep_old=kept, warnings=[], moves=to_move)
    place.write_text("old")
    new.write_text("new")
    answer = swap(state, OneVm(refuses=False), {**REQUEST, "keep_old": False})
    assert (place.read_text(), old.exists(), answer["kept"]) == ("new", kept, [str(old)] * kept)
